"""Audio in, statements out: all lanes over one library, fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.match import features, landmarks
from nodes.match.fingerprints import SHORT_SPAN, SPAN, Fingerprints, rival_votes, variants
from nodes.match.gate import KINDS, PROPOSED, SHORT, Gate, Gates, indexed
from nodes.match.hops import Hops
from nodes.match.hypotheses import (
    ENTER,
    JUMPED,
    LEAVE,
    NEAR,
    SCAN_SLOPE,
    STILL,
    Hypothesis,
    Judge,
    Statement,
    scan_confidence,
    seconded_confidence,
    vote_confidence,
)
from nodes.match.layers import Layers
from nodes.match.library import Library
from nodes.match.path import BestPath
from nodes.match.pool import Pool
from nodes.match.priors import Priors
from nodes.match.ranking import best_peak
from nodes.match.scan import Part, Peak, Scan, unrelated_spread
from nodes.match.segment import Document
from nodes.match.shards import Folders, Stores
from nodes.match.store import Store, StoreGate
from nodes.match.updates import TEMPI, Law
from nodes.match.witness import SPAN as WITNESSED
from nodes.match.witness import Witness

Array = npt.NDArray[Any]

#: All transpositions, nearest first.
KEYS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6)
#: Hours times keys up to which the scan needs no gate.
UNGATED = 240.0
#: The scan of the held document remembers two seconds: it says where the music has just jumped to.
LOCAL = Law(threshold=2.0, keep=0.9, leak_with_change=True)
#: Confidence in a held document whose held place goes on fitting, and the seconds for which that is enough
#: when the document is no longer better than all others.
SUSTAINED, SUPPORT = 0.9, 6.0
#: Documents of the scan that are looked at if a prior may make another than the first the best.
LOOKED_AT = 4
#: Updates between two looks at the landmarks, and between two that try other speeds and pitches.
LANDMARKS_EVERY, VARIANTS_EVERY = 2, 4


class Matcher:
    """Searches a library for what sounds. Feed it with `push`; it makes up its mind 5 times a second.

    Parameters
    ----------
    library : what is searched: folders, or stores.
    keys : transpositions to try, in semitones.
    index : what gates the scan: "none" (everything is scanned), "exact", "kdtree", "hnsw" (see `neighbours`),
        or "auto": none up to `UNGATED` hours times keys; up to as many hours, exact for all keys but the
        first; exact for all above.
    set_list : names of the documents that are expected, in order (see `priors`).
    shingles : what the gate compares: "short" (4 s, in the library), or "network" (those and 20 s through the
        network, made when the library is opened; see `gate.KINDS`).

    Attributes
    ----------
    documents, segments : what is searched, as the lanes number it.
    scan, prints : the lanes.
    witness : has a second look at the best place of the scan.
    judge : makes up the mind.

    Latency: 0.4 s from the sound to the evidence; positions are moved on to the moment they are said.
    """

    def __init__(
        self,
        library: Library | Folders | Store | Stores,
        keys: tuple[int, ...] = KEYS,
        index: str = "auto",
        set_list: Sequence[str] = (),
        shingles: str = "short",
    ) -> None:
        self.documents: list[Document] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self.priors = Priors(library.count, set_list)
        if isinstance(library, Library | Folders):
            self.segments = tuple(library.segments)
            self.scan: Scan | Pool | Layers = self._over_folder(library, keys, index, set_list, shingles)
        elif KINDS[shingles] is not SHORT:
            raise FollowspotError("a store keeps short shingles only: leave `shingles` at short")
        else:
            self.segments = ()
            gate = StoreGate(library, self.documents, keys, TEMPI)
            sample = [Part(f, np.zeros(1, np.int64), np.array([f.shape[1]])) for f in library.sample(50)]
            expected = gate.numbers(set_list)
            self.scan = Pool(
                lambda n: library.frames(self.documents[n].id), unrelated_spread(sample), keys, gate, expected
            )
        self.prints = Fingerprints(self.segments, variants())
        self.witness = Witness()
        self.judge = Judge()
        self.reset()

    def _over_folder(
        self,
        library: Library | Folders,
        keys: tuple[int, ...],
        index: str,
        set_list: Sequence[str],
        shingles: str,
    ) -> Scan | Pool | Layers:
        """The scan of a library in a folder; `documents` are numbered."""
        parts, kept, counts, places = [], [], [], []
        present = {(segment.folder, document.id) for segment, document in library.documents()}
        for s, segment in enumerate(library.segments):
            there = [(segment.folder, document.id) in present for document in segment.documents]
            for d in np.flatnonzero(there):
                self._numbers[s, int(d)] = len(self.documents)
                self.documents.append(segment.documents[d])
                places.append(segment)
            documents = [d for d, is_there in zip(segment.documents, there, strict=True) if is_there]
            starts = np.array([d.start for d in documents], np.int64)
            parts.append(Part(segment.chroma, starts, np.array([d.length for d in documents], np.int64)))
            every = np.array([d.shingle_count for d in segment.documents], np.int64)
            counts.append(every[np.array(there, bool)])
            kept.append(segment.shingles if all(there) else segment.shingles[np.repeat(there, every)])
        hours = library.seconds / 3600
        if index == "none" or (index == "auto" and hours * len(keys) <= UNGATED):
            return Scan(parts, keys)

        def frames_of(number: int) -> Array:
            document = self.documents[number]
            own = slice(document.start, document.start + document.length)
            return np.ascontiguousarray(places[number].chroma[:, own])

        in_one_key = index == "auto" and hours <= UNGATED
        gated = keys[1:] if in_one_key else keys
        method = "exact" if index == "auto" else index
        gate: Gate | Gates = Gate(kept, counts, gated, TEMPI, method)
        kind = KINDS[shingles]
        if kind is not SHORT:
            longer = [indexed(frames_of(n).T, kind) for n in range(len(self.documents))]
            every = np.concatenate([np.zeros((0, kind.dimensions), np.int8), *longer])
            lengths = np.array([len(own) for own in longer], np.int64)
            gate = Gates([gate, Gate([every], [lengths], gated, TEMPI, method, PROPOSED // 2, kind)])
        expected = {number for number, document in enumerate(self.documents) if document.id in set_list}
        pool = Pool(frames_of, unrelated_spread(parts), gated, gate, expected)
        return Layers(Scan(parts, keys[:1]), pool) if in_one_key else pool

    def reset(self) -> None:
        """Forget the music."""
        self.scan.reset()
        self.prints.reset()
        self.witness.reset()
        self.judge.reset()
        self.priors.reset()
        self._query = features.QueryFrames()
        self._hops = Hops(features.HOP)
        self._print_hops = Hops(landmarks.HOP)
        self._heard = 0
        self._updates = 0
        self._alignment: Hypothesis | None = None
        self._attended: tuple[int, int] | None = None
        self._local: Scan | None = None
        self._path: BestPath | None = None
        self._supported_at = 0.0

    def push(self, audio: Array, said_at: float | None = None) -> list[Statement]:
        """Take samples (n,) at 22,050 Hz and say what is new.

        said_at : seconds of the stream at which the statements will be heard; positions hold for that
            moment. Default: as soon as the samples they rest on are in.
        """
        for hop in self._print_hops.push(audio):
            self.prints.push(hop)
        says: list[Statement] = []
        for hop in self._hops.push(audio):
            self._heard += features.HOP
            if self._query.push(hop):
                self.scan.push(self._query.frame)
                self.witness.push(self._query.frame)
                self._updates += 1
                says += self._update(self._heard / features.RATE if said_at is None else said_at)
        return says

    def _update(self, now: float) -> list[Statement]:
        silent = not self._query.frame.any()
        self.priors.hear(self._heard_at(), 1.0 / features.FRAME_RATE, silent=silent)
        if not silent and self._updates % LANDMARKS_EVERY == 0:
            self._alignment = self._listen_to_landmarks()
        alignment = self._alignment.at(now) if self._alignment is not None else None
        best = self._best_of_scan(now)
        if alignment is not None and (best is None or alignment.confidence >= min(best.confidence, ENTER)):
            best = alignment
        self._attend(now, alignment, silent)
        self._see_support(alignment)
        held = self._about_held(now, alignment)
        elsewhere = self._elsewhere(now)
        says = self.judge.update(now, best, held, elsewhere, silent=silent)
        self._remember(says)
        return says

    def _remember(self, says: list[Statement]) -> None:
        """Tell the priors what is held, and what is no more."""
        for statement in says:
            found = statement.hypothesis
            if found is not None and statement.kind == "match":
                self.priors.hold(self.documents[found.document].id)
            elif statement.kind == "lost":
                self.priors.lose(self._heard_at())

    def _attend(self, now: float, alignment: Hypothesis | None, silent: bool) -> None:
        """Keep a scan with a short memory, and the best path, on the document that is held."""
        held = self.judge.held
        about = None if held is None else (held.document, held.transposition)
        if about != self._attended:
            self._attended = about
            known = about is not None and about[1] in self.scan.keys
            self._local = self.scan.of_document(*about, LOCAL) if about is not None and known else None
            self._path = None
        if held is None or self._local is None:
            return
        here = self._by_path(now)
        if here is None or (_sure(alignment, held, now) and self._far(here, now)):
            # Landmarks know the place better: the path begins anew where they say.
            frame = features.frame_index(held.at(self._heard_at()).position)
            reach = round(NEAR * features.FRAME_RATE)
            self._path = BestPath(self.scan.frames_of(held.document), len(TEMPI), frame, reach)
        if not silent and self._path is not None:
            update = self._local.updates.of(self._query.frame)
            self._local.advance(update)
            self._path.advance(update)

    def _see_support(self, alignment: Hypothesis | None) -> None:
        """Note when the held document, wherever in it, was last better than all others.

        Some place in any document fits for a while, and one after another would keep a match alive that was
        none.
        """
        held = self.judge.held
        if held is None:
            self._supported_at = self._heard_at()
            return
        scores = self.scan.document_scores()
        sure = alignment is not None and alignment.document == held.document and alignment.confidence >= ENTER
        if not sure and held.document < len(scores) and scores[held.document] > 0.0:
            peak = self.scan.peak(held.document)
            sure = scan_confidence(peak.score, self.scan.rival(peak)) >= LEAVE
        if sure:
            self._supported_at = self._heard_at()

    def _supported(self) -> bool:
        return self._heard_at() - self._supported_at <= SUPPORT

    def _heard_at(self) -> float:
        """Seconds of the music to which the newest frame of the scan belongs."""
        return features.frame_time(self._query.index)

    def _local_near(self) -> Peak | None:
        """What the last seconds say about the held place."""
        held = self.judge.held
        if held is None or self._local is None:
            return None
        frame = features.frame_index(held.at(self._heard_at()).position)
        return self._local.peak_near(0, held.transposition, frame, round(NEAR * features.FRAME_RATE))

    def _elsewhere(self, now: float) -> Hypothesis | None:
        """Another place of the held document, if the best path has jumped there."""
        here = self._by_path(now)
        return here if here is not None and self._supported() and self._far(here, now) else None

    def _far(self, here: Hypothesis, now: float) -> bool:
        """Whether a place of the held document is a jump away from where it should be."""
        held = self.judge.held
        return held is not None and abs(here.position - held.at(now).position) > JUMPED

    def _by_path(self, now: float) -> Hypothesis | None:
        """What is held, at the place where the best path through its document ends."""
        held = self.judge.held
        if held is None or self._path is None:
            return None
        place, heard = features.frame_time(self._path.frame), self._heard_at()
        return replace(held, position=place, time=heard, confidence=SUSTAINED, lane="scan").at(now)

    def _listen_to_landmarks(self) -> Hypothesis | None:
        every = self._updates % VARIANTS_EVERY == 0
        span = SPAN if self.judge.held is None else SHORT_SPAN
        alignments = self.prints.best(all_variants=every, span=span)
        alignments = [a for a in alignments if (a.segment, a.document) in self._numbers]
        if not alignments:
            return None
        best = alignments[0]
        number = self._numbers[best.segment, best.document]
        time = self.prints.hops * landmarks.HOP / features.RATE
        odds = self._odds(number, best.seconds, time, best.variant.speed)
        return Hypothesis(
            document=number,
            position=best.seconds,
            tempo=best.variant.speed,
            transposition=round(12.0 * float(np.log2(best.variant.pitch))),
            confidence=vote_confidence(best.votes, rival_votes(alignments), odds),
            score=best.votes,
            lane="landmarks",
            time=time,
        )

    def _odds(self, number: int, position: float, time: float, tempo: float) -> float:
        """Prior log odds of a document and a place (s) in it at stream second `time`."""
        if self.priors.empty:
            return 0.0
        document = self.documents[number]
        special, other = self.priors.odds(time)
        here = self.priors.of_place(position, document.seconds, time, tempo)
        return special.get(document.id, other) + here

    def _best_of_scan(self, now: float) -> Hypothesis | None:
        if self.priors.empty:
            best = best_peak(self.scan, self.witness)
            return None if best is None else self._from_scan(best, now)
        scores = self.scan.document_scores()
        if not len(scores) or scores.max() <= 0.0:
            return None
        # The prior in units of evidence says which documents may be better than the first.
        special, other = self.priors.odds(self._heard_at())
        odds = np.array([special.get(document.id, other) for document in self.documents[: len(scores)]])
        weighed = np.where(scores > 0.0, scores + odds / SCAN_SLOPE, -np.inf)
        peaks = [
            self.scan.peak(int(d)) for d in np.argsort(-weighed, kind="stable")[:LOOKED_AT] if scores[d] > 0.0
        ]
        peaks += [peak for peak in map(self._from_the_beginning, peaks) if peak is not None]
        return max((self._from_scan(peak, now) for peak in peaks), key=lambda found: found.confidence)

    def _from_the_beginning(self, peak: Peak) -> Peak | None:
        """Where in the peak's document the music is if it began with it."""
        begun = self.priors.beginning(self._heard_at(), peak.tempo)
        if begun is None:
            return None
        reach = round(NEAR * features.FRAME_RATE)
        found = self.scan.peak_near(peak.document, peak.key, features.frame_index(begun), reach)
        return found if found is not None and found.score > 0.0 else None

    def _from_scan(self, peak: Peak, now: float) -> Hypothesis:
        return Hypothesis(
            document=peak.document,
            position=features.frame_time(peak.frame),
            tempo=peak.tempo,
            transposition=peak.key,
            confidence=self._confidence(peak),
            score=peak.score,
            lane="scan",
            time=self._heard_at(),
        ).at(now)

    def _confidence(self, peak: Peak) -> float:
        """The confidence in a place of the scan, after the second look."""
        rival = self.scan.rival(peak)
        odds = self._odds(peak.document, features.frame_time(peak.frame), self._heard_at(), peak.tempo)
        frames = self.scan.frames_of(peak.document)
        alike, count = self.witness.compare(frames, peak.key, peak.frame, peak.tempo)
        both = seconded_confidence(peak.score, rival, alike, count / WITNESSED, odds)
        held = self.judge.held
        if held is None or held.document != peak.document:
            return both
        # Ten seconds that hold a jump or a slip are unlike any place: what is held is not doubted for that.
        return max(both, scan_confidence(peak.score, rival, odds))

    def _about_held(self, now: float, alignment: Hypothesis | None) -> Hypothesis | None:
        """What the lanes say about the hypothesis that is held, near where it should be."""
        held = self.judge.held
        if held is None:
            return None
        if alignment is not None and _sure(alignment, held, now):
            return alignment
        frame = features.frame_index(held.at(self._heard_at()).position)
        reach = round(NEAR * features.FRAME_RATE)
        peak = self.scan.peak_near(held.document, held.transposition, frame, reach)
        if peak is None:
            return None
        found = self._from_scan(peak, now)
        near = self._local_near()
        if near is not None and near.score >= STILL and found.confidence < SUSTAINED and self._supported():
            place = features.frame_time(near.frame)
            found = replace(found, position=place, time=self._heard_at(), confidence=SUSTAINED).at(now)
        here = self._by_path(now)
        if here is not None and not self._far(here, now):
            found = replace(found, position=here.position)
        return found


def _sure(alignment: Hypothesis | None, held: Hypothesis, now: float) -> bool:
    """Whether landmarks surely say the place that is held."""
    return alignment is not None and alignment.confidence >= ENTER and alignment.agrees(held.at(now))
