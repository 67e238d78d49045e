"""Kernels of `nodes.spectral.level`."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit("UniTuple(float64, 2)(float32[:, :])", nogil=True, cache=True)
def levels(window):
    """Root mean square and largest absolute value of (channels, window), in dB against 1."""
    total, largest = 0.0, 0.0
    for c in range(window.shape[0]):
        for x in window[c]:
            total += x * x
            largest = max(largest, abs(x))
    rms = 10 * np.log10(max(total / window.size, 1e-14))
    peak = 20 * np.log10(max(largest, 1e-7))
    return rms, peak
