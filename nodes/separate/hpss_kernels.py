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


@nb.njit("void(float32[::1], float32[::1], float32[::1])", nogil=True, cache=True)
def log_ratio(harmonic, percussive, out):
    """Log of the median in frequency over that in time, -6 to 6, of each bin."""
    level = np.float32(0.0)
    for k in range(len(out)):
        level = max(level, percussive[k])
    faint = np.float32(1e-6) * level + TINY
    for k in range(len(out)):
        ratio = np.log((percussive[k] + faint) / (harmonic[k] + faint))
        out[k] = min(max(ratio, np.float32(-6.0)), np.float32(6.0))
