"""All documents in the written key, and in the other keys what the gate proposes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match.pool import Pool
from nodes.match.scan import Peak, Scan
from nodes.match.updates import Law

Array = npt.NDArray[Any]


class Layers:
    """As `Scan`, for libraries whose documents can all be scanned in one key, but not in twelve.

    Parameters
    ----------
    whole : all documents in one key.
    pool : the other keys.
    """

    def __init__(self, whole: Scan, pool: Pool) -> None:
        self.keys = (*whole.keys, *pool.keys)
        self.tempi = whole.tempi
        self._whole, self._pool = whole, pool

    def reset(self) -> None:
        """Forget the music."""
        self._whole.reset()
        self._pool.reset()

    def push(self, frame: Array) -> None:
        """Take one query frame (12,), L2 norm 1; a frame of zeros changes nothing."""
        self._whole.push(frame)
        self._pool.push(frame)

    def document_scores(self) -> Array:
        """Highest evidence in every document, over all lanes."""
        scores = self._whole.document_scores()
        others = self._pool.document_scores()
        np.maximum(scores[: len(others)], others, out=scores[: len(others)])
        return scores

    def rival(self, peak: Peak) -> float:
        """The best evidence for any other document in any other key (see `Scan.rival`)."""
        others = self._pool.rival(peak)
        return others if peak.key in self._whole.keys else max(others, self._whole.rival(peak))

    def peak(self, document: int) -> Peak:
        """Where in a document the evidence is highest."""
        here = self._whole.peak(document)
        others = self._pool.document_scores()
        if document < len(others) and others[document] > here.score:
            return self._pool.peak(document)
        return here

    def peak_near(self, document: int, key: int, frame: float, reach: int) -> Peak | None:
        """The highest evidence within +-reach frames of `frame`, in one key."""
        layer = self._whole if key in self._whole.keys else self._pool
        return layer.peak_near(document, key, frame, reach)

    def curves(self, document: int, key: int) -> Array:
        """As `Scan.curves`."""
        return (self._whole if key in self._whole.keys else self._pool).curves(document, key)

    def frames_of(self, document: int) -> Array:
        """The frames (12, n) int8 of a document."""
        return self._whole.frames_of(document)

    def of_document(self, document: int, key: int, law: Law) -> Scan:
        """A scan of one document in one key, beginning now."""
        return self._whole.of_document(document, key, law)
