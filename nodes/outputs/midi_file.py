"""Events to a standard MIDI file."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import mido

from engine.errors import FollowspotError
from engine.sink import Event, Format, Param, Sink
from nodes.outputs.mapping import MappingParam
from nodes.outputs.note_map import notes_of, parse_notes, velocity_of


class MidiFile(Sink):
    """Writes the events that the mapping names as notes of a one-track MIDI file.

    Times are those of the stream, at a fixed 120 BPM and 960 ticks a beat (0.52 ms a tick): the file
    lies under the recording in any editor. The file is written anew every 30 seconds of stream and at
    the end. An event that is put right later (same key, higher revision) replaces its note; with
    `length_ms` = 0 a note lasts until an event `note_end` with its key, and `bend` moves the pitch wheel.

    Errors: a file that cannot be written is reported; the notes are kept and written with the next try.
    """

    offline = True

    path = Param("out.mid", help="file to write")
    channel = Param(10, low=1, high=16, help="MIDI channel; 10 is drums")
    notes = MappingParam(
        "downbeat -> 36; beat -> 37",
        parse=parse_notes,
        help="note by event, as in 'beat -> 36; onset -> 38; note -> pitch'",
    )
    velocity = Param(100, low=1, high=127, help="of events that have none of their own")
    length_ms = Param(
        50.0, low=0.0, high=10000.0, unit="ms", help="how long a note sounds; 0: until its note_end"
    )

    #: MIDI ticks a second: 120 BPM at 960 ticks a beat.
    TICKS = 1920
    #: Seconds of stream between two times that the file is written.
    SAVE_EVERY = 30

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        #: By identity of the event: MIDI tick of on and off, note, velocity.
        self._struck: dict[tuple[str, str, int], list[tuple[int, int, int, int]]] = {}
        self._bends: list[tuple[int, int]] = []  # MIDI tick, -8192 to 8191
        self._saved = 0
        self._opened = False

    def open(self, wires: dict[str, Format]) -> None:
        self._notes = parse_notes(self.notes)
        self._opened = True
        try:
            self._save()
        except OSError as error:
            raise FollowspotError(
                f"{self.path} cannot be written ({error.strerror}): set another path"
            ) from None

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        on = max(0, round(event.time / self.rate * self.TICKS))
        if event.kind == "bend":
            self._bends.append((on, min(8191, max(-8192, round(4096 * event.values["semitones"])))))
        elif event.kind == "note_end":
            self._end((event.source, "note", event.key), on)
        else:
            off = on + max(1, round(self.length_ms / 1000 * self.TICKS))
            velocity = velocity_of(event, self.velocity)
            struck = [(on, off, note, velocity) for note in notes_of(event, self._notes)]
            identity = event.identity
            if not event.revision and identity in self._struck:
                # A source that counts no keys says every event under the same identity: none is lost.
                identity = (*identity[:2], -1 - on)
            self._struck[identity] = struck
        if on - self._saved >= self.SAVE_EVERY * self.TICKS:
            self._saved = on
            self._save()

    def _end(self, identity: tuple[str, str, int], off: int) -> None:
        if self.length_ms == 0 and identity in self._struck:
            self._struck[identity] = [
                (on, max(on + 1, off), note, velocity) for on, _, note, velocity in self._struck[identity]
            ]

    def close(self) -> None:
        if self._opened:
            with suppress(OSError):  # said when it was opened or written before
                self._save()

    def _save(self) -> None:
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("set_tempo", tempo=500_000))
        before = 0
        for at, message in self._messages():
            track.append(message.copy(time=at - before))
            before = at
        file = mido.MidiFile(type=0, ticks_per_beat=self.TICKS // 2)
        file.tracks.append(track)
        part = f"{self.path}.part"
        file.save(part)
        os.replace(part, self.path)

    def _messages(self) -> list[tuple[int, mido.Message]]:
        """Note-ons and note-offs in order; a note struck again while it sounds is ended first."""
        channel = self.channel - 1
        found = []
        again: dict[int, int] = {}
        for on, off, note, velocity in sorted(
            (note for notes in self._struck.values() for note in notes), reverse=True
        ):
            end = min(off, again.get(note, off))
            again[note] = on
            if end > on:
                found.append((on, 1, mido.Message("note_on", channel=channel, note=note, velocity=velocity)))
                found.append((end, 0, mido.Message("note_off", channel=channel, note=note)))
        for at, pitch in self._bends:
            found.append((at, 2, mido.Message("pitchwheel", channel=channel, pitch=pitch)))
        found.sort(key=lambda entry: entry[:2])
        return [(at, message) for at, _, message in found]
