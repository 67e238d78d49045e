"""Kernel of the band gains: what strokes and repetition in a band mean for each stem."""

from __future__ import annotations

import numba as nb
import numpy as np

from nodes.separate.bands import BANDS

INPUTS = 5  # of a band: 1, the shares that are percussive and that repeat, and both on average over MEMORY
ANSWERS = 9  # of a band: for drums, vocals and bass the logit, and how it leans on strokes and on repetition
MEMORY = 0.25  # seconds


@nb.njit("void(float32[:, ::1], float32, float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def band_inputs(bands, pace, slow, inputs):
    """Inputs (BANDS, INPUTS) of a frame from its bands (3, BANDS), see `nodes.separate.evidence`.

    `slow` (2, BANDS) is the state: averages that move by `pace` towards every frame.
    """
    one, two = np.float32(1.0), np.float32(2.0)
    for band in range(BANDS):
        inputs[band, 0] = one
        for kind in range(2):
            x = two * bands[1 + kind, band] - one
            slow[kind, band] += pace * (x - slow[kind, band])
            inputs[band, 1 + kind] = x
            inputs[band, 3 + kind] = slow[kind, band]


@nb.njit("void(float32[:, :, ::1], float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def band_answers(weights, inputs, answers):
    """answers (ANSWERS, BANDS) = weights (ANSWERS, BANDS, INPUTS) times inputs, band by band."""
    for k in range(ANSWERS):
        for band in range(BANDS):
            total = np.float32(0.0)
            for i in range(INPUTS):
                total += weights[k, band, i] * inputs[band, i]
            answers[k, band] = total
