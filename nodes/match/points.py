"""Searching notes in notes: a theme in scores and MIDI files, in any key, at any tempo.

Three ways: all notes of the query, moved in time and pitch (`included`); the move that brings most of them
onto notes of the text (`most_common`); and, whatever the tempo, triples of notes that agree on where
(`Theme.aligned`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match.point_kernels import TOKENS, inclusions, look_up, triples

Array = npt.NDArray[Any]

#: Seconds by which a note may be off its place.
TOLERANCE = 0.05
#: Notes after a note that may follow it in a triple: of the query; of the text, with its other voices.
FAN, TEXT_FAN = 3, 16
#: Seconds between two notes of a triple.
LEAST, MOST = 0.04, 2.5
#: Triples looked at for one query and text.
_LIMIT = 1 << 17
#: Tempi that count as one differ by a tenth; places by half a second.
_TEMPO, _PLACE = 0.1, 0.5


@dataclass(frozen=True)
class Place:
    """Where a query lies in a text.

    Parameters
    ----------
    seconds : of the text at which the query begins.
    transposition : semitones by which the query lies above the text.
    tempo : seconds of the text in a second of the query.
    notes : notes of the query that are there.
    """

    seconds: float
    transposition: int
    tempo: float
    notes: int


class Points:
    """Notes by rising time, and pitch where times are equal. `notes` : (n, >= 3), see `read_notes`."""

    def __init__(self, notes: Array) -> None:
        order = np.lexsort((notes[:, 2], notes[:, 0]))
        self.times = np.ascontiguousarray(notes[order, 0], np.float64)
        self.pitches = np.ascontiguousarray(notes[order, 2], np.int64)

    def __len__(self) -> int:
        return len(self.times)


def included(query: Points, text: Points) -> list[Place]:
    """Every place where the whole query lies, at its own tempo (P1 of Ukkonen, Lemstroem and Maekinen)."""
    if not len(query) or not len(text):
        return []
    found = np.zeros(len(text), np.int64)
    count = inclusions(query.times, query.pitches, text.times, text.pitches, TOLERANCE, found)
    return [
        Place(float(text.times[i]), int(query.pitches[0] - text.pitches[i]), 1.0, len(query))
        for i in found[:count]
    ]


def most_common(query: Points, text: Points, tempo: float = 1.0) -> Place | None:
    """Where most notes of the query lie on notes of the text (P2 of Ukkonen, Lemstroem and Maekinen).

    tempo : seconds of the text in a second of the query.
    """
    if not len(query) or not len(text):
        return None
    moves = (text.times[None, :] - tempo * query.times[:, None]).ravel()
    lifts = (query.pitches[:, None] - text.pitches[None, :]).ravel()
    who = np.repeat(np.arange(len(query)), len(text))
    order = np.lexsort((moves, lifts))
    moves, lifts, who = moves[order], lifts[order], who[order]
    # All that lie within the tolerance after a move, in the same transposition, vote for it.
    ends = np.searchsorted(lifts * 1e6 + moves, lifts * 1e6 + moves + 2 * TOLERANCE, side="right")
    best = int(np.argmax(ends - np.arange(len(moves))))
    window = slice(best, int(ends[best]))
    seconds = float(np.median(moves[window])) + tempo * float(query.times[0])
    return Place(seconds, int(lifts[best]), tempo, len(np.unique(who[window])))


class Theme:
    """A query as a table of its triples. `query` : its notes."""

    def __init__(self, query: Points) -> None:
        self.query = query
        room = max(1, len(query)) * FAN * FAN
        tokens, self._firsts = np.zeros(room, np.int64), np.zeros(room, np.int64)
        self._gaps = np.zeros(room)
        count = triples(query.times, query.pitches, FAN, LEAST, MOST, tokens, self._firsts, self._gaps)
        self._listed = np.argsort(tokens[:count], kind="stable")
        self._starts = np.searchsorted(tokens[self._listed], np.arange(TOKENS + 1)).astype(np.int64)
        self._which, self._where = np.zeros(_LIMIT, np.int64), np.zeros(_LIMIT, np.int64)
        self._spans = np.zeros(_LIMIT)

    def aligned(self, text: Points) -> Place | None:
        """Where most triples agree, and how many notes of the query are there; None: no triple is shared."""
        query = self.query
        count = look_up(
            text.times,
            text.pitches,
            TEXT_FAN,
            LEAST,
            2 * MOST,
            self._starts,
            self._listed,
            self._which,
            self._where,
            self._spans,
        )
        if not count:
            return None
        which, where = self._which[:count], self._where[:count]
        firsts = self._firsts[which]
        tempi = self._spans[:count] / self._gaps[which]
        lifts = query.pitches[firsts] - text.pitches[where]
        begins = text.times[where] - tempi * (query.times[firsts] - query.times[0])
        bins = np.stack([lifts, np.round(np.log(tempi) / _TEMPO), np.round(begins / _PLACE)], axis=1)
        cells, inverse, votes = np.unique(bins, axis=0, return_inverse=True, return_counts=True)
        best: Place | None = None
        for cell in np.argsort(-votes, kind="stable")[:5]:
            inside = inverse.ravel() == cell
            place = self._checked(
                text, float(np.median(begins[inside])), float(np.median(tempi[inside])), int(cells[cell, 0])
            )
            if best is None or place.notes > best.notes:
                best = place
        return best

    def _checked(self, text: Points, begin: float, tempo: float, lift: int) -> Place:
        """The alignment followed note by note, so that a rubato is forgiven; and how many notes are there."""
        query = self.query
        there, late = 0, 0.0
        gaps = np.diff(query.times, prepend=query.times[0]) * tempo
        for time, pitch, gap in zip(query.times, query.pitches, gaps, strict=True):
            expected = begin + tempo * (time - query.times[0]) + late
            reach = max(2 * TOLERANCE, 0.3 * gap)
            low, high = np.searchsorted(text.times, (expected - reach, expected + reach))
            near = low + np.flatnonzero(text.pitches[low:high] == pitch - lift)
            if len(near):
                off = text.times[near] - expected
                late += 0.5 * float(off[np.abs(off).argmin()])
                there += 1
        return Place(begin, lift, tempo, there)
