"""The gate of the scan: once a second, the documents and keys that the last seconds may belong to.

Every reference has one shingle a second. Those of the music, in every key and at every tempo, are compared
with all of them; each document counts with its best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.memory import release_mapped
from nodes.match import shingle_network
from nodes.match.features import FRAME_RATE
from nodes.match.neighbours import Hnsw, KdTree, neighbours
from nodes.match.shingles import shingles, time_pitch

Array = npt.NDArray[Any]

#: Shingles a second.
PER_SECOND = 1.0


@dataclass(frozen=True)
class Kind:
    """A kind of shingle.

    Parameters
    ----------
    seconds, cells : its length, and into how many it is cut.
    shorten : vectors (n, 12 cells) to (n, dimensions), of length 1 at most.
    dimensions : numbers of it that are compared.
    """

    seconds: float
    cells: int
    shorten: Callable[[Array], Array]
    dimensions: int


_PROJECTION = time_pitch(4, 3)
#: 4 s, three cosines over time, harmonics over the circle of semitones: what a library keeps.
SHORT = Kind(4.0, 4, _PROJECTION, len(_PROJECTION.axes))
#: 20 s through the trained network.
NETWORK = Kind(
    shingle_network.SECONDS,
    shingle_network.CELLS,
    shingle_network.ShingleNetwork(),
    shingle_network.DIMENSIONS,
)
#: By the names that users give them.
KINDS = {"short": SHORT, "network": NETWORK}
#: Updates in which one look at all references is done, part by part.
ROUND = 5
#: Neighbours of each query that an index is asked for.
NEIGHBOURS = 50
#: Pairs of document and key that are proposed at a time.
PROPOSED = 192
#: Shingles that are compared at a time.
_BLOCK = 1 << 14


def indexed(frames: Array, kind: Kind = SHORT) -> Array:
    """The shingles (m, dimensions) int8 of a document's frames (n, 12) int8, 127 for 1; m may be 0."""
    length = kind.seconds * FRAME_RATE
    ends = np.arange(length, len(frames) + 1e-6, FRAME_RATE / PER_SECOND)
    if not len(ends):
        return np.zeros((0, kind.dimensions), np.int8)
    found = shingles(frames, ends, length, kind.cells)
    return np.round(kind.shorten(found[found.any(axis=1)]) * 127.0).astype(np.int8)


