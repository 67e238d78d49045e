"""Events as MIDI notes on a port."""

from __future__ import annotations

import heapq
from typing import Any

from engine.sink import Event, Format, Param, Sink
from nodes.outputs.fluid_synth import FluidSynth, open_port
from nodes.outputs.mapping import MappingParam
from nodes.outputs.midi_port import MidiPort
from nodes.outputs.note_map import notes_of, parse_notes, velocity_of


class MidiNotes(Sink):
    """Plays a note for each event that the mapping names, and ends it after `length_ms`.

    The velocity is the event's `velocity` (1 to 127), else its `confidence` (0 to 1) times 127, else
    the parameter. A note that is struck again while it sounds is ended first. An event that is put right
    later (same key, higher revision) moves its note if that is another one, and is not struck twice. With
    `length_ms` = 0 a note sounds until an event `note_end` with its pitch; an event `bend` moves the pitch
    wheel (its range is taken to be 2 semitones). Whatever sounds is ended when the sink closes.

    A port "fluidsynth:" plays through the sound card with the system's sound font, "fluidsynth:FONT.sf2" with
    that one (needs the program FluidSynth).

    Errors: a port that is missing or has gone is reported with the list of ports, and tried again.
    """

    tick_ms = 5.0

    port = Param("", help="part of a port's name; empty: a virtual port; fluidsynth:FONT.sf2: sound")
    name = Param("Followspot", help="name of our own side of the connection")
    channel = Param(10, low=1, high=16, live=True, help="MIDI channel; 10 is drums")
    notes = MappingParam(
        "downbeat -> 36; beat -> 37",
        parse=parse_notes,
        help="note by event, as in 'beat -> 36; onset -> 38; note -> pitch'",
    )
    velocity = Param(100, low=1, high=127, live=True, help="of events that have none of their own")
    length_ms = Param(
        50.0,
        low=0.0,
        high=10000.0,
        unit="ms",
        live=True,
        help="how long a note sounds; 0: until its note_end",
    )

    #: Struck notes are remembered for as many further ones, so that a correction finds its own.
    MEMORY = 256
    #: Nanoseconds between two looks whether the port is still there.
    CHECK_EVERY = 1_000_000_000

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._port: MidiPort | FluidSynth | None = None

    def open(self, wires: dict[str, Format]) -> None:
        self._notes = parse_notes(self.notes)
        self._sounding: dict[tuple[int, int], int] = {}
        self._ends: list[tuple[int, tuple[int, int]]] = []
        self._struck: dict[tuple[str, str, int], list[int]] = {}
        self._now = self._checked = 0
        self._port = open_port(self.port, self.name)

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        assert self._port is not None
        channel = self.channel - 1
        if event.kind == "note_end":
            self._end((channel, int(event.values["pitch"])))
            return
        if event.kind == "bend":
            value = min(16383, max(0, 8192 + round(4096 * event.values["semitones"])))
            self._port.send((0xE0 | channel, value & 127, value >> 7))
            return
        notes = list(notes_of(event, self._notes))
        before = self._struck.pop(event.identity, [])
        self._struck[event.identity] = notes
        if len(self._struck) > self.MEMORY:
            del self._struck[next(iter(self._struck))]
        if event.revision and before == notes:
            return
        for note in before:
            self._end((channel, note))
        velocity = velocity_of(event, self.velocity)
        for note in notes:
            self._strike((channel, note), velocity, due_ns)

    def _strike(self, voice: tuple[int, int], velocity: int, due_ns: int) -> None:
        assert self._port is not None
        self._end(voice)
        self._port.send((0x90 | voice[0], voice[1], velocity))
        end = max(due_ns, self._now) + int(self.length_ms * 1e6)  # what was said late sounds as long
        self._sounding[voice] = end
        if self.length_ms > 0:
            heapq.heappush(self._ends, (end, voice))

    def tick(self, now_ns: int) -> int:
        self._now = now_ns
        while self._ends and self._ends[0][0] <= now_ns:
            end, voice = heapq.heappop(self._ends)
            if self._sounding.get(voice) == end:
                self._end(voice)
        if now_ns - self._checked >= self.CHECK_EVERY and self._port is not None:
            self._checked = now_ns
            self._port.check()
        return super().tick(now_ns)

    def close(self) -> None:
        if self._port is None:
            return
        for voice in list(self._sounding):
            self._end(voice)
        self._port.close()
        self._port = None

    def _end(self, voice: tuple[int, int]) -> None:
        assert self._port is not None
        if self._sounding.pop(voice, None) is not None:
            self._port.send((0x80 | voice[0], voice[1], 0))
