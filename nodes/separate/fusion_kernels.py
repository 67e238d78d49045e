"""Kernel that turns evidence and the gains' answers into masks."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(
    "void(float32[:, ::1], int64[::1], float32[::1], float32[::1], float32[::1], float32[::1], "
    "float32[:, ::1])",
    nogil=True,
    cache=True,
)
def answer_masks(answers, lower, share, percussive, repeats, fresh, masks):
    """Masks (3, bins) of drums, vocals and bass from the gains' answers (12, bands).

    The logit of a stem at a bin is its own answer plus three slopes times how percussive the bin is, how it
    repeats and how fresh it is, all four read between the bands (`lower`, `share` of
    `nodes.separate.bands.spreading`); the rest has logit 0.
    """
    for k in range(len(percussive)):
        band, part = lower[k], share[k]
        highest = np.float32(0.0)
        for stem in range(3):
            logit = np.float32(0.0)
            for kind in range(4):
                row = answers[4 * stem + kind]
                x = row[band] + part * (row[band + 1] - row[band])
                if kind == 1:
                    x *= percussive[k]
                elif kind == 2:
                    x *= repeats[k]
                elif kind == 3:
                    x *= fresh[k]
                logit += x
            masks[stem, k] = logit
            highest = max(highest, logit)
        total = np.exp(-highest)
        for stem in range(3):
            masks[stem, k] = np.exp(masks[stem, k] - highest)
            total += masks[stem, k]
        for stem in range(3):
            masks[stem, k] /= total
