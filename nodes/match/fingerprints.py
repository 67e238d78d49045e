"""The landmark lane: which recording this is, by votes of peak pairs and triples on one alignment."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.memory import release_mapped
from nodes.match.features import RATE
from nodes.match.landmark_kernels import BASE_HZ, STEPS, strongest, votes
from nodes.match.landmarks import FRAME_RATE, HOP, LEAST, QUERY_FAN, REACH, WINDOW, Constellation
from nodes.match.segment import Segment

Array = npt.NDArray[Any]

#: Steps on which the first peak of a pair may lie.
_PITCHES = 128
#: Seconds of peaks that vote together: to find the recording, and to notice that it jumped.
SPAN, SHORT_SPAN = 6.0, 3.0
#: The query is analysed so many times, each half a hop later than the one before.
SHIFTS = 2
#: Frames of the constellation that count as one alignment.
WIDTH = 3
#: How near to the edge of a frequency step both sides are tried.
ROUNDING = 0.25
#: Votes that are looked at in one update at most.
_LIMIT = 1 << 17
#: Landmarks (of 6 bytes) that are in memory at a time, and variants that are looked up in them together.
_RESIDENT, _TOGETHER = 1 << 20, 6


@dataclass(frozen=True)
class Variant:
    """The query as it would be at the reference's speed and pitch.

    Parameters
    ----------
    pitch : ratio by which the music lies above the reference.
    speed : speed of the music against the reference.
    """

    pitch: float
    speed: float


def variants(reach: float = 0.1) -> tuple[Variant, ...]:
    """As it is; a turntable that runs up to `reach` fast or slow; time stretched; pitch shifted."""
    fine = [n / 50 for n in range(-round(reach * 50), round(reach * 50) + 1) if n]
    coarse = [n / 30 for n in range(-round(reach * 30), round(reach * 30) + 1) if n]
    return (
        Variant(1.0, 1.0),
        *(Variant(1.0 + x, 1.0 + x) for x in fine),
        *(Variant(1.0, 1.0 + x) for x in coarse),
        *(Variant(1.0 + x, 1.0) for x in coarse),
    )


@dataclass(frozen=True)
class Alignment:
    """An alignment of the music with a recording.

    Parameters
    ----------
    segment, document : numbers in the library's segments, and of the document in its segment.
    seconds : of the recording that sound at the time of the update.
    variant : pitch and speed.
    votes : 1 for each pair of peaks, 3 for each triple.
    """

    segment: int
    document: int
    seconds: float
    variant: Variant
    votes: float


class Fingerprints:
    """Peaks of what sounds, looked up in all segments."""

    def __init__(self, segments: Sequence[Segment], tried: Sequence[Variant]) -> None:
        self._segments = tuple(segments)
        self._starts = [
            np.array([d.landmark_start for d in segment.documents], np.int64) for segment in self._segments
        ]
        self._parts = [_parts(segment.buckets) for segment in self._segments]
        self._tried = tuple(tried)
        self._offsets = np.zeros((_TOGETHER, _LIMIT), np.int64)
        self._weights = np.zeros((_TOGETHER, _LIMIT), np.float32)
        self._best_offsets = np.zeros(2, np.int64)
        self._best_weights = np.zeros(2, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        self._pickers = [Constellation() for _ in range(SHIFTS)]
        self._peaks: list[deque[tuple[float, float]]] = [deque() for _ in range(SHIFTS)]
        self._tail = np.zeros(HOP, np.float32)
        self._last = self._tried[0]
        self.hops = 0

    def push(self, hop: Array) -> None:
        """Take HOP samples at 22,050 Hz."""
        both = np.concatenate([self._tail, hop])
        for n, (picker, peaks) in enumerate(zip(self._pickers, self._peaks, strict=True)):
            late = n * HOP // SHIFTS  # this analysis is given what sounded `late` samples ago
            [(frame, steps)] = picker.push(both[HOP - late : 2 * HOP - late])
            peaks.extend((frame - late / HOP, float(step)) for step in steps)
            while peaks and peaks[0][0] < frame - SPAN * FRAME_RATE:
                peaks.popleft()
        self._tail[:] = hop
        self.hops += 1

    def best(self, *, all_variants: bool = True, span: float = SPAN) -> list[Alignment]:
        """The alignments with most votes, two per variant and segment, best first.

        all_variants : try all, or only the first and the one that was best last time.
        span : seconds of peaks that vote.
        """
        since = self.hops - span * FRAME_RATE
        tried = self._tried if all_variants else tuple(dict.fromkeys((self._tried[0], self._last)))
        found = []
        queries = [
            (
                np.array([t for t, _ in peaks if t >= since]),
                np.array([s for t, s in peaks if t >= since], np.float32),
            )
            for peaks in self._peaks
        ]
        for number in range(len(self._segments)):
            for first in range(0, len(tried), _TOGETHER):
                found += self._align(number, tried[first : first + _TOGETHER], queries)
        found.sort(key=lambda alignment: -alignment.votes)
        if found:
            self._last = found[0].variant
        return found

    def constellation(self, alignment: Alignment) -> tuple[Array, Array, Array]:
        """What sounds: seconds (n,) of its peaks, their Hz, and whether each begins a pair that votes so."""
        segment = self._segments[alignment.segment]
        pitch = -STEPS * float(np.log2(alignment.variant.pitch))
        speed = alignment.variant.speed
        start = int(self._starts[alignment.segment][alignment.document])
        frame = (alignment.seconds * RATE - HOP + WINDOW / 2) / HOP
        offset = start + frame - (self.hops - 1 + WINDOW / 2 / HOP) * speed
        times = np.array([t for t, _ in self._peaks[0]])
        steps = np.array([s for _, s in self._peaks[0]], np.float32)
        votes_so = np.zeros(len(times), bool)
        behind = 0  # votes of the pairs that begin later: those of a peak come first
        for n in range(len(times) - 1, -1, -1):
            count = votes(
                times[n:],
                steps[n:],
                QUERY_FAN,
                LEAST,
                REACH,
                pitch,
                speed,
                ROUNDING,
                0,
                _PITCHES,
                segment.buckets,
                segment.rests,
                segment.places,
                0,
                self._offsets[0],
                self._weights[0],
            )
            votes_so[n] = bool((np.abs(self._offsets[0, : count - behind] - offset) <= WIDTH).any())
            behind = count
        return times * HOP / RATE, BASE_HZ * 2.0 ** (steps / STEPS), votes_so

    def _align(
        self, number: int, tried: Sequence[Variant], queries: list[tuple[Array, Array]]
    ) -> list[Alignment]:
        """The two alignments of each variant with most votes in one segment."""
        segment = self._segments[number]
        counts = [0] * len(tried)
        for low, high in self._parts[number]:
            for v, variant in enumerate(tried):
                for times, steps in queries:
                    counts[v] = votes(
                        times,
                        steps,
                        QUERY_FAN,
                        LEAST,
                        REACH,
                        -STEPS * float(np.log2(variant.pitch)),
                        variant.speed,
                        ROUNDING,
                        low,
                        high,
                        segment.buckets,
                        segment.rests,
                        segment.places,
                        counts[v],
                        self._offsets[v],
                        self._weights[v],
                    )
            release_mapped(segment.rests)
            release_mapped(segment.places)
        alignments = []
        for v, variant in enumerate(tried):
            alignments += self._strongest(
                number, variant, self._offsets[v, : counts[v]], self._weights[v, : counts[v]]
            )
        return alignments

    def _strongest(self, number: int, variant: Variant, offsets: Array, weights: Array) -> list[Alignment]:
        """The two alignments of one variant with most votes."""
        segment = self._segments[number]
        found = strongest(offsets, weights, WIDTH, self._best_offsets, self._best_weights)
        # The last sample heard is half a window behind the centre of the frame that it completes.
        now = self.hops - 1 + WINDOW / 2 / HOP
        alignments = []
        for n in range(found):
            place = int(self._best_offsets[n]) + now * variant.speed
            document = int(np.searchsorted(self._starts[number], place, side="right")) - 1
            if document < 0:
                continue
            frame = place - int(self._starts[number][document])
            seconds = (frame * HOP + HOP - WINDOW / 2) / RATE
            if 0.0 <= seconds <= segment.documents[document].seconds + 1.0:
                weight = float(self._best_weights[n])
                alignments.append(Alignment(number, document, seconds, variant, weight))
        return alignments


def _parts(buckets: Array) -> list[tuple[int, int]]:
    """Ranges of steps whose landmarks together are `_RESIDENT` at most; a single step may be more."""
    ends = buckets[:: (len(buckets) - 1) // _PITCHES].astype(np.int64)
    parts = []
    low = 0
    for high in range(1, _PITCHES + 1):
        if high == _PITCHES or ends[high + 1] - ends[low] > _RESIDENT:
            parts.append((low, high))
            low = high
    return parts


def rival_votes(alignments: Sequence[Alignment]) -> float:
    """Votes of the best alignment that is another place than the first one's; 0 if there is none."""
    if not alignments:
        return 0.0
    first = alignments[0]
    return max(
        (
            other.votes
            for other in alignments
            if (other.segment, other.document) != (first.segment, first.document)
            or abs(other.seconds - first.seconds) > 1.0
        ),
        default=0.0,
    )
