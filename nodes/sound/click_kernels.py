"""Kernels of `nodes.sound.click`."""

from __future__ import annotations

import numba as nb


@nb.njit(
    "void(float32[:, ::1], int64[::1], int64[::1], float32[::1], int64[::1], int64, int64, float32[:, ::1])",
    nogil=True,
    cache=True,
)
def mix_clicks(tones, starts, ends, levels, accents, oldest, start, out):
    """The quantum that begins at sample `start`: all clicks added, the oldest first."""
    memory, quantum = len(starts), out.shape[1]
    out[:, :] = 0.0
    for i in range(memory):
        v = (oldest + i) % memory
        for n in range(max(start, starts[v]), min(start + quantum, ends[v])):
            out[0, n - start] += levels[v] * tones[accents[v], n - starts[v]]
