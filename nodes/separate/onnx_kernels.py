"""Kernels around a user's network, which may answer anything."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit("void(float32[::1], float32[::1])", nogil=True, cache=True)
def carry_over(following, state):
    """state = following, or 0 if any of it is not finite."""
    sound = True
    for k in range(len(state)):
        state[k] = following[k]
        sound = sound and np.isfinite(following[k])
    if not sound:
        state[:] = np.float32(0.0)


@nb.njit("void(float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def tidy_masks(answers, masks):
    """masks (outputs - 1, bins) from answers (stems, bins): 0 to 1, in sum at most 1, NaN is 0."""
    stems = answers.shape[0]
    for k in range(answers.shape[1]):
        total = np.float32(0.0)
        for s in range(stems):
            answer = answers[s, k]
            masks[s, k] = min(answer, np.float32(1.0)) if answer > 0 else np.float32(0.0)
            total += masks[s, k]
        if total > 1:
            for s in range(stems):
                masks[s, k] /= total
