"""Kernels of `nodes.spectral.istft`."""

from __future__ import annotations

import numba as nb


@nb.njit("void(float32[:, ::1], float32[::1], int64, float32[:, ::1])", nogil=True, cache=True)
def take_out(line, scale, place, out):
    """Moves the first samples of `line` to `out`, scaled by their place in the hop; the rest moves up."""
    quantum = out.shape[1]
    kept = line.shape[1] - quantum
    for c in range(out.shape[0]):
        at = place
        for n in range(quantum):
            out[c, n] = line[c, n] * scale[at]
            at += 1
            if at == len(scale):
                at = 0
        for n in range(kept):
            line[c, n] = line[c, n + quantum]
        for n in range(kept, line.shape[1]):
            line[c, n] = 0.0
