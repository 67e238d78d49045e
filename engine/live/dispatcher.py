"""From the engine thread to the sinks: every sink has a thread of its own, so none delays another.

An event fires when the stream clock says that its sample sounds, plus the sink's offset, less its
latency; until then a later revision replaces it. Sinks that also run offline (files) go by the samples
consumed instead of the clock, so a file written live is the one written offline. Frames and audio go
through bounded buffers that drop the oldest. A sink that raises is closed, reported, and opened again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from engine.clock import StreamClock, WallClock
from engine.events import Event
from engine.live.histogram import Histogram
from engine.live.realtime import SINK_PRIORITY, raise_priority
from engine.pending import Pending
from engine.plan import Plan
from engine.ports import Array, Frames
from engine.routes import Route, route
from engine.sink import Sink

#: (what, state, reason): "sink osc", "ok" or "retrying", why.
Report = Callable[[str, str, str], None]

SINK_STATES = ("opening", "ok", "retrying")

_STALE_NS = 1_000_000_000
_FIRST_PAUSE_NS, _LONGEST_PAUSE_NS = 100_000_000, 1_000_000_000
_IDLE_SECONDS = 0.5


class Tap:
    """A bounded buffer for one wire of frames or audio: written by the engine thread, read by a sink's."""

    def __init__(self, wire: str, shape: tuple[int, ...], dtype: Any, room: int) -> None:
        self.wire = wire
        self.dropped = 0
        self._items = np.zeros((room, *shape), dtype)
        self._times = [0] * room
        self._room = room
        self._written = self._read = 0

    def put(self, time: int, item: Array) -> None:
        """Copy an item in, over the oldest if there is no room. Engine thread."""
        place = self._written % self._room
        self._items[place] = item
        self._times[place] = time
        self._written += 1

    def get(self) -> tuple[int, Array] | None:
        """The oldest item that is still there, as a copy. Sink's thread."""
        while self._read < self._written:
            if self._written - self._read >= self._room:
                kept = self._room // 2
                self.dropped += self._written - kept - self._read
                self._read = self._written - kept
            place = self._read % self._room
            time, item = self._times[place], self._items[place].copy()
            self._read += 1
            if self._written - self._read + 1 < self._room:  # else it was written over while we read
                return time, item
            self.dropped += 1
        return None


