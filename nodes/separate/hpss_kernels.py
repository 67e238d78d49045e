"""Kernels of `nodes.separate.hpss`."""

from __future__ import annotations

import numba as nb
import numpy as np

TINY = np.float32(1e-20)


@nb.njit("void(float32[::1], float32[::1], float64, float32[:, ::1])", nogil=True, cache=True)
def harmonic_percussive_masks(harmonic, percussive, margin, masks):
    """Soft masks (2, bins) from the medians (bins,) of the power in time and in frequency."""
    factor = nb.float32(margin * margin)
    for k in range(len(harmonic)):
        h, p = harmonic[k] + TINY, percussive[k] + TINY
        masks[0, k] = h / (h + factor * p)
        masks[1, k] = p / (p + factor * h)
