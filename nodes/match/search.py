"""Searching a library for one query: notes among its scores, or what it sounds like among all it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match import features
from nodes.match.library import Library
from nodes.match.matcher import KEYS
from nodes.match.notes import note_chroma
from nodes.match.points import Place, Points, Theme, included, most_common
from nodes.match.scan import Part, Scan
from nodes.match.segment import Document
from nodes.match.shards import Folders
from nodes.match.updates import TEMPI, Law

Array = npt.NDArray[Any]

#: Ways to search notes.
WAYS = ("triples", "inclusion", "points")
#: A theme is short and all of it counts: nothing is forgotten, and a voice among others fits less well.
THEME = Law(threshold=1.0, keep=0.995, held_weight=0.5)


@dataclass(frozen=True)
class Found:
    """A document in which the query is.

    Parameters
    ----------
    document : where.
    seconds : of the document at which the query begins.
    transposition : semitones by which the query lies above it.
    tempo : seconds of the document in a second of the query.
    score : share of the query's notes that are there, or evidence of the scan.
    """

    document: Document
    seconds: float
    transposition: int
    tempo: float
    score: float


def scores_of(library: Library | Folders) -> Iterator[tuple[Document, Points]]:
    """The notes of every score and MIDI file that is not removed."""
    present = {(segment.folder, document.id) for segment, document in library.documents()}
    for segment in library.segments:
        note = 0
        for document in segment.documents:
            own = slice(note, note + document.note_count)
            note += document.note_count
            if document.note_count and (segment.folder, document.id) in present:
                columns = (segment.onsets[own] / 1e3, np.zeros(document.note_count), segment.pitches[own])
                yield document, Points(np.stack(columns, axis=1))


def search_notes(
    library: Library | Folders, notes: Array, way: str = "triples", count: int = 10
) -> list[Found]:
    """The documents that hold most of the notes (n, 4), each with its best place, best first.

    way : "triples": in any key and at any tempo, a note may be missing; "inclusion": all notes, in any key,
        at the tempo given; "points": most notes, in any key, at the tempo given.
    """
    query = Points(notes)
    theme = Theme(query)
    found = []
    for document, text in scores_of(library):
        places: list[Place | None]
        if way == "triples":
            places = [theme.aligned(text)]
        elif way == "inclusion":
            places = [*included(query, text)]
        else:
            places = [most_common(query, text)]
        found += [
            Found(document, p.seconds, p.transposition, p.tempo, p.notes / len(query))
            for p in places
            if p is not None
        ]
    return sorted(found, key=lambda f: -f.score)[:count]


def search_sound(library: Library | Folders, frames: Array, count: int = 10) -> list[Found]:
    """The documents that the query's smoothed chroma (n, 12) fits best, in any key; best first."""
    parts, documents = [], []
    present = {(segment.folder, document.id) for segment, document in library.documents()}
    for segment in library.segments:
        here = [d for d in segment.documents if (segment.folder, d.id) in present]
        starts, lengths = np.array([d.start for d in here]), np.array([d.length for d in here])
        parts.append(Part(segment.chroma, starts.astype(np.int64), lengths.astype(np.int64)))
        documents += here
    if not documents:
        return []
    search = Scan(parts, KEYS, TEMPI, THEME)
    for frame in frames:
        search.push(frame)
    scores = search.document_scores()
    found = []
    for number in np.argsort(-scores, kind="stable")[:count]:
        if scores[number] > 0.0:
            peak = search.peak(int(number))
            begin = features.frame_time(peak.frame) - len(frames) / features.FRAME_RATE * peak.tempo
            found.append(Found(documents[number], max(0.0, begin), peak.key, peak.tempo, peak.score))
    return found


def theme_frames(notes: Array) -> Array:
    """Smoothed chroma (n, 12) of notes (n, 4)."""
    return features.smoothed(note_chroma(notes))
