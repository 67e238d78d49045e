"""Kernel of REPET-SIM: what a frame shares with the frames most like it."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _product(a, b, size):  # type: ignore[no-untyped-def]
    """A reduction of fixed shape."""
    total = np.float32(0.0)
    for i in range(size):
        total += a[i] * b[i]
    return total


@nb.njit(
    "void(float32[::1], float32[:, ::1], float32[::1], int64, int64, int64, int64, float32[::1], "
    "float32[:, ::1], float32[::1])",
    nogil=True,
    cache=True,
)
def repeating(frame, ring, norms, count, reach, recent, apart, likeness, chosen, out):
    """The median of the frames most like this one, bin by bin; then this frame joins the ring.

    frame (bins,) magnitudes; ring (frames, bins) and norms (frames,) the past, of which `count` frames were
    seen; likeness (frames,) and chosen (bins, most) are scratch; out (bins,), the frame itself while there
    is nothing to compare with. Compared are the first `reach` bins (cosine) of frames older than `recent`;
    chosen frames lie more than `apart` frames from each other.
    """
    bins, frames, most = len(frame), ring.shape[0], chosen.shape[1]
    norm = np.float32(np.sqrt(_product(frame, frame, reach))) + np.float32(1e-12)
    known = min(count, frames)
    for row in range(frames):
        likeness[row] = np.float32(-1.0)
    for age in range(recent, known + 1):
        row = (count - age) % frames
        likeness[row] = _product(frame, ring[row], reach) / (norm * norms[row])
    number = 0
    for _ in range(most):
        best, at = np.float32(0.0), -1
        for row in range(frames):
            if likeness[row] > best:
                best, at = likeness[row], row
        if at < 0:
            break
        for k in range(bins):
            new, j = ring[at, k], number
            while j > 0 and chosen[k, j - 1] > new:
                chosen[k, j] = chosen[k, j - 1]
                j -= 1
            chosen[k, j] = new
        number += 1
        for step in range(-apart, apart + 1):
            likeness[(at + step) % frames] = np.float32(-1.0)
    for k in range(bins):
        out[k] = chosen[k, number // 2] if number > 0 else frame[k]
    row = count % frames
    ring[row, :] = frame
    norms[row] = norm


@nb.njit("void(float32[::1], float32[::1], int64, float32[::1])", nogil=True, cache=True)
def new_share(frame, background, first, mask):
    """The share of each bin (bins,) that is above the background; 0 below bin `first`."""
    for k in range(len(frame)):
        mask[k] = np.float32(0.0)
        if k >= first and frame[k] > background[k]:
            mask[k] = np.float32(1.0) - background[k] / frame[k]