class Outlet:
    """One sink, its thread, and what waits for it.

    Attributes
    ----------
    status, reason : "opening", "ok" or "retrying" (and why).
    lateness : of firing after the due time, or after arrival for what was said too late.
    fired, stale, dropped, failures : events sent, too late to be sent, without room; faults of the sink.
    """

    ROOM = 4096

    def __init__(
        self, id: str, sink: Sink, path: Route, clock: StreamClock, wall: WallClock, report: Report
    ) -> None:
        self.id, self.sink, self.route = id, sink, path
        self.status, self.reason = "opening", ""
        self.lateness = Histogram()
        self.fired = self.stale = self.dropped = self.failures = 0
        self._clock, self._wall, self._report = clock, wall, report
        # Files go by samples (on the engine thread), everything else by the clock (on the sink's).
        self._by_sample = Pending(self._lead(), path.corrections) if sink.offline else None
        self._by_clock = Pending(0, path.corrections)
        self._arrivals: dict[tuple[str, str, int], int] = {}
        self._queue: SimpleQueue[tuple[int, Event] | tuple[str, Any] | None] = SimpleQueue()
        self._taps = [Tap(w, f.data.shape[1:], f.data.dtype, 256) for w, f in path.frames.items()]
        self._audio_taps = [Tap(w, block.shape, np.float32, 512) for w, block in path.audio.items()]
        self._streams: list[tuple[Tap, Frames]] = list(zip(self._taps, path.frames.values(), strict=True))
        self._audio = list(zip(self._audio_taps, path.audio.values(), strict=True))
        self._retry_at = 0
        self._pause = _FIRST_PAUSE_NS
        self._next_tick: int | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"sink {id}", daemon=True)

    def start(self) -> None:
        """Open the sink and begin, on its own thread."""
        self._thread.start()

    # The engine thread calls these three.

    def put(self, events: list[Event], position: int) -> None:
        """What was said in the quantum that ends at sample `position`."""
        if self._by_sample is None:
            for event in events:
                if self.route.takes(event):
                    self._enqueue(event)
            return
        for event in events:
            if self.route.takes(event):
                self._by_sample.add(event)
        for event in self._by_sample.pop_due(position):
            self._enqueue(event)

    def put_streams(self, start: int) -> None:
        """Frames and audio of the quantum that starts at sample `start`."""
        for tap, frames in self._streams:
            for k in range(frames.count):
                tap.put(frames.time(k), frames.slots[k])
        for tap, block in self._audio:
            tap.put(start, block)
        if (self._streams or self._audio) and self._queue.empty():
            self._queue.put(None)

    def set(self, name: str, value: Any) -> None:
        """Change a live parameter of the sink; it has been checked."""
        self._queue.put((name, value))

    def stop(self) -> None:
        """Let the sink finish what it has, and close it; wait at most two seconds for that."""
        self._stopping = True
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(2.0)

    def health(self) -> tuple[float, ...]:
        """The sink's row of the telemetry page. Any thread."""
        dropped = self.dropped + sum(tap.dropped for tap in (*self._taps, *self._audio_taps))
        late = self.lateness.milliseconds()
        return (SINK_STATES.index(self.status), *late, self.fired, self.stale, dropped, self.failures)

    def _enqueue(self, event: Event) -> None:
        if self._queue.qsize() >= self.ROOM:
            self.dropped += 1
            with suppress(Empty):
                self._queue.get_nowait()
        self._queue.put((time.monotonic_ns(), event))

    def _lead(self) -> int:
        return round((self.sink.latency_ms - self.sink.offset_ms) * self.sink.rate / 1000)

    # The rest runs on the sink's thread.

    def _run(self) -> None:
        raise_priority(SINK_PRIORITY)
        while not self._stopping:
            try:
                if self.status != "ok":
                    self._open()
                self._receive(self._seconds_to_next())
                self._work()
            except Exception as error:
                self._fail(error)
        try:
            if self.status == "ok":
                self._receive(0.0)
                self._work()
        except Exception as error:
            self._fail(error)
        if self.status == "ok":
            self.sink.close()

    def _open(self) -> None:
        now = time.monotonic_ns()
        if now < self._retry_at:
            return
        self.sink.open(self.route.formats)
        self._pause = _FIRST_PAUSE_NS
        self._next_tick = now if self.sink.tick_ms > 0 else None
        self._tell("ok", self.sink.notice)

    def _fail(self, error: Exception) -> None:
        """Close, say why, and try again after a pause that doubles up to a second."""
        self.failures += 1
        was_open = self.status == "ok"
        self._retry_at = time.monotonic_ns() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_NS)
        self._tell("retrying", str(error) or type(error).__name__)
        if was_open:
            try:
                self.sink.close()
            except Exception as second:
                self.reason += f"; closing: {second}"

    def _tell(self, status: str, reason: str) -> None:
        if (status, reason) != (self.status, self.reason):
            self.status, self.reason = status, reason
            self._report(f"sink {self.id}", status, reason)

    def _seconds_to_next(self) -> float:
        now = time.monotonic_ns()
        moments = [now + int(_IDLE_SECONDS * 1e9)]
        if self.status != "ok":
            moments.append(self._retry_at)
        elif self._next_tick is not None:
            moments.append(self._next_tick)
        due = self._by_clock.next_due()
        if due is not None:
            moments.append(self._due_ns(due))
        return max(0.0, (min(moments) - now) / 1e9)

    def _due_ns(self, sample: int) -> int:
        """Host time at which the sink has to act for something that sounds at `sample`."""
        line = self._clock.line
        trim = round((self.sink.offset_ms - self.sink.latency_ms) * 1e6)
        return time.monotonic_ns() if line is None else line.at(sample) + trim

    def _receive(self, seconds: float) -> None:
        """Wait for news, at most so long, and take all there are."""
        try:
            item = self._queue.get(timeout=seconds) if seconds > 0 else self._queue.get_nowait()
            while True:
                if item is not None:
                    self._take(item)
                item = self._queue.get_nowait()
        except Empty:
            pass

    def _take(self, item: tuple[int, Event] | tuple[str, Any]) -> None:
        first, second = item
        if isinstance(first, str):
            setattr(self.sink, first, second)
        elif self._by_sample is not None:
            self._fire(second, first, self._due_ns(second.time))
        else:
            self._arrivals[second.identity] = first
            self._by_clock.add(second)
            if len(self._arrivals) > 2 * self.ROOM:
                self._arrivals.clear()

    def _work(self) -> None:
        """Fire what is due, pass frames and audio on, tick."""
        now = time.monotonic_ns()
        while (sample := self._by_clock.next_due()) is not None and self._due_ns(sample) <= now:
            due = self._due_ns(sample)
            for event in self._by_clock.pop_due(sample + 1):
                self._fire(event, self._arrivals.pop(event.identity, due), due)
        for tap in self._taps:
            while (frame := tap.get()) is not None:
                if self.status == "ok":
                    self.sink.send_frame(tap.wire, *frame)
        for tap in self._audio_taps:
            while (frame := tap.get()) is not None:
                if self.status == "ok":
                    self.sink.send_audio(tap.wire, *frame)
        if self._next_tick is not None and self.status == "ok" and now >= self._next_tick:
            self._next_tick = self.sink.tick(time.monotonic_ns())
        if self.status == "ok":
            self._tell("ok", self.sink.notice)

    def _fire(self, event: Event, arrival: int, due: int) -> None:
        late = time.monotonic_ns() - max(due, arrival)
        if self.status != "ok" or (late > _STALE_NS and self._by_sample is None):
            self.stale += 1  # a light that comes seconds after its beat is worse than none
            return
        acts = due + round(self.sink.latency_ms * 1e6)
        self.sink.send_event(event, acts, self._wall.to_ntp(acts))
        self.lateness.add(late)
        self.fired += 1


class Dispatcher:
    """All the sinks of a plan."""

    def __init__(self, plan: Plan, clock: StreamClock, report: Report) -> None:
        self.wall = WallClock()
        self.outlets: dict[str, Outlet] = {}
        for id, sink in plan.sinks.items():
            sink.id, sink.rate = id, plan.rate
            self.outlets[id] = Outlet(id, sink, route(plan, id), clock, self.wall, report)

    def start(self) -> None:
        """Open the sinks, each on its thread."""
        for outlet in self.outlets.values():
            outlet.start()

    def put(self, events: list[Event], position: int) -> None:
        """The events of a quantum; `position`: samples consumed so far."""
        for outlet in self.outlets.values():
            outlet.put(events, position)

    def put_streams(self, start: int) -> None:
        """The frames and audio of the quantum that started at sample `start`."""
        for outlet in self.outlets.values():
            outlet.put_streams(start)

    def stop(self) -> None:
        """Finish and close the sinks."""
        for outlet in self.outlets.values():
            outlet.stop()
