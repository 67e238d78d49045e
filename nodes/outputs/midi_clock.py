"""MIDI clock: 24 ticks a beat with transport and song position."""

from __future__ import annotations

from typing import Any

from engine.sink import Event, Format, Param, Sink
from nodes.outputs.midi_port import MidiPort
from nodes.outputs.tick_oscillator import TickOscillator


class MidiClock(Sink):
    """Sends MIDI clock from a phase-locked oscillator that beats steer; no tick is sent per detection.

    Start goes out before the first downbeat after lock-in (before the first beat, if the tracker tells no
    bars), then 24 ticks a beat. Where the music jumps, the
    clock stops, sends the song position of a sixteenth ahead, and continues on it. When there is nothing
    to follow (an event "silence", or "state" whose `state` is "silent", "holding" or "lost", or no beat
    for `hold_after`), `hold` decides.

    Set `latency_ms` to what the receiver needs: the ticks go out that much ahead.

    Errors: a port that is missing or has gone is reported with the list of ports, and tried again.
    """

    tick_ms = 1.0

    port = Param("", help="part of the name of the port to send to; empty makes a virtual port")
    name = Param("Followspot clock", help="name of our own side of the connection")
    slew = Param(
        10.0,
        low=1.0,
        high=50.0,
        unit="%",
        help="most that a tick may deviate from the tempo, and that the tempo may change a beat",
    )
    hold = Param(
        "run",
        choices=("run", "stop", "freeze"),
        live=True,
        help="without music: run on at the last tempo, stop the transport and tick on, or send nothing",
    )
    hold_after = Param(
        4.0, low=0.5, high=600.0, unit="s", live=True, help="without a beat this counts as silence"
    )

    #: Nanoseconds between two looks whether the port is still there.
    CHECK_EVERY = 1_000_000_000

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._port: MidiPort | None = None

    def open(self, wires: dict[str, Format]) -> None:
        self._oscillator = TickOscillator(slew=self.slew / 100, while_held=self.hold)
        self._last_beat = 0
        self._checked = 0
        self._port = MidiPort(self.port, self.name)

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        due_ns -= int(self.latency_ms * 1e6)  # the time line of the wire, where ticks leave ahead
        if event.kind == "beat":
            self._last_beat = due_ns
            values = event.values
            bpm, place, meter = values.get("bpm", 0.0), values.get("beat", 0), values.get("meter", 0)
            self._oscillator.observe(due_ns, bpm, place, meter)
        elif event.kind == "silence" or event.values.get("state") in ("silent", "holding", "lost"):
            self._oscillator.hold()

    def tick(self, now_ns: int) -> int:
        assert self._port is not None
        oscillator = self._oscillator
        oscillator.while_held = self.hold
        if now_ns - self._last_beat > self.hold_after * 1e9:
            oscillator.hold()
        for message in oscillator.advance(now_ns):
            self._port.send(message)
        if now_ns - self._checked >= self.CHECK_EVERY:
            self._checked = now_ns
            self._port.check()
        return int(oscillator.wake_ns)

    def close(self) -> None:
        if self._port is None:
            return
        for message in self._oscillator.finish():
            self._port.send(message)
        self._port.close()
        self._port = None
