"""Kernels of the band gains: what a band tells, and the small recurrent network that judges all of them."""

from __future__ import annotations

import numba as nb
import numpy as np

from nodes.separate.bands import BANDS

INPUTS = 8  # of a band, see `band_inputs`
LEANS = 4  # a stem's own logit, and how it leans on what is percussive, repeats, is fresh
ANSWERS = 3 * LEANS  # of a band, for drums, vocals, bass
MEMORY, LEVEL_MEMORY = 0.25, 1.5  # seconds, of the shares and of the levels
SLOPE = np.float32(0.1)  # of the leaky rectifier


@nb.njit("void(float32[:, ::1], float32, float32, float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def band_inputs(bands, pace, level_pace, state, inputs):
    """Inputs (BANDS, INPUTS) of a frame from its bands (3, BANDS), see `nodes.separate.evidence`.

    1, the level, what it is above its mean, what it is above the frame before, the shares that are percussive
    and that repeat, and the means of both. `state` (4, BANDS): the means, which move by the paces towards
    every frame, and the level of the frame before.
    """
    half, two = np.float32(0.5), np.float32(2.0)
    for band in range(BANDS):
        level = bands[0, band]
        inputs[band, 0] = np.float32(1.0)
        inputs[band, 1] = np.float32(0.25) * level
        inputs[band, 2] = half * (level - state[2, band])
        inputs[band, 3] = half * (level - state[3, band])
        state[2, band] += level_pace * (level - state[2, band])
        state[3, band] = level
        for kind in range(2):
            x = two * bands[1 + kind, band] - np.float32(1.0)
            state[kind, band] += pace * (x - state[kind, band])
            inputs[band, 4 + kind] = x
            inputs[band, 6 + kind] = state[kind, band]


@nb.njit(nogil=True, cache=True, inline="always")
def _times(matrix, vector, out):  # type: ignore[no-untyped-def]
    """out (outputs,) += matrix (inputs, outputs) times vector: row by row, so that sums keep one order."""
    for i in range(len(vector)):
        x = vector[i]
        row = matrix[i]
        for k in range(len(out)):
            out[k] += row[k] * x


@nb.njit(
    "void(float32[:, ::1], float32[::1], float32[:, ::1], float32[:, ::1], float32[::1], float32[::1], "
    "float32[:, ::1], float32[:, :, ::1], float32[:, ::1], float32[::1], float32[:, ::1], float32[:, ::1])",
    nogil=True,
    cache=True,
)
def band_answers(
    first, first_bias, fresh, kept, fresh_bias, kept_bias, last, own, inputs, hidden, scratch, answers
):
    """answers (ANSWERS, BANDS) of a frame: what each band says itself, and what all of them do over time.

    own (ANSWERS, INPUTS, BANDS) is linear in the band's own inputs; first (BANDS * INPUTS, units), a GRU with
    the gates reset, update, new (fresh, kept: (units, 3 units)) and last (units, ANSWERS * BANDS) hear all
    bands. State: hidden (units,). scratch (3, 3 units).
    """
    units = len(hidden)
    now, new, old = scratch[0, :units], scratch[1], scratch[2]
    now[:] = first_bias
    _times(first, inputs.reshape(BANDS * INPUTS), now)
    for k in range(units):
        now[k] = max(now[k], SLOPE * now[k])
    new[:] = fresh_bias
    old[:] = kept_bias
    _times(fresh, now, new)
    _times(kept, hidden, old)
    one = np.float32(1.0)
    for k in range(units):
        reset = one / (one + np.exp(-(new[k] + old[k])))
        update = one / (one + np.exp(-(new[units + k] + old[units + k])))
        candidate = np.tanh(new[2 * units + k] + reset * old[2 * units + k])
        hidden[k] += (one - update) * (candidate - hidden[k])
    flat = answers.reshape(ANSWERS * BANDS)
    flat[:] = np.float32(0.0)
    _times(last, hidden, flat)
    for k in range(ANSWERS):
        for i in range(INPUTS):
            for band in range(BANDS):
                answers[k, band] += own[k, i, band] * inputs[band, i]
