"""Kernels of `nodes.spectral.bands`."""

from __future__ import annotations

import numba as nb


@nb.njit("void(float32[::1], int64[::1], int64[::1], float32[::1], float32[::1])", nogil=True, cache=True)
def band_means(magnitude, first, stop, weights, bands):
    """bands[b] = sum over the bins of band b of their weight times their magnitude."""
    at = 0
    for b in range(len(bands)):
        total = nb.float32(0.0)
        for k in range(first[b], stop[b]):
            total += weights[at] * magnitude[k]
            at += 1
        bands[b] = total
