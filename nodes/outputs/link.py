"""Ableton Link: shares tempo and beats with the programs on the network."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from engine.sink import Event, Format, Param, Sink
from nodes.outputs.beat_line import BeatLine


class AbletonLink(Sink):
    """Joins a Link session and, only while `lead` is set, pulls it to the music.

    Joining never changes the session: it takes nothing over and says nothing in the first half second. While
    it leads, a phase that is off by more than a tenth of a beat is set at once, for everybody; less than
    that is made up for by the tempo within a few beats.

    Set `latency_ms` to what the receivers need: the session then runs that much ahead. Needs the extra
    `link` (LinkPython-extern; Link itself is GPL-2.0-or-later).
    """

    tick_ms = 20.0
    requires = ("link",)

    lead = Param(False, live=True, help="armed: our tempo and phase rule the session")
    quantum = Param(4, low=1, high=16, unit="beats", help="beats in a bar; downbeats fall on its multiples")

    #: Nanoseconds after joining in which the session is left alone, until its peers are known.
    JOIN = 500_000_000
    #: Beats of phase error from which on the phase is set; below, the tempo makes up for this share a beat.
    FORCE, SHARE = 0.1, 0.25

    def open(self, wires: dict[str, Format]) -> None:
        self._link: Any = import_module("link").Link(120.0)
        self._link.startStopSyncEnabled = False
        self._link.enabled = True
        self._line = BeatLine()
        self._downbeat = 0
        self._joined = 0
        self._now = 0
        self._skew = 0.0

    @property
    def peers(self) -> int:
        """Other programs in the session."""
        return int(self._link.numPeers())

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        at = due_ns - int(self.latency_ms * 1e6)
        if event.kind == "beat":
            self._line.observe(at, event.values.get("bpm", 0.0), bool(event.values.get("placed")))
        if not self._line.locked:
            return
        if event.kind == "downbeat" or (event.kind == "beat" and event.values.get("beat") == 1):
            self._downbeat = round(self._line.position(at))
        if event.kind == "beat" and self.lead and self._now - self._joined > self.JOIN:
            self._pull(at)

    def tick(self, now_ns: int) -> int:
        self._joined = self._joined or now_ns
        self._now = now_ns
        self._skew = self._link.clock().micros() - now_ns / 1000  # Link's clock is not ours
        return super().tick(now_ns)

    def close(self) -> None:
        if hasattr(self, "_link"):
            self._link.enabled = False

    def _pull(self, at_ns: float) -> None:
        state = self._link.captureSessionState()
        moment = round(at_ns / 1000 + self._skew)
        wanted = self._line.position(at_ns) - self._downbeat
        bpm = 60e9 / self._line.period_ns
        error = (state.phaseAtTime(moment, self.quantum) - wanted + self.quantum / 2) % self.quantum
        error -= self.quantum / 2
        if abs(error) > self.FORCE:
            state.setTempo(bpm, moment)
            state.forceBeatAtTime(wanted % self.quantum, moment, self.quantum)
        else:
            state.setTempo(bpm * (1 - self.SHARE * error), moment)
        self._link.commitSessionState(state)
