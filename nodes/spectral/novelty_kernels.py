"""Kernels of `nodes.spectral.novelty`."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(
    "void(float32[::1], float32, int64[::1], float32[::1], float32[:, ::1], float64[::1], int64[::1],"
    "float32[::1])",
    nogil=True,
    cache=True,
)
def flux(magnitude, gain, edges, before, past, sums, state, bands):
    """One frame. `state`: place in `past`, frames heard."""
    place, heard = state[0], state[1]
    memory = len(past)
    for b in range(len(bands)):
        rise = nb.float32(0.0)
        for k in range(edges[b], edges[b + 1]):
            y = np.log(nb.float32(1.0) + gain * magnitude[k])
            change = y - before[k]
            before[k] = y
            if change > 0:
                rise += change
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
