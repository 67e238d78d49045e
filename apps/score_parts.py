"""The parts of a score, each as notes in the same seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
from lxml import etree

from apps.score_view.printed import MIDI, load_printed
from engine.errors import FollowspotError, suggestion
from nodes.follow.score import load_score

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
    if path.suffix.lower() not in MIDI:
        return _engraved_parts(path)
    load_score(path)  # says what is wrong with it
    return _midi_parts(path)


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


def _midi_parts(path: Path) -> list[Part]:
    """A part for every track and channel, but drums."""
    file = mido.MidiFile(path)
    tempi = [(0, 500_000)]
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempi.append((tick, message.tempo))
    tempi.sort(key=lambda entry: entry[0])

    def seconds(tick: int) -> float:
        total, last, tempo = 0.0, 0, 500_000
        for at, following in tempi:
            if at > tick:
                break
            total += mido.tick2second(at - last, file.ticks_per_beat, tempo)
            last, tempo = at, following
        return float(total + mido.tick2second(tick - last, file.ticks_per_beat, tempo))

    parts = []
    for number, track in enumerate(file.tracks, 1):
        found: dict[int, list[Note]] = {}
        sounding: dict[tuple[int, int], list[int]] = {}
        tick = 0
        for message in track:
            tick += message.time
            if message.type not in {"note_on", "note_off"} or message.channel == 9:
                continue
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                sounding.setdefault(key, []).append(tick)
            elif sounding.get(key):
                note = (seconds(sounding[key].pop(0)), seconds(tick), message.note)
                found.setdefault(message.channel, []).append(note)
        for channel, notes in found.items():
            name = " ".join(track.name.split()) or f"track {number}"
            parts.append(Part(name if len(found) == 1 else f"{name} channel {channel + 1}", sorted(notes)))
    return parts


def _engraved_parts(path: Path) -> list[Part]:
    """The parts of MusicXML, by the names of their notes."""
    printed = load_printed(path)
    if not printed.engraving or printed.score is None:
        raise FollowspotError(f"score {path}: is a recording; parts are known of MusicXML and MIDI only")
    root = etree.fromstring(printed.engraving.encode())
    if root.tag != "score-partwise":
        raise FollowspotError(f"score {path}: its parts cannot be told apart; export it as MusicXML")
    titles = {one.get("id"): (one.findtext("part-name") or "").strip() for one in root.iter("score-part")}
    part_of = {note.get("id"): part.get("id") for part in root.iterfind("part") for note in part.iter("note")}
    found: dict[str, list[Note]] = {id: [] for id in titles}
    score = printed.score
    for onset, end, pitch, name in zip(
        score.onset.tolist(), score.end.tolist(), score.pitch.tolist(), score.ids, strict=True
    ):
        found[part_of[name]].append((onset, end, pitch))
    return [Part(titles[id] or id, notes) for id, notes in found.items() if notes]
