"""The runner: faults stay where they are, time goes on, nothing is allocated."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from engine.errors import FollowspotError
from engine.graph import Graph
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.runner import Runner
from tests.engine_nodes import Amplify, Beats, Centre, Echo, Held, Pair, Sum, ramp


def make(*nodes, strict=False, quantum=256, channels=1):
    """A runner over nodes (id, node, wires of its inputs)."""
    graph = Graph(quantum=quantum, channels=channels)
    for id, node, *sources in nodes:
        graph.add(id, node)
        for port, source in zip(node.inputs, sources, strict=True):
            graph.connect(source, f"{id}.{port}")
    return Runner(compile_graph(graph), strict=strict)


def ones(n=256, channels=1):
    return np.ones((channels, n), np.float32)


def test_node_that_raises_is_isolated_and_the_rest_plays_on():
    runner = make(("bad", Amplify(fail_at=512), "input"), ("good", Amplify(gain=2.0), "input"))
    events = [list(runner.tick(ones())) for _ in range(5)]
    assert [len(e) for e in events] == [0, 0, 1, 0, 0]
    (fault,) = events[2]
    assert (fault.kind, fault.source, fault.time) == ("fault", "engine", 512)
    assert fault.values["node"] == "bad" and "broken on purpose" in fault.values["error"]
    streams = runner.plan.streams
    assert not streams["bad.out"].any() and (streams["good.out"] == 2).all()
    assert runner.faults == {"bad": "RuntimeError: broken on purpose"}


def test_nodes_behind_the_failed_one_run_in_the_same_quantum():
    runner = make(("bad", Amplify(fail_at=0), "input"), ("good", Amplify(gain=3.0), "input"))
    runner.tick(ones())
    assert (runner.plan.streams["good.out"] == 3).all()


def test_reset_gives_failed_nodes_another_chance():
    runner = make(("bad", Amplify(fail_at=512), "input"))
    for _ in range(4):
        runner.tick(ones())
    runner.reset()
    assert not runner.faults and runner.position == 0
    runner.tick(ones())
    assert (runner.plan.streams["bad.out"] == 1).all()


def test_strict_raises_and_names_the_node():
    runner = make(("bad", Amplify(fail_at=0), "input"), strict=True)
    with pytest.raises(FollowspotError, match="node bad failed: RuntimeError: broken on purpose"):
        runner.tick(ones())


@pytest.mark.parametrize(("cls", "frames"), [(Centre, []), (Held, [(n, 512.0) for n in (2, 3, 4, 5)])])
def test_port_policies_nothing_and_hold(cls, frames):
    class Fails(cls):
        def step(self, window, value):
            if self.clock.start >= 1280:
                raise RuntimeError("no more")
            super().step(window, value)

    runner = make(("node", Fails(window=1024, hop=512), "input"), ("total", Sum(), "node"))
    after = []
    for start, block in enumerate(quanta(ramp(3072), 256)):
        runner.tick(block)
        stream = runner.plan.streams["node.value"]
        if start >= 5:
            after += [(stream.first + k, float(stream.slots[k])) for k in range(stream.count)]
    assert after == frames and "node" in runner.faults


def test_nan_that_passes_by_leaves_one_fault_and_no_nan_behind():
    runner = make(
        ("bad", Amplify(nan_at=1024), "input"),
        ("frames", Centre(window=512, hop=256), "bad"),
        ("total", Sum(), "frames"),
        ("fine", Centre(window=512, hop=256), "input"),
    )
    for _ in range(40):
        runner.tick(ones())
    assert len(runner.faults) == 1 and "fine" not in runner.faults
    assert np.isfinite(runner.plan.streams["total.total"].data).all()


def test_lasting_nan_is_blamed_on_its_source_not_on_who_passed_it_on():
    class Nan(Amplify):
        def step(self, audio, out):
            out[:] = np.nan if self.clock.start >= 1024 else 1.0

    runner = make(
        ("a", Nan(), "input"),
        ("b", Amplify(), "a"),
        ("c", Centre(), "b"),
        ("d", Sum(), "c"),
        ("e", Amplify(), "b"),
    )
    for _ in range(30):
        runner.tick(ones())
    assert list(runner.faults) == ["a"]
    assert np.isfinite(runner.plan.streams["d.total"].data).all()


def test_held_frame_is_never_the_one_that_was_not_finite():
    class Nan(Held):
        def step(self, window, value):
            value[...] = np.nan if self.clock.start >= 1024 else 7.0

    runner = make(("node", Nan(), "input"))
    for _ in range(20):
        runner.tick(ones())
        if runner.faults:
            assert runner.plan.streams["node.value"].slots[0] in (0.0, 7.0)
    assert runner.faults


def test_input_that_is_not_finite_becomes_silence_and_is_told_once():
    runner = make(("amp", Amplify(), "input"))
    block = ones()
    block[0, 10], block[0, 20] = np.nan, -np.inf
    told = [len(runner.tick(b)) for b in (ones(), block, block, ones(), block)]
    assert told == [0, 1, 0, 0, 1]
    out = runner.plan.streams["amp.out"][0]
    assert out[10] == out[20] == 0 and out.sum() == 254


def test_block_of_the_wrong_shape_is_refused_in_words():
    runner = make(("amp", Amplify(), "input"), channels=2)
    for shape in ((1, 256), (2, 255), (2, 512)):
        with pytest.raises(FollowspotError, match=r"not \(2, 256\)"):
            runner.tick(np.zeros(shape, np.float32))
    assert runner.position == 0


def test_blocks_need_not_be_contiguous():
    runner = make(("amp", Amplify(), "input"), channels=2)
    interleaved = np.arange(512, dtype=np.float32).reshape(256, 2)
    runner.tick(interleaved.T)
    np.testing.assert_array_equal(runner.plan.streams["amp.out"], interleaved.T)


def test_parameter_changes_at_the_edge_of_a_quantum():
    runner = make(("amp", Amplify(), "input"))
    seen = []
    for i in range(4):
        if i == 2:
            runner.set("amp.gain", 3)
        runner.tick(ones())
        seen.append(runner.plan.streams["amp.out"].tolist()[0])
    assert [set(block) for block in seen] == [{1.0}, {1.0}, {3.0}, {3.0}]


@pytest.mark.parametrize(
    ("target", "value", "text"),
    [
        ("amp.gain", 11, "out of range; allowed: 0 to 10"),
        ("amp.gain", "loud", "is not a number"),
        ("amp.gian", 1, "did you mean 'gain'"),
        ("ampp.gain", 1, "did you mean 'amp'"),
        ("amp.colour", "green", "cannot change while running"),
    ],
)
def test_bad_parameter_changes_are_refused_and_change_nothing(target, value, text):
    runner = make(("amp", Amplify(), "input"))
    with pytest.raises(FollowspotError, match=text):
        runner.set(target, value)
    runner.tick(ones())
    assert (runner.plan.streams["amp.out"] == 1).all()


def test_gap_moves_time_tells_nodes_and_is_an_event():
    class Listens(Amplify):
        def gap(self, start, length):
            self.told = start, length

    runner = make(("node", Listens(), "input"), ("frames", Centre(window=512, hop=256), "input"))
    runner.tick(ones())
    (event,) = runner.gap(5)
    assert (
        event.kind == "gap" and event.time == 256 and event.values["length"] == pytest.approx(5 * 256 / 44100)
    )
    assert runner.plan.nodes["node"].told == (256, 1280) and runner.position == 1536
    runner.tick(ones())
    stream = runner.plan.streams["frames.value"]
    assert stream.count == 1 and stream.time(0) == 1536


def test_methods_outside_process_that_raise_are_isolated_too():
    for method in ("gap", "finish", "changed", "set_quality"):

        def fails(self, *args):
            raise RuntimeError("outside")

        cls = type("Fails", (Amplify,), {method: fails, "quality_levels": 2})
        runner = make(("bad", cls(), "input"), ("good", Amplify(gain=2.0), "input"))
        runner.tick(ones())
        call = {
            "gap": lambda r: r.gap(1),
            "finish": lambda r: r.finish(),
            "changed": lambda r: r.set("bad.gain", 2),
            "set_quality": lambda r: r.set_quality(1),
        }[method]
        call(runner)
        assert runner.faults == {"bad": "RuntimeError: outside"}, method
        runner.tick(ones())
        assert (runner.plan.streams["good.out"] == 2).all()


def test_quality_goes_to_nodes_that_have_levels_no_further_than_they_have():
    class Levels(Amplify):
        quality_levels = 3

        def set_quality(self, level):
            self.level = level

    runner = make(("levels", Levels(), "input"), ("plain", Amplify(), "input"))
    runner.set_quality(7)
    assert runner.plan.nodes["levels"].level == 2


def test_events_reach_nodes_in_the_same_quantum_and_carry_what_was_consumed():
    runner = make(("beats", Beats(period=300), "input"), ("echo", Echo(), "beats"))
    events = [e for _ in range(4) for e in list(runner.tick(ones()))]
    assert [(e.source, e.time) for e in events if e.source == "beats"] == [
        ("beats", t) for t in (0, 300, 600, 900)
    ]
    pairs = {(e.time, e.emitted) for e in events if e.source == "beats"}
    assert pairs == {(e.time, e.emitted) for e in events if e.source == "echo"}
    assert all(e.emitted == (e.time // 256 + 1) * 256 for e in events)


def test_undeclared_event_kind_is_a_fault_of_the_node():
    class Lies(Beats):
        def process(self):
            self.events.emit("drop", 0)

    runner = make(("lies", Lies(), "input"))
    runner.tick(ones())
    assert "declares only beat" in runner.faults["lies"]


def test_offline_fires_in_order_of_due_time_and_not_what_is_due_after_the_end():
    runner = make(("late", Beats(period=700), "input"), ("early", Beats(period=500, ahead=2000), "input"))
    events = collect(runner, quanta(np.zeros(3000, np.float32), 256))
    times = [e.time for e in events]
    assert times == sorted(times) and max(times) < 3072
    assert {e.time for e in events if e.source == "early"} >= {2000, 2500, 3000}


def test_a_quantum_allocates_nothing_that_stays():
    runner = make(
        ("amp", Amplify(), "input"),
        ("a", Centre(), "amp"),
        ("b", Centre(window=2048), "amp"),
        ("pair", Pair(), "a", "b"),
    )
    import tracemalloc

    block = ones()
    for _ in range(2000):
        runner.tick(block)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(200):
            runner.tick(block)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracked = len(gc.get_objects())
        for _ in range(3000):
            runner.tick(block)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2000 and len(gc.get_objects()) <= tracked + 5


def test_warm_up_leaves_no_trace():
    def run(warm):
        runner = make(("frames", Centre(), "input"), ("total", Sum(), "frames"), ("beats", Beats(), "input"))
        if warm:
            runner.warm_up(50)
        out = []
        for block in quanta(ramp(4096), 256):
            events = [(e.time, e.emitted) for e in runner.tick(block)]
            out.append((events, runner.plan.streams["total.total"].data.tobytes()))
        return out, runner.budget.quanta

    assert run(True)[0] == run(False)[0]
    assert run(True)[1] == 16
