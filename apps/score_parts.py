"""The parts of a score, each as notes in the same seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from engine.errors import FollowspotError, suggestion
from nodes.follow.score import SUFFIXES, load_score

Note = tuple[float, float, int]  # onset and end in seconds, MIDI pitch

#: Ticks a second of the MIDI files that are written.
_TICKS = 1920


@dataclass(frozen=True)
class Part:
    """A voice or instrument: its name in the score, and its notes by onset."""

    name: str
    notes: list[Note]


def load_parts(path: Path) -> list[Part]:
    """All parts that have notes. Raises FollowspotError, one line."""
    if path.suffix.lower() not in SUFFIXES:
        raise FollowspotError(f"score {path}: is a recording; parts are known of MusicXML, MEI and MIDI only")
    score = load_score(path)
    notes = list(zip(score.onset.tolist(), score.end.tolist(), score.pitch.tolist(), strict=True))
    return [
        Part(name, [notes[at] for at in np.flatnonzero(score.part == number)])
        for number, name in enumerate(score.parts)
    ]


def choose(parts: list[Part], wanted: str, path: Path) -> tuple[Part, list[Note]]:
    """The part that `wanted` names, by number from 1 or part of its name, and the notes of all others."""
    names = [part.name for part in parts]
    listed = ", ".join(f"{number} {name}" for number, name in enumerate(names, 1))
    if len(parts) < 2:
        raise FollowspotError(f"score {path}: has only one part ({listed}); there is nothing to play along")
    if wanted.isdigit() and 1 <= int(wanted) <= len(parts):
        index = int(wanted) - 1
    else:
        found = [at for at, name in enumerate(names) if wanted.lower() in name.lower()]
        exact = [at for at in found if names[at].lower() == wanted.lower()] or found
        if len(exact) != 1:
            fault = "names several parts" if exact else f"is no part ({suggestion(wanted, names)})"
            raise FollowspotError(f"--solo {wanted}: {fault}; give one of: {listed}")
        index = exact[0]
    others = [note for at, part in enumerate(parts) if at != index for note in part.notes]
    return parts[index], sorted(others)


def write_midi(notes: Sequence[Note], path: Path) -> None:
    """Notes as a MIDI file whose seconds are theirs (0.5 ms a tick); a note struck again is ended first."""
    edges: list[tuple[int, int, int]] = []
    free: dict[int, int] = {}  # pitch -> tick at which it is struck next
    for onset, end, pitch in sorted(notes, reverse=True):
        on = round(onset * _TICKS)
        off = min(max(on + 1, round(end * _TICKS)), free.get(pitch, 1 << 60))
        if off > on:
            edges += [(on, 1, pitch), (off, 0, pitch)]
            free[pitch] = on
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    before = 0
    for at, on, pitch in sorted(edges):
        track.append(mido.Message("note_on", note=pitch, velocity=64 * on, time=at - before))
        before = at
    file = mido.MidiFile(ticks_per_beat=_TICKS // 2)
    file.tracks.append(track)
    file.save(path)
