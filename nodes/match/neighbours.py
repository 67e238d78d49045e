"""Nearest neighbours of vectors: exactly, by a k-d tree, or by a small-world graph (HNSW)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError

Array = npt.NDArray[Any]

#: Ways to search, as `neighbours` takes them.
METHODS = ("exact", "kdtree", "hnsw")
#: Edges of a node of the graph, candidates while it is built, and candidates of a query.
EDGES, BUILD, CANDIDATES = 16, 100, 40
#: Vectors compared at a time by the exact search.
_BLOCK = 1 << 15


class Exact:
    """Compares a query with every vector.

    Parameters
    ----------
    vectors : (n, d) float32.
    """

    def __init__(self, vectors: Array) -> None:
        self._vectors = vectors
        self._squares = np.einsum("nd,nd->n", vectors, vectors)

    def search(self, queries: Array, count: int) -> tuple[Array, Array]:
        """The nearest of each query (q, d): numbers (q, count) and squared distances, nearest first."""
        count = min(count, len(self._vectors))
        numbers = np.zeros((len(queries), 0), np.int64)
        distances = np.zeros((len(queries), 0), np.float32)
        for start in range(0, len(self._vectors), _BLOCK):
            block = slice(start, start + _BLOCK)
            found = self._squares[block] - 2.0 * (queries @ self._vectors[block].T)
            near = np.argpartition(found, min(count, found.shape[1]) - 1, axis=1)[:, :count]
            distances = np.concatenate([distances, np.take_along_axis(found, near, axis=1)], axis=1)
            numbers = np.concatenate([numbers, near + start], axis=1)
            best = np.argsort(distances, axis=1, kind="stable")[:, :count]
            distances = np.take_along_axis(distances, best, axis=1)
            numbers = np.take_along_axis(numbers, best, axis=1)
        return numbers, np.maximum(distances + np.einsum("qd,qd->q", queries, queries)[:, None], 0.0)


class KdTree:
    """scipy's k-d tree: exact, quick up to a dozen dimensions. `vectors` : (n, d) float32."""

    def __init__(self, vectors: Array) -> None:
        try:
            from scipy.spatial import cKDTree
        except ImportError:
            raise FollowspotError("the k-d tree needs scipy; install it with `pip install scipy`") from None
        self._tree = cKDTree(vectors)

    def search(self, queries: Array, count: int) -> tuple[Array, Array]:
        """As `Exact.search`."""
        distances, numbers = self._tree.query(queries, k=np.arange(1, min(count, self._tree.n) + 1))
        return numbers.astype(np.int64), (distances**2).astype(np.float32)


class Hnsw:
    """faiss's hierarchical small-world graph (Malkov and Yashunin 2018): approximate.

    Parameters
    ----------
    vectors : (n, d) float32.
    candidates : more find more of the true neighbours, and take longer.
    coarse : numbers are kept in 8 bits within the range they have in `vectors`: for candidates that are
        compared again.
    """

    def __init__(self, vectors: Array, candidates: int = CANDIDATES, *, coarse: bool = False) -> None:
        try:
            import faiss
        except ImportError:
            raise FollowspotError(
                "HNSW needs faiss; install it with `pip install 'followspot[index]'`"
            ) from None
        faiss.omp_set_num_threads(1)  # the engine's threads are its own
        if coarse:
            self._index = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, EDGES)
            self._index.train(np.ascontiguousarray(vectors))
        else:
            self._index = faiss.IndexHNSWFlat(vectors.shape[1], EDGES)
        self._index.hnsw.efConstruction = BUILD
        self.add(vectors)
        self.candidates = candidates

    def add(self, vectors: Array) -> None:
        """Take more vectors (m, d); they are numbered on."""
        self._index.add(np.ascontiguousarray(vectors))

    def __len__(self) -> int:
        """Vectors in the graph."""
        return int(self._index.ntotal)

    @property
    def candidates(self) -> int:
        """Candidates of a query."""
        return int(self._index.hnsw.efSearch)

    @candidates.setter
    def candidates(self, count: int) -> None:
        self._index.hnsw.efSearch = count

    def search(self, queries: Array, count: int) -> tuple[Array, Array]:
        """As `Exact.search`; -1 where the graph gave fewer."""
        distances, numbers = self._index.search(np.ascontiguousarray(queries), count)
        return numbers, distances


class Reranked:
    """A graph over few of their dimensions whose candidates are compared in all: approximate.

    For vectors of a hundred dimensions and more, where a graph spends its time on fetching them.

    Parameters
    ----------
    vectors : (n, D) float32.
    projection : vectors (m, D) to (m, d).
    graph : over the projected vectors; as many candidates as it has are compared.
    """

    def __init__(self, vectors: Array, projection: Callable[[Array], Array], graph: Hnsw) -> None:
        self._vectors, self._projection, self._graph = vectors, projection, graph

    def search(self, queries: Array, count: int) -> tuple[Array, Array]:
        """As `Hnsw.search`."""
        candidates = self._graph.search(self._projection(queries), max(count, self._graph.candidates))[0]
        away = self._vectors[candidates] - queries[:, None]
        distances = np.einsum("qnd,qnd->qn", away, away)
        distances[candidates < 0] = np.inf
        best = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(candidates, best, axis=1), np.take_along_axis(distances, best, axis=1)


def neighbours(method: str, vectors: Array) -> Exact | KdTree | Hnsw:
    """An index of vectors (n, d) float32: "exact", "kdtree" or "hnsw"."""
    return {"exact": Exact, "kdtree": KdTree, "hnsw": Hnsw}[method](vectors)
