"""Kernels of non-negative matrix factorisation with fixed templates, one frame at a time."""

from __future__ import annotations

import numba as nb
import numpy as np

TINY = np.float32(1e-12)
FAINT = np.float32(0.01)  # no stem is expected less than that
EXPECTATION = np.float32(0.6)  # weight of what is expected beside what the templates say


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, inline="always")
def _dot(a, b, size):  # type: ignore[no-untyped-def]
    """A reduction of fixed shape."""
    total = np.float32(0.0)
    for i in range(size):
        total += a[i] * b[i]
    return total


@nb.njit(
    "void(float32[:, ::1], float32[::1], float32[::1], float32[::1], int64)",
    nogil=True,
    cache=True,
    fastmath={"reassoc", "contract"},
)
def activate(templates, frame, activations, gradient, iterations):
    """Activations (templates,) of a frame (rows,) by multiplicative updates for the KL divergence.

    templates (rows, templates), each column of sum 1. Every activation starts at the mean, so that the answer
    depends on this frame alone. Source: Lee and Seung 1999, eq. (2).
    """
    rows, size = templates.shape
    total = np.float32(0.0)
    for r in range(rows):
        total += frame[r]
    for k in range(size):
        activations[k] = total / np.float32(size) + TINY
    for _ in range(iterations):
        for k in range(size):
            gradient[k] = np.float32(0.0)
        for r in range(rows):
            row = templates[r]
            ratio = frame[r] / (_dot(row, activations, size) + TINY)
            for k in range(size):
                gradient[k] += ratio * row[k]
        for k in range(size):
            activations[k] *= gradient[k]


@nb.njit(
    "void(float32[:, ::1], float32[::1], int64[::1], float32[::1], int64[::1], float64, float32[::1], "
    "float32[:, ::1], float32[:, ::1])",
    nogil=True,
    cache=True,
    fastmath={"reassoc", "contract"},
)
def part_masks(templates, activations, starts, strokes, stems, lean, percussive, expected, masks):
    """Masks (parts, bins): each part's share of the model, to the power 1.5.

    templates (bins, templates), the part p from starts[p] on. Parts with strokes[p] = 1 gain, those with -1
    lose where a bin is `percussive` (log ratio), by exp(lean * ratio / 2); and each is weighed by what is
    expected of the stem that it is, stems[p] (0 drums, 1 vocals, 2 bass, 3 rest), to the power EXPECTATION;
    expected (3, bins) has the masks of the first three.
    """
    parts = len(starts) - 1
    one = np.float32(1.0)
    for k in range(templates.shape[0]):
        row = templates[k]
        bent = np.exp(np.float32(0.5 * lean) * percussive[k])
        others = one - expected[0, k] - expected[1, k] - expected[2, k]
        total = TINY
        for p in range(parts):
            first, count = starts[p], starts[p + 1] - starts[p]
            x = _dot(row[first:], activations[first:], count)
            likely = others if stems[p] == 3 else expected[stems[p], k]
            x *= np.sqrt(x) * max(likely, FAINT) ** EXPECTATION
            if strokes[p] > 0:
                x *= bent
            elif strokes[p] < 0:
                x *= one / bent
            total += x
            masks[p, k] = x
        for p in range(parts):
            masks[p, k] /= total


@nb.njit("void(float32[::1], int64[::1], float32[::1])", nogil=True, cache=True)
def pool(frame, edges, out):
    """Sums of the bins from edges[r] to edges[r + 1]."""
    for r in range(len(out)):
        total = np.float32(0.0)
        for k in range(edges[r], edges[r + 1]):
            total += frame[k]
        out[r] = total
