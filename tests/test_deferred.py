"""The deferred lane: the result comes at its moment, live and offline alike, or not at all."""

from __future__ import annotations

import threading

import numpy as np

from engine.deferred import DeferredNode
from engine.graph import Graph
from engine.node import AudioIn, EventsFormat, EventsOut
from engine.plan import compile_graph
from engine.runner import Runner


class Slow(DeferredNode):
    """Says the sum of the quantum it looked at, 1024 samples later."""

    audio = AudioIn("audio")
    events = EventsOut("sums", kinds={"sum": "value"})

    def prepare(self, audio):
        self.delay = 1024
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()
        self._copy = np.zeros(self.quantum, np.float32)
        return EventsFormat(audio.rate, (0, 2048))

    def snapshot(self):
        self._copy[:] = self.audio[0]
        self._at = self.clock.stop
        return True

    def compute(self):
        self.begun.set()
        assert self.may_end.wait(5)
        return self._at, float(self._copy.sum())

    def publish(self, result):
        at, value = result
        self.events.emit("sum", at, key=at, value=value)


def make(live):
    runner = Runner(
        compile_graph(Graph().add("slow", Slow()).connect("input", "slow"), live=live), strict=True
    )
    return runner, runner.plan.nodes["slow"]


def play(runner, quanta, before=None):
    events = []
    for i in range(quanta):
        if before:
            before(i)
        x = np.full((1, 256), i, np.float32)
        events += [(e.time, e.emitted, e.values["value"]) for e in runner.tick(x)]
        node = runner.plan.nodes["slow"]
        worker = node.__dict__.get("_running")
        if worker is not None and node.may_end.is_set():
            worker.result(5)
    return events


def test_result_becomes_visible_exactly_after_its_delay():
    runner, _ = make(live=False)
    events = play(runner, 13)
    assert [(at, emitted - at) for at, emitted, _ in events] == [(256, 1024), (1280, 1024), (2304, 1024)]
    assert [value for *_, value in events] == [0.0, 4 * 256.0, 8 * 256.0]


def test_live_gives_the_same_as_offline():
    (live, node), (offline, _) = make(live=True), make(live=False)
    assert play(live, 20) == play(offline, 20)
    assert node.late == 0
    live.plan.release()


def test_result_that_is_late_is_dropped_and_counted_and_never_waited_for():
    runner, node = make(live=True)
    node.may_end.clear()
    assert play(runner, 10) == []
    assert node.late == 1
    node.may_end.set()
    node._running.result(5)
    events = play(runner, 10)
    assert events and all(emitted - at == 1024 for at, emitted, _ in events)
    runner.plan.release()


def test_reset_drops_work_under_way():
    runner, node = make(live=True)
    play(runner, 2)
    runner.reset()
    events = play(runner, 13)
    offline, _ = make(live=False)
    assert events == play(offline, 13) and node.late == 0
    runner.plan.release()


def test_worker_that_fails_is_a_fault_at_the_moment_of_the_result():
    class Fails(Slow):
        def compute(self):
            raise RuntimeError("too hard")

    for live in (False, True):
        graph = Graph().add("slow", Fails()).connect("input", "slow")
        runner = Runner(compile_graph(graph, live=live))
        for _ in range(8):
            runner.tick(np.zeros((1, 256), np.float32))
        assert runner.faults == {"slow": "RuntimeError: too hard"}
        runner.plan.release()


def test_release_ends_the_worker():
    runner, _ = make(live=True)
    play(runner, 3)
    before = threading.active_count()
    runner.plan.release()
    assert threading.active_count() == before - 1
