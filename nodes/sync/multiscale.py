"""Memory-restricted multi-scale dynamic time warping (MrMsDTW).

Prätzlich, Driedger, Müller, "Memory-restricted multiscale dynamic time warping", ICASSP 2016: a warping path
found at a coarse resolution gives anchors; between them the path is sought again, finer, in rectangles none
of which is larger than a given number of cells; then once more in rectangles that straddle the anchors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.sync.dtw_kernels import BOTH, FIRST, accumulate

Array = npt.NDArray[Any]
#: Cost (n, m) between frames [i0, i1) of the first version and [j0, j1) of the second.
Cost = Callable[[int, int, int, int], Array]

#: Largest number of cells whose cost is held at once: 4 bytes of cost and 1 of steps for each.
CELLS = 4_000_000
#: Weights of steps along both versions, the first, the second.
WEIGHTS = (2.0, 1.5, 1.5)


def warp(cost: Array) -> tuple[Array, float]:
    """Plain dynamic time warping: path (steps, 2) from the first to the last cell, and its price."""
    steps = np.empty(cost.shape, np.uint8)
    cost = np.ascontiguousarray(cost, np.float32)
    price = accumulate(cost, steps, *(np.float32(weight) for weight in WEIGHTS))
    i, j = cost.shape[0] - 1, cost.shape[1] - 1
    path = [(i, j)]
    while i or j:
        step = steps[i, j]
        if step == BOTH:
            i, j = i - 1, j - 1
        elif step == FIRST:
            i -= 1
        else:
            j -= 1
        path.append((i, j))
    return np.array(path[::-1], np.int64), float(price)


def factors(first: int, second: int, cells: int = CELLS) -> list[int]:
    """Frames per frame of every level, coarse to fine; the coarsest has at most `cells` cells."""
    found = [1]
    while -(-first // found[0]) * -(-second // found[0]) > cells:
        found.insert(0, found[0] * 5)
    return found


def refine(path: Array, ratio: int, shape: tuple[int, int], cost: Cost, cells: int = CELLS) -> Array:
    """The path of the next finer level.

    Parameters
    ----------
    path : (steps, 2) at the coarser level.
    ratio : fine frames per coarse frame.
    shape : frames of both versions at the finer level.
    cost : of a rectangle of it.
    cells : no rectangle is larger.
    """
    last = np.array(shape) - 1
    guide = np.minimum(path * ratio + ratio // 2, last)
    guide = np.concatenate([[[0, 0]], guide[(guide > 0).all(axis=1) & (guide < last).all(axis=1)], [last]])
    anchors = _anchors(guide, cells)
    pieces = [_between(a, b, cost) for a, b in itertools.pairwise(anchors)]
    if len(pieces) == 1:
        return pieces[0]
    # The path was forced through the anchors: seek it anew from middle to middle of the pieces.
    middles = [_middle(piece) for piece in pieces]
    found = [pieces[0][: middles[0] + 1]]
    for k in range(len(pieces) - 1):
        start, stop = pieces[k][middles[k]], pieces[k + 1][middles[k + 1]]
        # Halves of two full rectangles may be as large as both together where the path is bent.
        inner = _anchors(
            np.concatenate([pieces[k][middles[k] :], pieces[k + 1][: middles[k + 1] + 1]]), cells
        )
        assert (inner[0] == start).all() and (inner[-1] == stop).all()
        found += [_between(a, b, cost)[1:] for a, b in itertools.pairwise(inner)]
    found.append(pieces[-1][middles[-1] + 1 :])
    return np.concatenate(found)


def _anchors(guide: Array, cells: int) -> list[Array]:
    """Points of the guide between which no rectangle has more than `cells` cells."""
    anchors = [guide[0]]
    at = 0
    while at < len(guide) - 1:
        sides = guide[at + 1 :] - guide[at] + 1
        fits = int(np.searchsorted(sides[:, 0] * sides[:, 1], cells, "right"))
        at += max(1, fits)
        anchors.append(guide[at])
    return anchors


def _between(start: Array, stop: Array, cost: Cost) -> Array:
    """The path in the rectangle of two points, both included."""
    i, j = start
    return warp(cost(int(i), int(stop[0]) + 1, int(j), int(stop[1]) + 1))[0] + start


def _middle(piece: Array) -> int:
    """Row of a path that lies half way along it."""
    way = piece.sum(axis=1)
    return int(np.searchsorted(way, (way[0] + way[-1]) / 2))
