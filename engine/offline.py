"""Runs a plan over blocks as fast as it can, with the decisions a live run would take.

An event reaches its listener when the input has been consumed up to the event's due time, in its last
revision before that: exactly what the live dispatcher does by the clock. What is foretold for after
the end of the input is not fired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.events import Event
from engine.pending import Pending
from engine.routes import Route, route, route_of_all_events
from engine.runner import Runner
from engine.sink import Sink

Block = npt.NDArray[np.float32]


@dataclass
class _Outlet:
    """A sink, its route, and what waits for it."""

    sink: Sink
    route: Route
    pending: Pending

    def deliver(self, runner: Runner, events: list[Event]) -> None:
        """Events of this quantum, then those that have fallen due."""
        for event in events:
            if self.route.takes(event):
                self.pending.add(event)
        for event in self.pending.pop_due(runner.position):
            self.sink.send_event(event, event.time * 1_000_000_000 // self.sink.rate, 1)

    def stream(self, runner: Runner) -> None:
        """Frames and audio of this quantum."""
        for wire, frames in self.route.frames.items():
            for k in range(frames.count):
                self.sink.send_frame(wire, frames.time(k), frames.slots[k])
        for wire, block in self.route.audio.items():
            self.sink.send_audio(wire, runner.position - block.shape[1], block)


class _Listener(Sink):
    """Hands every event of the plan to a function."""

    offline = True

    def __init__(self, listener: Callable[[Event], None]) -> None:
        super().__init__()
        self._listener = listener

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        self._listener(event)


def run_offline(
    runner: Runner,
    blocks: Iterable[Block | int],
    listener: Callable[[Event], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Tick through `blocks`, each (channels, quantum), and finish; an int is a gap of so many quanta.

    Parameters
    ----------
    listener : called with every event of the plan, in the order in which they fall due.
    progress : called with the samples consumed, after every quantum.

    Sinks that make sense offline (files) are opened, fed and closed; the others stay shut.
    """
    plan = runner.plan
    outlets = []
    if listener is not None:
        everything = route_of_all_events(plan)
        outlets.append(_Outlet(_Listener(listener), everything, Pending(0, everything.corrections)))
    try:
        for id, sink in plan.sinks.items():
            if sink.offline:
                outlets.append(_open(id, sink, runner))
        for block in blocks:
            if isinstance(block, int):
                events = runner.gap(block)
                for outlet in outlets:
                    outlet.deliver(runner, events)
                continue
            events = runner.tick(block)
            for outlet in outlets:
                outlet.deliver(runner, events)
                outlet.stream(runner)
            if progress is not None:
                progress(runner.position)
        events = runner.finish()
        for outlet in outlets:
            outlet.deliver(runner, events)
    finally:
        for outlet in outlets:
            outlet.sink.close()


def _open(id: str, sink: Sink, runner: Runner) -> _Outlet:
    plan = runner.plan
    sink.id, sink.rate = id, plan.rate
    path = route(plan, id)
    lead = round((sink.latency_ms - sink.offset_ms) * plan.rate / 1000)
    sink.open(path.formats)
    return _Outlet(sink, path, Pending(lead, path.corrections))


def collect(runner: Runner, blocks: Iterable[Block]) -> list[Event]:
    """All events of a run in the order in which they fall due. For tests and benchmarks."""
    events: list[Event] = []
    run_offline(runner, blocks, events.append)
    return events


def quanta(audio: Block, quantum: int) -> Iterable[Block]:
    """An array (channels, samples) or (samples,) as blocks of a quantum, the last filled with zeros."""
    audio = np.atleast_2d(np.asarray(audio, np.float32))
    for start in range(0, audio.shape[1], quantum):
        block = audio[:, start : start + quantum]
        if block.shape[1] < quantum:
            block = np.pad(block, ((0, 0), (0, quantum - block.shape[1])))
        yield block
