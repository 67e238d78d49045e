"""Which moment of one version is which moment of the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.sync.features import FRAMES, Features, smoothed
from nodes.sync.multiscale import CELLS, factors, refine, warp

Array = npt.NDArray[Any]

#: Of the onsets beside the chroma in the cost of the finest level; both count alike, as in synctoolbox.
ONSET_WEIGHT = 1.0
#: Frames of the levels on which the key is compared: half a second.
KEY_FRAMES = 25


@dataclass(frozen=True)
class Alignment:
    """Two versions of a piece, aligned.

    Attributes
    ----------
    path : (steps, 2) frames of the first and second version, FRAMES a second; each step moves one or both.
    transposition : semitones by which the second version is higher, -5 to 6.
    agreement : mean cosine of the chroma along the path.
    """

    path: Array
    transposition: int
    agreement: float

    def seconds(self) -> Array:
        """(n, 2) seconds that belong together, rising in both: a pause in one version is one point."""
        path = self.path / FRAMES
        first, at = np.unique(self.path[:, 0], return_inverse=True)
        second = np.bincount(at, path[:, 1]) / np.bincount(at)
        rising = np.concatenate([[True], np.diff(np.maximum.accumulate(second)) > 1e-9])
        return np.stack([first[rising] / FRAMES, second[rising]], axis=1)

    def second_at(self, first: npt.ArrayLike) -> Array:
        """Seconds of the second version at seconds of the first."""
        pairs = self.seconds()
        return np.interp(first, pairs[:, 0], pairs[:, 1])


def align(
    first: Features,
    second: Features,
    cells: int = CELLS,
    progress: Callable[[int, int], None] = lambda level, levels: None,
) -> Alignment:
    """The warping path from beginning to end of both versions.

    `cells` bounds the memory: 5 bytes a cell. `progress` is told the levels done and how many there are.
    Time grows with the sum of the lengths.
    """
    transposition = key_difference(first, second, cells)
    other = np.roll(second.chroma, -transposition, axis=1)
    onsets = np.roll(second.onsets, -transposition, axis=1)
    levels = factors(len(first.chroma), len(other), cells)
    path = np.zeros((0, 2), np.int64)
    for number, factor in enumerate(levels):
        fine = factor == 1
        a = first.chroma if fine else smoothed(first.chroma, factor)
        b = other if fine else smoothed(other, factor)

        def cost(i0: int, i1: int, j0: int, j1: int, a: Array = a, b: Array = b, fine: bool = fine) -> Array:
            chroma = cosine_distance(a[i0:i1], b[j0:j1])
            if not fine:
                return chroma
            return chroma + ONSET_WEIGHT * euclidean_distance(first.onsets[i0:i1], onsets[j0:j1])

        if number == 0:
            path = warp(cost(0, len(a), 0, len(b)))[0]
        else:
            path = refine(path, levels[number - 1] // factor, (len(a), len(b)), cost, cells)
        progress(number + 1, len(levels))
    agreement = float((first.chroma[path[:, 0]] * other[path[:, 1]]).sum(axis=1).mean())
    return Alignment(path, transposition, agreement)


def key_difference(first: Features, second: Features, cells: int = CELLS) -> int:
    """Semitones by which the second version is higher, -5 to 6: the cheapest of twelve coarse alignments."""
    factor = KEY_FRAMES
    while len(first.chroma) * len(second.chroma) > cells // 4 * factor**2:
        factor *= 2
    a, b = smoothed(first.chroma, factor), smoothed(second.chroma, factor)
    prices = [warp(cosine_distance(a, np.roll(b, -shift, axis=1)))[1] for shift in range(12)]
    best = int(np.argmin(prices))
    return best - 12 if best > 6 else best


def cosine_distance(a: Array, b: Array) -> Array:
    """(n, m) of unit vectors (n, 12) and (m, 12)."""
    return np.asarray(1.0 - a @ b.T, np.float32)


def euclidean_distance(a: Array, b: Array) -> Array:
    """(n, m) of vectors (n, 12) and (m, 12)."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
    return np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)
