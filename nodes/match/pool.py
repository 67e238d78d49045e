"""The scan over what the gate lets in: documents in the keys that were proposed, not all in all keys."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from nodes.match.gate import Asker, Gates
from nodes.match.scan import Part, Peak, Scan
from nodes.match.updates import PERFORMANCE, TEMPI, Law, Update, Updates

Array = npt.NDArray[Any]

#: Pairs of document and key that are kept, and those let in in one update.
ROOM, ADMITTED = 600, 40
#: Updates of the past that a newcomer is taken through: 10 s.
MEMORY = 50


class Pool:
    """As `Scan`, for big libraries: what the gate does not propose has no evidence.

    Parameters
    ----------
    frames_of : the frames (12, n) int8 of a document by its number.
    spread : of unrelated frames (see `unrelated_spread`).
    keys : transpositions to try.
    gate : proposes documents and keys.
    expected : documents that are always in it, in every key (a set list).
    """

    def __init__(
        self,
        frames_of: Callable[[int], Array],
        spread: Array,
        keys: Sequence[int],
        gate: Asker | Gates,
        expected: Collection[int] = (),
    ) -> None:
        self.keys = tuple(keys)
        self.tempi = TEMPI
        self._gate = gate
        self._frames_of = frames_of
        self._spread = spread
        self._updates = Updates(self.keys, TEMPI, PERFORMANCE, self._spread)
        #: Frames that some scan of the pool goes over, in whatever key.
        self._frames: WeakValueDictionary[int, Array] = WeakValueDictionary()
        self._expected = {(document, k) for document in expected for k in range(len(self.keys))}
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        self._updates.reset()
        self._gate.reset()
        self._past: deque[list[Update]] = deque(maxlen=MEMORY)
        self._scans: dict[tuple[int, int], Scan] = {}
        self._waiting: list[tuple[int, int]] = []
        for pair in sorted(self._expected):
            self._admit(*pair)

    def push(self, frame: Array) -> None:
        """Take one query frame (12,), L2 norm 1; a frame of zeros changes nothing."""
        if not frame.any():
            return
        now = self._updates.of(frame)
        by_key = [
            Update(np.ascontiguousarray(now.queries[k : k + 1]), now.steps, now.law, now.weight)
            for k in range(len(self.keys))
        ]
        self._past.append(by_key)
        for (_, k), scan in self._scans.items():
            scan.advance(by_key[k])
        proposed = self._gate.push(frame)
        if proposed:
            self._waiting = [pair for pair in proposed if pair not in self._scans]
        for pair in self._waiting[:ADMITTED]:
            self._admit(*pair)
        del self._waiting[:ADMITTED]
        guests = len(self._scans) - len(self._expected)
        if guests > ROOM:
            weakest = sorted(
                (pair for pair in self._scans if pair not in self._expected),
                key=lambda pair: float(self._scans[pair].document_scores()[0]),
            )
            for pair in weakest[: guests - ROOM]:
                del self._scans[pair]

    def _admit(self, document: int, k: int) -> None:
        scan = self.of_document(document, self.keys[k], PERFORMANCE)
        for by_key in self._past:
            scan.advance(by_key[k])
        self._scans[document, k] = scan

    def document_scores(self) -> Array:
        """Highest evidence in every document up to the last in the pool; 0 where it is not in it."""
        scores = np.zeros(1 + max((document for document, _ in self._scans), default=-1), np.float32)
        for (document, _), scan in self._scans.items():
            scores[document] = max(scores[document], scan.document_scores()[0])
        return scores

    def rival(self, peak: Peak) -> float:
        """The best evidence for any other document in any other key (see `Scan.rival`)."""
        return max(
            (
                float(scan.document_scores()[0])
                for (document, k), scan in self._scans.items()
                if document != peak.document and self.keys[k] != peak.key
            ),
            default=0.0,
        )

    def peak(self, document: int) -> Peak:
        """Where in a document of the pool the evidence is highest."""
        peaks = (scan.peak(0) for (owner, _), scan in self._scans.items() if owner == document)
        return replace(max(peaks, key=lambda peak: peak.score), document=document)

    def peak_near(self, document: int, key: int, frame: float, reach: int) -> Peak | None:
        """The highest evidence within +-reach frames of `frame`, in one key."""
        scan = self._scans.get((document, self.keys.index(key))) if key in self.keys else None
        found = None if scan is None else scan.peak_near(0, key, frame, reach)
        return None if found is None else replace(found, document=document)

    def curves(self, document: int, key: int) -> Array:
        """As `Scan.curves`, of a document and key in the pool."""
        return self._scans[document, self.keys.index(key)].curves(0, key)

    def frames_of(self, document: int) -> Array:
        """The frames (12, n) int8 of a document."""
        frames = self._frames.get(document)
        if frames is None:
            self._frames[document] = frames = self._frames_of(document)
        return frames

    def of_document(self, document: int, key: int, law: Law) -> Scan:
        """A scan of one document in one key, beginning now."""
        frames = self.frames_of(document)
        alone = Part(frames, np.zeros(1, np.int64), np.array([frames.shape[1]], np.int64))
        return Scan([alone], (key,), law=law, spread=self._spread)
