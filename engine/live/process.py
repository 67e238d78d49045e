"""The engine process: audio callback, engine thread, sinks' threads, and nothing else.

It is started by `engine.live.supervisor`, gets commands through one pipe, says what happens through
another, and shows its state on the telemetry page. If the control process dies, it ends too.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from engine.budget import OVERLOAD, Overload
from engine.clock import Line
from engine.deferred import DeferredNode
from engine.errors import FollowspotError
from engine.events import Event
from engine.live import realtime
from engine.live.control import apply_note, check_sink_parameter
from engine.live.dispatcher import Dispatcher
from engine.live.inputs import DeviceInput, DeviceStuck, Input, PacedInput, paced_file
from engine.live.scope import Scope
from engine.live.session import (
    Change,
    Gap,
    Item,
    Late,
    Quality,
    Recorder,
    Resumed,
    Session,
    begin_session,
)
from engine.live.telemetry import MAX_CHANNELS, STATES, Names, Page, measure
from engine.pending import Pending
from engine.plan import Plan, compile_graph
from engine.preset import Preset, PresetSource
from engine.routes import route_of_all_events
from engine.runner import Runner

#: Seconds between two publications of the telemetry page, and while the engine has to catch up.
_PUBLISH, _PUBLISH_BUSY = 0.03, 0.3


@dataclass(frozen=True)
class Spec:
    """What an engine process is to do.

    Parameters
    ----------
    source : the preset.
    device, file, replay : one of them: part of a device's name ("mic": the default one), the path of a
        sound file to be played at the pace of real time, or the folder of a recorded session.
    record : folder of the session to be written, or None.
    take : number of this process in the session, from 1.
    resume : the clock of the process before, if that died.
    backend : of the audio callback: "auto", "numba", "python".
    """

    source: PresetSource
    device: str | None = None
    file: str | None = None
    replay: str | None = None
    record: str | None = None
    take: int = 1
    resume: Line | None = None
    backend: str = "auto"


class Uplink:
    """Messages (kind, content) to the control process, sent on a thread of their own; the oldest are
    dropped if nobody reads."""

    ROOM = 10_000

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: SimpleQueue[tuple[str, Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._thread.start()

    def send(self, kind: str, content: Any = None) -> None:
        """Queue a message. Any thread."""
        if self._queue.qsize() >= self.ROOM:
            with suppress(Empty):
                self._queue.get_nowait()
        self._queue.put((kind, content))

    def report(self, what: str, state: str, reason: str) -> None:
        """Queue a change of health."""
        self.send("status", (what, state, reason))

    def close(self) -> None:
        """Send what is queued, for at most two seconds."""
        self._queue.put(None)
        self._thread.join(2.0)

    def _run(self) -> None:
        try:
            while (message := self._queue.get()) is not None:
                self._connection.send(message)
        except OSError:
            pass  # the control process is gone; the commands' pipe tells the engine


class Commands:
    """What the control process asks for, read on a thread that sleeps until there is something."""

    def __init__(self, connection: Connection) -> None:
        self.waiting: deque[tuple[str, Any]] = deque(maxlen=1024)
        self._connection = connection
        threading.Thread(target=self._run, name="commands", daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                self.waiting.append(self._connection.recv())
        except (EOFError, OSError):
            self.waiting.append(("stop", None))


class Engine:
    """The engine thread: input, runner, dispatcher, one quantum after the other."""

    def __init__(
        self, spec: Spec, page: Page, uplink: Uplink, commands: Commands, scope_memory: Any = None
    ) -> None:
        self.spec, self.page, self.uplink, self.commands = spec, page, uplink, commands
        preset = _preset(spec)
        self.plan = compile_graph(preset.build(), live=True)
        self.runner = Runner(self.plan)
        self.runner.warm_up()
        self.overload = Overload(self.plan.quantum / self.plan.rate)
        everything = route_of_all_events(self.plan)
        self._takes = everything.takes
        self._listened = Pending(0, everything.corrections)
        self._deferred = [node for node in self.plan.steps if isinstance(node, DeferredNode)]
        if spec.replay is not None:
            for node in self._deferred:
                node.scripted = True
        self.scope = None if scope_memory is None else Scope(scope_memory, self.plan)
        self.recorder = self._recorder()
        for step in realtime.prepare_process():  # before the audio starts: the collector holds all up
            uplink.send("step", step)
        self.input: Input = _input(spec, preset, self.plan, uplink)
        self.dispatcher = Dispatcher(self.plan, self.input.clock, uplink.report)
        self.stopping = False
        self._quality = 0
        self._gaps = self._lost = 0
        self._levels = np.zeros((MAX_CHANNELS, 2))
        self._measured = 0
        self._published = 0.0
        self._wall_checked = 0.0

    def _recorder(self) -> Recorder | None:
        spec, plan = self.spec, self.plan
        if spec.record is None:
            return None
        channels = plan.input.shape[0]
        folder = Path(spec.record)
        if spec.take == 1:
            begin_session(folder, spec.source, plan.rate, plan.quantum, channels)
        return Recorder(
            folder / f"take-{spec.take}",
            plan.rate,
            channels,
            lambda reason: self.uplink.report("record", "failed", reason),
        )

    def names(self) -> Names:
        """What the rows of the telemetry page stand for."""
        nodes = tuple(self.runner.budget.names[:-1])
        return Names(
            self.plan.rate,
            self.plan.quantum,
            self.plan.input.shape[0],
            nodes,
            tuple(self.plan.sinks),
            self.input.name if isinstance(self.input, DeviceInput) else "",
            None if self.scope is None else self.scope.view,
        )

    def run(self) -> str:
        """Until the input ends or a command stops it; returns the fault of the input, or ""."""
        self.uplink.send("step", realtime.raise_priority(realtime.ENGINE_PRIORITY))
        self.dispatcher.start()
        self.uplink.send("running", self.names())
        try:
            while not self.stopping:
                item = self.input.read()
                if self.commands.waiting:
                    self._obey()
                if item is not None:
                    self.feed(item)
                    self._watch_overload()
                elif self.input.ended:
                    break
                self._housekeeping()
            self._hear(self.runner.finish())
        finally:
            self.close()
        return self.input.fault

    def close(self) -> None:
        """Close the sinks, which may play through the sound system that the input lets go of, the input and
        the recording, in that order."""
        self.dispatcher.stop()
        self.input.close()
        if self.recorder is not None:
            self.recorder.close()
        self._publish("ended")
        self.plan.release()

    def feed(self, item: Item) -> None:
        """One quantum, or whatever else came."""
        start = self.runner.position
        if isinstance(item, np.ndarray):
            if self.recorder is not None:
                self.recorder.block(item)
            measure(item, self._levels)
            self._measured += 1
            if self._deferred and self.spec.replay is None:
                events = self._tick_watching_deferred(item, start)
            else:
                events = self.runner.tick(item)
            self._hear(events)
            self.dispatcher.put_streams(start)
            if self.scope is not None:
                self.scope.take(start, events)
            return
        if self.recorder is not None:
            self.recorder.note(start, item)
        if isinstance(item, Gap):
            self._gaps += 1
            self._lost += item.quanta * self.plan.quantum
            self._hear(self.runner.gap(item.quanta))
        elif isinstance(item, Change):
            self._change(item)
        else:
            apply_note(self.runner, item)

    def _tick_watching_deferred(self, block: Any, start: int) -> list[Event]:
        """Tick, and note in the journal what depended on how long deferred work took."""
        before = [node.held for node in self._deferred]
        events = self.runner.tick(block)
        if self.recorder is not None:
            for node, held in zip(self._deferred, before, strict=True):
                if node.held != held:
                    self.recorder.note(start, Late(node.id) if node.held else Resumed(node.id))
        return events

    def _hear(self, events: list[Event]) -> None:
        """Pass on what was said; listeners get what falls due by samples, as offline."""
        position = self.runner.position
        for event in events:
            if self._takes(event):
                self._listened.add(event)
        for event in self._listened.pop_due(position):
            if self.recorder is not None:
                self.recorder.event(event)
            self.uplink.send("event", event)
        self.dispatcher.put(events, position)

    def _change(self, change: Change) -> None:
        id, _, name = change.target.partition(".")
        outlet = self.dispatcher.outlets.get(id)
        if outlet is not None:
            outlet.set(name, check_sink_parameter(outlet.sink, change.target, change.value))
        else:
            self.runner.set(change.target, change.value)

    def _obey(self) -> None:
        """The commands that have come, at the edge of a quantum."""
        while self.commands.waiting:
            kind, content = self.commands.waiting.popleft()
            if kind == "stop":
                self.stopping = True
            elif kind == "set":
                change = Change(*content)
                try:
                    self._change(change)
                except FollowspotError as error:
                    self.uplink.send("refused", str(error))
                    continue
                if self.recorder is not None:
                    self.recorder.note(self.runner.position, change)

    def _watch_overload(self) -> None:
        """Climb or descend the ladder by what waits in the ring."""
        before = self.overload.state
        state = self.overload.update(self.input.backlog)
        if state == before:
            return
        reason = f"{self.runner.budget.guilty} takes longest" if self.runner.budget.guilty else ""
        self.uplink.report("overload", state, reason)
        if state == "skip":
            gap = self.input.skip()
            if gap is not None:
                self.feed(gap)
        level = 1 if state in ("degrade", "skip") else 0
        if level != self._quality:
            self._quality = level
            self.feed(Quality(level))

    def _housekeeping(self) -> None:
        """Now and then: the telemetry page; it waits while the engine has to catch up."""
        now = time.monotonic()
        pause = _PUBLISH if self.input.backlog < 2 else _PUBLISH_BUSY
        if now - self._published < pause:
            return
        self._published = now
        self._publish("running" if self.input.present else "waiting for the input")
        if now - self._wall_checked > 1.0:
            self._wall_checked = now
            self.dispatcher.wall.update()
            # The collector is off; what one second leaves behind takes it some microseconds.
            gc.collect(0)

    def _publish(self, state: str) -> None:
        row, clock, budget = self.page.row, self.input.clock, self.runner.budget
        row["heartbeat"] += 1
        row["state"] = STATES.index(state)
        row["position"] = self.runner.position
        row["ns"] = time.monotonic_ns()
        if clock.line is not None:
            row["line"] = clock.line.sample, clock.line.ns, clock.line.period
        row["ppm"], row["jitter"] = clock.ppm, clock.jitter / 1e6
        row["overload"] = list(OVERLOAD).index(self.overload.state)
        row["entered"] = list(self.overload.entered.values())
        row["backlog"] = self.input.backlog
        row["xruns"], row["gaps"], row["lost"] = self.input.xruns, self._gaps, self._lost
        row["overruns"] = budget.overruns
        row["wake"] = self.input.wake.milliseconds()
        levels = row["levels"]
        levels[:, 0] = self._levels[:, 0]
        levels[:, 1] = np.sqrt(self._levels[:, 1] / max(1, self._measured * self.plan.quantum))
        self._levels[:] = 0.0
        self._measured = 0
        budget.summary(row["nodes"])
        for health, outlet in zip(row["sinks"], self.dispatcher.outlets.values(), strict=False):
            health[:] = outlet.health()
        self.page.publish()


def _preset(spec: Spec) -> Preset:
    if spec.replay is not None:
        return Session.open(spec.replay).source.load()
    return spec.source.load()


def _input(spec: Spec, preset: Preset, plan: Plan, uplink: Uplink) -> Input:
    rate, quantum = plan.rate, plan.quantum
    if spec.file is not None:
        return paced_file(spec.file, rate, quantum, preset.channels, spec.resume)
    if spec.replay is not None:
        return PacedInput(_all_items(Session.open(spec.replay)), rate, quantum, spec.resume)
    name = preset.device if spec.device is None else spec.device
    return DeviceInput(name, rate, quantum, preset.channels, uplink.report, spec.resume, spec.backend)


def _all_items(session: Session) -> Iterator[Item]:
    for take in session.takes:
        yield from session.items(take)


def main(spec: Spec, commands: Connection, uplink: Connection, memory: Any, scope_memory: Any = None) -> None:
    """The engine process. Exit status 0, 2 after a fault of the user's to mend, 3 if a restart may help."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control process's to handle
    link = Uplink(uplink)
    status = 0
    try:
        fault = Engine(spec, Page(memory), link, Commands(commands), scope_memory).run()
        link.send("ended", fault)
    except FollowspotError as error:
        link.send("fatal", str(error))
        status = 2
    except DeviceStuck as device:
        link.report("device", "waiting", f"{device} is gone; plug it in again")
        status = 3
    except Exception as error:
        link.send("crashed", f"{type(error).__name__}: {error}")
        status = 3
    link.close()
    # Daemon threads may be in C code; leave without waiting for them.
    os._exit(status)
