"""Where a performer is in a score, as MIDI: song position and time code."""

from __future__ import annotations

from typing import Any

from engine.sink import Event, Format, Param, Sink
from nodes.outputs.midi_port import MidiPort
from nodes.outputs.time_code import TimeCode

#: Seconds after the last position during which the time runs on.
STALE = 0.1


class MidiPosition(Sink):
    """Sends a follower's `position` events as MIDI time code and song position.

    Time code is the time of the reference (its quarter frames come faster when the performer is faster) and
    waits when the performer waits; where he jumps a full frame is sent. Start (from the beginning) or song
    position and continue go out when following begins and after a jump; stop when the performer is lost
    or has finished. Song position counts sixteenths of the unfolded score.

    Errors: a port that is missing or has gone is reported with the list of ports, and tried again.
    """

    tick_ms = 2.0

    port = Param("", help="part of the name of the port to send to; empty makes a virtual port")
    name = Param("Followspot position", help="name of our own side of the connection")
    time_code = Param(True, help="send MIDI time code")
    song_position = Param(True, help="send song position, start, continue and stop")
    fps = Param("25", choices=("24", "25", "30"), help="frames a second of the time code")

    #: Beats by which the position may be off what the tempo says before the song position is sent anew.
    JUMP = 2.0
    #: Nanoseconds between two looks whether the port is still there.
    CHECK_EVERY = 1_000_000_000

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._port: MidiPort | None = None

    def open(self, wires: dict[str, Format]) -> None:
        self._code = TimeCode(int(self.fps))
        self._at: tuple[int, float, float, float, float] | None = None  # ns, seconds, rate, beat, beats a s
        self._runs = False
        self._checked = 0
        self._port = MidiPort(self.port, self.name)

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        if event.kind != "position":
            return
        values = event.values
        follows = values["state"] == "tracking"
        if self.song_position:
            self._transport(follows, values["beat"], due_ns)
        at = (due_ns, values["seconds"], values["rate"], values["beat"], values["tempo"] / 60.0)
        self._at = at if follows else None

    def _transport(self, follows: bool, beat: float, due_ns: int) -> None:
        assert self._port is not None
        if not follows:
            if self._runs:
                self._port.send((0xFC,))
            self._runs = False
            return
        if self._runs and self._at is not None:
            then, _, _, before, speed = self._at
            if abs(beat - before - speed * (due_ns - then) / 1e9) <= self.JUMP:
                return
            self._port.send((0xFC,))
        self._runs = True
        sixteenth = min(max(round(4.0 * beat), 0), 16383)
        if sixteenth == 0:
            self._port.send((0xFA,))
        else:
            self._port.send((0xF2, sixteenth & 127, sixteenth >> 7))
            self._port.send((0xFB,))

    def tick(self, now_ns: int) -> int:
        assert self._port is not None
        if self.time_code and self._at is not None:
            then, seconds, rate, _, _ = self._at
            passed = min(max((now_ns - then) / 1e9, 0.0), STALE)
            for message in self._code.to(seconds + rate * passed):
                self._port.send(message)
        if now_ns - self._checked >= self.CHECK_EVERY:
            self._checked = now_ns
            self._port.check()
        return now_ns + int(self.tick_ms * 1e6)

    def close(self) -> None:
        if self._port is not None:
            if self._runs:
                self._port.send((0xFC,))
            self._port.close()
            self._port = None