class Asker:
    """Asks once a second for documents and keys that the last seconds fit; subclasses know where to look.

    Parameters
    ----------
    keys, tempi : what is tried.
    count : (document, key) pairs that are proposed at a time.
    kind : of shingle.
    """

    def __init__(self, keys: Sequence[int], tempi: Array, count: int, kind: Kind = SHORT) -> None:
        self._keys = tuple(keys)
        self._tempi = tempi
        self._count = count
        self._kind = kind
        longest = int(np.ceil(kind.seconds * FRAME_RATE / float(tempi[0])))
        self._ring = np.zeros((longest + 1, 12), np.float32)
        self._queries = np.zeros((len(tempi) * len(self._keys), kind.dimensions), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        self._ring[:] = 0.0
        self._updates = 0

    def push(self, frame: Array) -> list[tuple[int, int]]:
        """Take one query frame (12,); at the end of a round the (document, number of the key), best first."""
        self._ring[:-1] = self._ring[1:]
        self._ring[-1] = frame
        step = self._updates % ROUND
        self._updates += 1
        if step == 0:
            self._ask()
        self._search(step)
        return self._proposals() if step == ROUND - 1 and self._queries.any() else []

    def _ask(self) -> None:
        """The queries of this round: (tempo, key) by rows."""
        end = np.array([len(self._ring)])
        kind = self._kind
        for t, tempo in enumerate(self._tempi):
            shingle = shingles(self._ring, end, kind.seconds * FRAME_RATE / float(tempo), kind.cells)[0]
            for k, key in enumerate(self._keys):
                turned = np.roll(shingle.reshape(kind.cells, 12), -key, axis=1).reshape(1, -1)
                asks = shingle.any()  # a network makes something of nothing as well
                self._queries[t * len(self._keys) + k] = kind.shorten(turned)[0] if asks else 0.0

    def _search(self, step: int) -> None:
        """Do a part of the search, the `step`-th of ROUND."""
        raise NotImplementedError

    def _proposals(self) -> list[tuple[int, int]]:
        """What came out, best first."""
        raise NotImplementedError


class Gate(Asker):
    """Compares the last seconds with all references in memory.

    Parameters
    ----------
    parts : shingles of documents, each (m, dimensions) int8 one document after another.
    counts : for each part, how many shingles each of its documents has.
    method : "exact", "kdtree" or "hnsw" (see `neighbours`).
    keys, tempi, count, kind : see `Asker`.
    """

    def __init__(
        self,
        parts: Sequence[Array],
        counts: Sequence[Array],
        keys: Sequence[int],
        tempi: Array,
        method: str = "exact",
        count: int = PROPOSED,
        kind: Kind = SHORT,
    ) -> None:
        self._parts = tuple(parts)
        self._counts = np.concatenate([np.zeros(0, np.int64), *counts]).astype(np.int64)
        self._blocks = _blocks(parts, counts)
        self._index: KdTree | Hnsw | None = None
        if method != "exact" and self._counts.sum():
            every = np.concatenate(parts).astype(np.float32) / np.float32(127.0)
            index = neighbours(method, every)
            assert isinstance(index, KdTree | Hnsw)
            self._index = index
            self._owners = np.repeat(np.arange(len(self._counts)), self._counts)
        self._best = np.zeros((len(self._counts), len(keys)), np.float32)
        super().__init__(keys, tempi, count, kind)

    def _search(self, step: int) -> None:
        if step == 0:
            self._best[:] = 0.0
        if self._index is None:
            share = range(step * len(self._blocks) // ROUND, (step + 1) * len(self._blocks) // ROUND)
            for block in share:
                self._compare(*self._blocks[block])
            for part in self._parts:
                release_mapped(part)
        elif step == ROUND - 1:
            self._look_up(self._index)

    def _compare(self, vectors: Array, documents: Array, starts: Array) -> None:
        """Write how alike the best shingle of each document is, over the tempi."""
        alike = self._queries @ (vectors.T.astype(np.float32) / np.float32(127.0))
        best = np.maximum.reduceat(alike, starts, axis=1)
        best = best.reshape(len(self._tempi), len(self._keys), -1).max(axis=0)
        # A long document lies in several blocks.
        self._best[documents] = np.maximum(self._best[documents], best.T)

    def _look_up(self, index: KdTree | Hnsw) -> None:
        numbers, distances = index.search(self._queries, NEIGHBOURS)
        for query, (found, far) in enumerate(zip(numbers, distances, strict=True)):
            key = query % len(self._keys)
            for number, distance in zip(found[found >= 0], far[found >= 0], strict=True):
                document = self._owners[number]
                self._best[document, key] = max(self._best[document, key], 1.0 / (1.0 + distance))

    def _proposals(self) -> list[tuple[int, int]]:
        flat = self._best.ravel()
        count = min(self._count, len(flat))
        if not count:
            return []
        top = np.argpartition(-flat, count - 1)[:count]
        top = top[np.lexsort((top, -flat[top]))]
        return [divmod(int(pair), len(self._keys)) for pair in top if flat[pair] > 0.0]


class Gates:
    """Several gates; what they propose is put together, the first one's first."""

    def __init__(self, gates: Sequence[Asker]) -> None:
        self._gates = tuple(gates)

    def reset(self) -> None:
        """Forget the music."""
        for gate in self._gates:
            gate.reset()

    def push(self, frame: Array) -> list[tuple[int, int]]:
        """As `Asker.push`."""
        proposed = [gate.push(frame) for gate in self._gates]
        return list(dict.fromkeys(pair for pairs in proposed for pair in pairs))


def _blocks(parts: Sequence[Array], counts: Sequence[Array]) -> list[tuple[Array, Array, Array]]:
    """Pieces of the parts: vectors, the documents that have some, and where in the piece each begins."""
    blocks = []
    before = 0
    for vectors, count in zip(parts, counts, strict=True):
        owners = np.repeat(np.arange(len(count)) + before, count)
        before += len(count)
        for start in range(0, len(vectors), _BLOCK):
            documents, starts = np.unique(owners[start : start + _BLOCK], return_index=True)
            blocks.append((vectors[start : start + _BLOCK], documents, starts))
    return blocks
