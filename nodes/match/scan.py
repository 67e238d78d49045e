"""The incremental scan: all references, all tempi, all keys, one query frame at a time.

For every key, tempo and reference frame it keeps one number, the
evidence that the music has just arrived there, and advances all of them by one step per query frame (see
`scan_kernels.scan`). Cost and memory grow with frames x keys x tempi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match.scan_kernels import SCALE, scan

Array = npt.NDArray[Any]

#: Speeds of the music against a reference: 0.67 to 1.49 in five steps.
TEMPI: Array = np.exp(np.linspace(-0.4, 0.4, 5))

#: Frames of a second.
_SECOND = 5


@dataclass(frozen=True)
class Law:
    """How likeness becomes evidence, per frame of 0.2 s.

    Parameters
    ----------
    threshold : likeness, in standard deviations of what unrelated frames have, that counts for nothing.
    least, most : evidence of one frame lies between them.
    keep : share of the past that is kept from frame to frame.
    price : of one frame off the lane's tempo.
    drift_every : updates between those in which a frame may be won or lost.
    full_change : a query frame counts in full if it differs so much (1 - correlation) from that of a second
        ago, and down to `held_weight` if it does not: a chord held for long says no more than a short one.
    leak_with_change : a frame that counts little makes little be forgotten.
    """

    threshold: float = 2.0
    least: float = -1.0
    most: float = 2.0
    keep: float = 0.99
    price: float = 0.1
    drift_every: int = 5
    full_change: float = 0.5
    held_weight: float = 0.2
    leak_with_change: bool = False


@dataclass(frozen=True)
class Part:
    """Frames to be searched: (12, n) int8, document d at starts[d] : starts[d] + lengths[d]."""

    frames: Array
    starts: Array
    lengths: Array


@dataclass(frozen=True)
class Peak:
    """A place in a document where the evidence is highest.

    Parameters
    ----------
    document : its number, counted over all parts.
    frame : reference frame, fractional.
    key : semitones by which the music lies above the reference, -5 to 6.
    tempo : speed of the music against the reference of the best lane.
    score : evidence.
    """

    document: int
    frame: float
    key: int
    tempo: float
    score: float


class Scan:
    """The state of the scan over some parts.

    Parameters
    ----------
    parts : what is searched.
    keys : transpositions to try.
    tempi : speeds to try.
    law : how evidence adds up.
    """

    def __init__(
        self, parts: Sequence[Part], keys: Sequence[int] = (0,), tempi: Array = TEMPI, law: Law | None = None
    ) -> None:
        self.parts = tuple(parts)
        self.keys = tuple(keys)
        self.tempi = np.asarray(tempi, np.float64)
        self.law = law or Law()
        lanes = len(self.keys) * len(self.tempi)
        self._scores = [np.zeros((lanes, part.frames.shape[1]), np.int16) for part in self.parts]
        counts = [len(part.starts) for part in self.parts]
        self._bests = [np.zeros((count, lanes), np.int16) for count in counts]
        self._firsts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._spread = unrelated_spread(self.parts)
        self._queries = np.zeros((len(self.keys), 12), np.int16)
        self._steps = np.zeros(len(self.tempi), np.int64)
        self._law = np.zeros(6, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        for array in (*self._scores, *self._bests):
            array[:] = 0.0
        self._travelled = np.zeros(len(self.tempi))
        self._updates = 0
        self._past = np.zeros((_SECOND, 12), np.float32)

    def push(self, frame: Array) -> None:
        """Take one query frame (12,), L2 norm 1; a frame of zeros changes nothing."""
        if not frame.any():
            return
        for k, key in enumerate(self.keys):
            # Music `key` semitones above the reference is brought down to it.
            self._queries[k] = np.round(np.roll(frame, -key) * 127.0)
        before = np.floor(self._travelled + 0.5)
        self._travelled += self.tempi
        self._steps[:] = np.floor(self._travelled + 0.5) - before
        law = self.law
        spread = float(np.sqrt(np.abs(np.fft.rfft(frame)) ** 2 @ self._spread))
        drifts = self._updates % law.drift_every == 0
        price = law.price if drifts else -1.0
        weight = self._weight(frame)
        self._law[:] = (
            weight / (127.0 * 127.0 * spread),
            -weight * law.threshold,
            weight * law.least,
            weight * law.most,
            1.0 - weight * (1.0 - law.keep) if law.leak_with_change else law.keep,
            price,
        )
        for part, score, best in zip(self.parts, self._scores, self._bests, strict=True):
            scan(part.frames, part.starts, part.lengths, self._queries, self._steps, self._law, score, best)
        self._updates += 1

    def _weight(self, frame: Array) -> float:
        """How much the frame counts, by how much it differs from that of a second ago."""
        change = 1.0 - float(frame @ self._past[0])
        self._past[:-1] = self._past[1:]
        self._past[-1] = frame
        return max(self.law.held_weight, min(1.0, change / self.law.full_change))

    def document_scores(self) -> Array:
        """Highest evidence in every document, over all lanes."""
        none = np.zeros(0, np.int16)
        return np.concatenate([none, *(best.max(axis=1) for best in self._bests)]).astype(np.float32) / SCALE

    def rival(self, peak: Peak) -> float:
        """The best evidence for what is certainly something else: any other document in any other key.

        Other performances of the same piece stand in the same key, so they are no rivals. With one key only,
        or one document only, the other documents or the other keys are all there is.
        """
        best = np.concatenate(self._bests)
        if len(self.keys) > 1:
            first = self.keys.index(peak.key) * len(self.tempi)
            best[:, first : first + len(self.tempi)] = 0.0
        if len(best) > 1:
            best[peak.document] = 0.0
        return float(best.max()) / SCALE

    def peak(self, document: int) -> Peak:
        """Where in a document the evidence is highest."""
        part, score, local = self._locate(document)
        start, length = int(part.starts[local]), int(part.lengths[local])
        lane = int(self._bests[self._part_of(document)][local].argmax())
        row = score[lane, start : start + length]
        return self._peak_at(document, lane, row, int(row.argmax()))

    def peak_near(self, document: int, key: int, frame: float, reach: int) -> Peak | None:
        """The highest evidence within +-reach frames of `frame`, in one key."""
        part, score, local = self._locate(document)
        start, length = int(part.starts[local]), int(part.lengths[local])
        low = max(0, round(frame) - reach)
        high = min(length, round(frame) + reach + 1)
        if key not in self.keys or low >= high:
            return None
        first = self.keys.index(key) * len(self.tempi)
        window = score[first : first + len(self.tempi), start + low : start + high]
        lane, place = np.unravel_index(int(window.argmax()), window.shape)
        row = score[first + int(lane), start : start + length]
        return self._peak_at(document, first + int(lane), row, low + int(place))

    def of_document(self, document: int, key: int, law: Law) -> Scan:
        """A scan of one document in one key, beginning now."""
        part, _, local = self._locate(document)
        start, length = int(part.starts[local]), int(part.lengths[local])
        frames = np.ascontiguousarray(part.frames[:, start : start + length])
        alone = Part(frames, np.zeros(1, np.int64), np.array([length], np.int64))
        scan_ = Scan([alone], (key,), self.tempi, law)
        scan_._spread = self._spread
        return scan_

    def _part_of(self, document: int) -> int:
        return int(np.searchsorted(self._firsts, document, side="right")) - 1

    def _locate(self, document: int) -> tuple[Part, Array, int]:
        index = self._part_of(document)
        return self.parts[index], self._scores[index], document - int(self._firsts[index])

    def _peak_at(self, document: int, lane: int, row: Array, place: int) -> Peak:
        score = float(row[place]) / SCALE
        shift = 0.0
        if 0 < place < len(row) - 1:
            before, after = float(row[place - 1]) / SCALE, float(row[place + 1]) / SCALE
            bend = before - 2.0 * score + after
            if bend < 0.0:
                shift = float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
        key, tempo = divmod(lane, len(self.tempi))
        return Peak(document, place + shift, self.keys[key], float(self.tempi[tempo]), score)


def unrelated_spread(parts: Sequence[Part]) -> Array:
    """Weights (7,) such that the dot of a query with unrelated frames has variance |rfft(query)|^2 @ weights.

    Unrelated: any reference frame in any of the 12 keys. Over all rotations the covariance is circulant, so
    it is the power over the harmonics of the circle of semitones; its mean is zero for frames without mean.
    """
    power = np.zeros(7)
    count = 0
    for part in parts:
        every = max(1, part.frames.shape[1] // 20000)
        frames = part.frames[:, ::every].astype(np.float32) / 127.0
        power += (np.abs(np.fft.rfft(frames, axis=0)) ** 2).sum(axis=1)
        count += int(frames.any(axis=0).sum())
    double = np.array([1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0])
    floor = 1e-3  # a library of one chord has no spread at all
    return double * (power / max(count, 1) + floor) / 12.0**2
