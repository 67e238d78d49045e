"""Kernels of the accent front end: log bands of a magnitude spectrum at any level, chroma."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BANDS = 32
LOWEST, HIGHEST = 30.0, 11000.0  # Hz
COMPRESSION = 30.0
CLASSES = 12
CHROMA_LOWEST, CHROMA_HIGHEST = 100.0, 2600.0  # Hz


def band_weights(
    rate: int, bins: int, bands: int = BANDS, lowest: float = LOWEST, highest: float = HIGHEST
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Array]:
    """Triangular bands, evenly spaced on a mel-like scale, at least one bin wide each.

    Returns first bin (bands,), number of bins (bands,) and weights (bands, most bins); a band sums to 1.
    """
    scale = lambda f: np.log(1.0 + f / 300.0)  # noqa: E731 - the formula is the name
    edges = 300.0 * np.expm1(np.linspace(scale(lowest), scale(min(highest, 0.49 * rate)), bands + 2))
    frequency = np.arange(bins) * (rate / 2 / (bins - 1))
    rows = []
    for low, centre, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        width = frequency[1] - frequency[0]
        low, high = min(low, centre - width), max(high, centre + width)
        row = np.clip(
            np.minimum((frequency - low) / (centre - low), (high - frequency) / (high - centre)), 0, None
        )
        rows.append(row / row.sum())
    first = np.array([np.flatnonzero(row)[0] for row in rows], np.int32)
    count = np.array([np.flatnonzero(row)[-1] - np.flatnonzero(row)[0] + 1 for row in rows], np.int32)
    weights = np.zeros((bands, count.max()), np.float32)
    for band, row in enumerate(rows):
        weights[band, : count[band]] = row[first[band] : first[band] + count[band]]
    return first, count, weights


@nb.njit(
    nb.void(
        nb.float32[::1],
        nb.int32[::1],
        nb.int32[::1],
        nb.float32[:, ::1],
        nb.float32[::1],
        nb.float32,
        nb.float32[::1],
    ),
    nogil=True,
    cache=True,
    fastmath={"reassoc", "contract"},
)
def accent_bands(magnitude, first, count, weights, level, decay, out):  # type: ignore[no-untyped-def]
    """out[b] = log(1 + 30 e_b / L): e_b a band's mean magnitude, L a peak level, times `decay` a frame.

    `level` (1,) is the state. The result does not change when the input is scaled.
    """
    mean = np.float32(0.0)
    for band in range(BANDS):
        total = np.float32(0.0)
        bins, shares = magnitude[first[band] :], weights[band]
        for k in range(count[band]):
            total += shares[k] * bins[k]
        out[band] = total
        mean += total
    mean /= np.float32(BANDS)
    level[0] = max(mean, level[0] * decay)
    scale = np.float32(COMPRESSION) / max(level[0], np.float32(1e-12))
    for band in range(BANDS):
        out[band] = np.log(np.float32(1.0) + scale * out[band])


def pitch_places(rate: int, bins: int) -> tuple[int, npt.NDArray[np.int64], Array]:
    """First bin of the chroma, and for each bin from there on the pitch class below it and the share of the
    one above."""
    frequency = np.arange(bins) * (rate / 2 / (bins - 1))
    inside = np.flatnonzero((frequency >= CHROMA_LOWEST) & (frequency < CHROMA_HIGHEST))
    pitch = 69 + 12 * np.log2(frequency[inside] / 440.0)
    below = np.floor(pitch)
    return int(inside[0]), (below % CLASSES).astype(np.int64), (pitch - below).astype(np.float32)


@nb.njit(nogil=True, cache=True)
def add_chroma(magnitude, first, below, share, out):  # type: ignore[no-untyped-def]
    """out (12,) += the square roots of the magnitudes, each bin shared by its two nearest pitch classes."""
    bins = magnitude[first:]
    for k in range(len(below)):
        size = np.sqrt(bins[k])
        upper = size * share[k]
        out[below[k]] += size - upper
        out[(below[k] + 1) % CLASSES] += upper


@nb.njit(nogil=True, cache=True)
def bands_and_chroma(  # type: ignore[no-untyped-def]
    magnitude, first, count, weights, level, decay, bands, lowest, below, share, chroma
):
    """`accent_bands` and `add_chroma` in one call."""
    accent_bands(magnitude, first, count, weights, level, decay, bands)
    add_chroma(magnitude, lowest, below, share, chroma)
