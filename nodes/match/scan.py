"""The incremental scan: all references, all tempi, all keys, one query frame at a time.

For every key, tempo and reference frame it keeps one number, the evidence that the music has just arrived
there, and advances all of them by one step per query frame (see `scan_kernels.scan`). Cost and memory grow
with frames x keys x tempi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match.scan_kernels import SCALE, scan
from nodes.match.updates import PERFORMANCE, TEMPI, Law, Update, Updates

Array = npt.NDArray[Any]


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
    score : evidence, less the price of the tempo.
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
    law : how evidence adds up (default: `PERFORMANCE`).
    spread : of unrelated frames (see `unrelated_spread`), if not that of the parts.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        keys: Sequence[int] = (0,),
        tempi: Array = TEMPI,
        law: Law | None = None,
        spread: Array | None = None,
    ) -> None:
        self.parts = tuple(parts)
        self.keys = tuple(keys)
        self.tempi = np.asarray(tempi, np.float64)
        lanes = len(self.keys) * len(self.tempi)
        self._scores = [np.zeros((lanes, part.frames.shape[1]), np.int16) for part in self.parts]
        counts = [len(part.starts) for part in self.parts]
        self._bests = [np.zeros((count, lanes), np.int16) for count in counts]
        self._firsts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._spread = unrelated_spread(self.parts) if spread is None else spread
        law = law or PERFORMANCE
        self.updates = Updates(self.keys, self.tempi, law, self._spread)
        prices = np.array(law.tempo_prices or np.zeros(len(self.tempi)))
        self._prices = np.round(prices * SCALE).astype(np.int16)
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        for array in (*self._scores, *self._bests):
            array[:] = 0
        self.updates.reset()

    def push(self, frame: Array) -> None:
        """Take one query frame (12,), L2 norm 1; a frame of zeros changes nothing."""
        if not frame.any():
            return
        self.advance(self.updates.of(frame))

    def advance(self, now: Update) -> None:
        """Take one update of the same keys and tempi."""
        for part, score, best in zip(self.parts, self._scores, self._bests, strict=True):
            scan(
                part.frames,
                part.starts,
                part.lengths,
                now.queries,
                now.steps,
                now.law,
                self._prices,
                score,
                best,
            )

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
        priced = window - self._prices[:, None]
        lane, place = np.unravel_index(int(priced.argmax()), window.shape)
        row = score[first + int(lane), start : start + length]
        return self._peak_at(document, first + int(lane), row, low + int(place))

    def curves(self, document: int, key: int) -> Array:
        """Matching curves (R, frames) of a document in one key: the evidence at every place, by tempo."""
        part, score, local = self._locate(document)
        start, length = int(part.starts[local]), int(part.lengths[local])
        first = self.keys.index(key) * len(self.tempi)
        return score[first : first + len(self.tempi), start : start + length] / np.float32(SCALE)

    def frames_of(self, document: int) -> Array:
        """The frames (12, n) int8 of a document."""
        part, _, local = self._locate(document)
        start, length = int(part.starts[local]), int(part.lengths[local])
        return part.frames[:, start : start + length]

    def of_document(self, document: int, key: int, law: Law) -> Scan:
        """A scan of one document in one key, beginning now."""
        frames = np.ascontiguousarray(self.frames_of(document))
        alone = Part(frames, np.zeros(1, np.int64), np.array([frames.shape[1]], np.int64))
        return Scan([alone], (key,), self.tempi, law, self._spread)

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
        score = max(0.0, score - float(self._prices[tempo]) / SCALE)
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
