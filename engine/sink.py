"""Sinks: where events, frames and audio leave Followspot. Each runs on a thread of its own.

A sink never touches the audio: the dispatcher hands it events when they are due, so a receiver that is
dead or slow delays nobody else.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.events import Event
from engine.formats import AudioFormat, Format, FramesFormat
from engine.params import Param, Parametric

__all__ = ["AudioFormat", "Event", "Format", "FramesFormat", "Param", "Sink"]


class Sink(Parametric):
    """Base of all sinks. Implement the methods for what you accept.

    `open` and every `send_*` may raise OSError or FollowspotError: the dispatcher reports it, keeps
    the show running and opens the sink again with a growing pause.

    Class attributes
    ----------------
    accepts : what may be wired to it: "events", "frames", "audio".
    offline : True if it also makes sense when a file is run at full speed (files do, networks do not).
    tick_ms : if positive, `tick` is called about that often on the sink's thread (an oscillator).

    Attributes
    ----------
    notice : what people should know while all is well; reported when it changes.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"events"})
    offline: ClassVar[bool] = False
    tick_ms: ClassVar[float] = 0.0
    requires: ClassVar[tuple[str, ...]] = ()

    offset_ms = Param(
        0.0,
        low=-5000.0,
        high=5000.0,
        unit="ms",
        live=True,
        help="fires this much later (negative: earlier) than the event sounds; trim to taste",
    )
    latency_ms = Param(
        0.0,
        low=0.0,
        high=5000.0,
        unit="ms",
        live=True,
        help="what the receiver and its lamp or speaker take; the sink fires earlier by this",
    )

    id: str = ""
    rate: int = 44100
    notice: str = ""

    def open(self, wires: dict[str, Format]) -> None:
        """Make ready: `wires` maps each wired "node.port" to its format."""

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        """An event is due. `due_ns`: monotonic host time in ns at which it should take effect;
        `ntp`: the same instant as a 64-bit NTP time tag."""

    def send_frame(self, wire: str, time: int, frame: Any) -> None:
        """A frame of `wire` that belongs to input sample `time`."""

    def send_audio(self, wire: str, start: int, block: Any) -> None:
        """A block (channels, quantum) of `wire` that starts at stream sample `start`."""

    def tick(self, now_ns: int) -> int:
        """Called on the sink's thread if `tick_ms` is set; returns the host time in ns of the next call."""
        return now_ns + int(self.tick_ms * 1e6)

    def close(self) -> None:
        """Finish files, close ports. Called once; must not raise."""
