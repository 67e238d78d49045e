"""Sinks on threads of their own: due times, revisions, taps, failures."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from engine.budget import Overload
from engine.clock import Line, StreamClock, WallClock
from engine.events import Event
from engine.live.dispatcher import Outlet, Tap
from engine.live.histogram import Histogram
from engine.live.telemetry import Names, Page, new_memory
from engine.routes import Route
from engine.sink import Sink

RATE = 44100


class Catch(Sink):
    """Notes what it gets and when."""

    tick_ms = 0.0

    def open(self, wires: Any) -> None:
        self.got: list[tuple[Event, int, int]] = getattr(self, "got", [])
        self.ticks: list[int] = getattr(self, "ticks", [])

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        self.got.append((event, time.monotonic_ns(), due_ns))


class Pulse(Catch):
    tick_ms = 5.0

    def tick(self, now_ns: int) -> int:
        self.ticks.append(now_ns)
        return now_ns + 5_000_000


def outlet(sink: Sink, start: int) -> Outlet:
    """A running outlet that gets beats; sample 0 sounds at host time `start`."""
    clock = StreamClock(RATE)
    clock.line = Line(0, start, 1e9 / RATE)
    path = Route({}, frozenset({("n", "beat")}), frozenset(), {}, {})
    made = Outlet("out", sink, path, clock, WallClock(), lambda *_: None)
    made.start()
    return made


def beat(seconds: float, key: int, **rest: Any) -> Event:
    return Event("beat", int(seconds * RATE), 0, "n", key, **rest)


@pytest.mark.real_time
def test_events_fire_when_due_in_their_last_revision() -> None:
    sink, start = Catch(offset_ms=-20.0, latency_ms=10.0), time.monotonic_ns()
    made = outlet(sink, start)
    made.put([beat(0.2, 1), beat(0.1, 2), beat(0.15, 3)], 0)
    made.put([beat(0.25, 1, revision=1), beat(0.15, 3, revision=1, retracted=True)], 0)
    time.sleep(0.4)
    made.put([beat(0.25, 1, revision=2)], 0)  # it has fired: too late to be amended
    made.stop()
    assert [(event.key, event.revision) for event, _, _ in sink.got] == [(2, 0), (1, 1)]
    for event, at, due in sink.got:
        sounds = start + event.time / RATE * 1e9
        assert -30.1e6 < at - sounds < 100e6  # 20 ms early, and 10 ms for the lamp; late as the machine is
        assert due - sounds == pytest.approx(-20e6, abs=1e5)  # takes effect when asked
    assert made.lateness.max < 130e6


@pytest.mark.real_time
def test_an_event_said_too_late_fires_at_once_and_a_stale_one_never() -> None:
    sink = Catch()
    made = outlet(sink, time.monotonic_ns() - 10_000_000_000)
    made.put([beat(9.99, 1)], 0)
    time.sleep(0.1)
    made._queue.put((time.monotonic_ns() - 3_000_000_000, beat(5.0, 2)))  # waited three seconds in the queue
    time.sleep(0.1)
    made.stop()
    assert [event.key for event, _, _ in sink.got] == [1]
    assert made.stale == 1


@pytest.mark.real_time
def test_an_oscillator_ticks_when_it_asks() -> None:
    sink = Pulse()
    made = outlet(sink, time.monotonic_ns())
    time.sleep(0.5)
    made.stop()
    assert len(sink.ticks) > 10  # 100 if nobody holds the machine
    assert np.min(np.diff(sink.ticks)) >= 5e6  # never before it asked
    assert np.min(np.diff(sink.ticks)) < 7e6  # and not on a slower clock of the dispatcher's own


def test_a_tap_gives_all_in_order_or_drops_the_oldest() -> None:
    tap = Tap("n.level", (), np.float32, 16)
    for k in range(10):
        tap.put(k, np.float32(k))
    assert [tap.get() for _ in range(3)] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    for k in range(10, 40):
        tap.put(k, np.float32(k))
    got = [item[0] for item in iter(tap.get, None)]
    assert got == list(range(32, 40))
    assert tap.dropped == 40 - 3 - 8


def test_quantiles_are_right_to_a_bucket() -> None:
    histogram = Histogram()
    values = np.random.default_rng(0).lognormal(12, 1, 20_000).astype(int)
    for value in values:
        histogram.add(int(value))
    for q in (0.5, 0.99):
        assert histogram.quantile(q) == pytest.approx(np.quantile(values, q), rel=0.09)
    assert histogram.max == values.max()


def test_the_page_shows_what_was_published() -> None:
    memory = new_memory()
    writer, reader = Page(memory), Page(memory)
    names = Names(RATE, 256, 1, ("a", "b"), ("out",))
    assert reader.read(names).state == "starting"
    writer.row["position"], writer.row["state"] = 512, 1
    writer.row["nodes"][2] = 1, 2, 3, 4
    assert reader.read(names).position == 0
    writer.publish()
    seen = reader.read(names)
    assert (seen.position, seen.state, seen.loads["quantum"]) == (512, "running", (1, 2, 3, 4))
    writer._sequence[0] += 1  # a writer killed in the middle: the last good page is shown
    writer.row["position"] = 1024
    assert reader.read(names).position == 512
    reader.clear()
    assert reader.read(names).position == 0


def test_a_stall_is_caught_up_and_only_a_backlog_that_stays_is_skipped() -> None:
    ladder = Overload(256 / RATE)
    assert [ladder.update(backlog) for backlog in range(80, 0, -1)][-1] == "degrade"
    assert ladder.entered["skip"] == 0
    for _ in range(1000):
        ladder.update(0)
    assert ladder.state == "ok"
    states = [ladder.update(20 + k // 2) for k in range(12)]
    assert states[0] == "degrade"
    assert "skip" in states
