"""Kernels of `nodes.spectral.novelty`."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(
    "float32(float32[::1], float32, int64[::1], float32[::1], float32[:, ::1], float64[::1], int64[::1],"
    "float32[::1])",
    nogil=True,
    cache=True,
)
def flux(magnitude, gain, edges, before, past, sums, state, bands):
    """One frame; returns the mean of the bands. `state`: place in `past`, frames heard."""
    place, heard = state[0], state[1]
    memory = len(past)
    for b in range(len(bands)):
        # The sum of max(0, log y - log before) is the logarithm of the product of max(1, y / before): one
        # logarithm for 16 bins, whose product stays far below the largest float64.
        total, product = 0.0, 1.0
        for k in range(edges[b], edges[b + 1]):
            y = nb.float32(1.0) + gain * magnitude[k]
            product *= max(nb.float32(1.0), y / before[k])
            before[k] = y
            if k & 15 == 15:
                total += np.log(product)
                product = 1.0
        rise = nb.float32(total + np.log(product))
        # The first frame rises out of nothing: that is the start of the stream, not an onset.
        rise = rise / nb.float32(edges[b + 1] - edges[b]) if heard > 0 else nb.float32(0.0)
        bands[b] = rise
        if memory:
            bands[b] = max(nb.float32(0.0), rise - nb.float32(sums[b] / memory))
            past[place, b] = rise
    if memory:
        # Summed anew: a running sum would drift over hours, and never be quite zero in silence.
        for b in range(len(bands)):
            sums[b] = 0.0
        for n in range(memory):
            for b in range(len(bands)):
                sums[b] += past[n, b]
        state[0] = (place + 1) % memory
    state[1] = heard + 1
    mean = nb.float32(0.0)
    for b in range(len(bands)):
        mean += bands[b]
    return mean / nb.float32(len(bands))
