"""Kernels of `nodes.separate.masked`."""

from __future__ import annotations

import numba as nb


@nb.njit("void(float32[::1], float64, float32[::1])", nogil=True, cache=True)
def add_power(magnitude, share, power):
    """power += share * magnitude squared."""
    part = nb.float32(share)
    for k in range(len(power)):
        power[k] += part * magnitude[k] * magnitude[k]


@nb.njit("void(complex64[::1], float32[::1], complex64[::1])", nogil=True, cache=True)
def apply_mask(spectrum, mask, out):
    """out = spectrum * mask."""
    for k in range(len(out)):
        out[k] = spectrum[k] * mask[k]


@nb.njit("void(float32[:, ::1], int64)", nogil=True, cache=True)
def move_up(line, count):
    """Every row of `line` moves `count` samples to the front."""
    for c in range(line.shape[0]):
        for n in range(line.shape[1] - count):
            line[c, n] = line[c, n + count]
