"""Plans: order, formats, and branches of different latency that meet again."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import GraphError
from engine.formats import FramesFormat
from engine.graph import Graph
from engine.node import Node
from engine.plan import compile_graph
from engine.runner import Runner
from tests.engine_nodes import Add, Amplify, Centre, Delay, Pair, ramp


def audio_of(plan, port, n, at=None):
    """Output of a port for a ramp, whole quanta; `at`: quantum -> action."""
    runner, out = Runner(plan, strict=True), []
    x = ramp(n)
    q = plan.quantum
    for i in range(n // q):
        runner.tick(np.ascontiguousarray(x[:, i * q : (i + 1) * q]))
        out.append(plan.streams[port].copy())
    return np.concatenate(out, axis=1)


def frames_of(plan, port, n, gap=None):
    """All frames of a port for a ramp that keeps counting over a gap (from, quanta)."""
    runner, out, x, q = Runner(plan, strict=True), [], ramp(n), plan.quantum
    while runner.position < n - q:
        if gap and runner.position == gap[0]:
            runner.gap(gap[1])
        runner.tick(np.ascontiguousarray(x[:, runner.position : runner.position + q]))
        stream = plan.streams[port]
        out += [
            (stream.first + k, stream.time(k), runner.position, stream.slots[k].copy())
            for k in range(stream.count)
        ]
    return out


def test_order_follows_the_wires_not_the_declaration():
    graph = Graph().add("c", Amplify()).add("b", Amplify()).add("a", Amplify()).chain("input", "a", "b", "c")
    assert [node.id for node in compile_graph(graph).steps] == ["input", "a", "b", "c"]


@pytest.mark.parametrize("samples", [1, 100, 256, 1000])
@pytest.mark.parametrize("quantum", [64, 256])
def test_audio_diamond_is_aligned(samples, quantum):
    graph = Graph(quantum=quantum).add("late", Delay(samples=samples)).add("add", Add())
    graph.connect("input", "late").connect("late", "add.a").connect("input", "add.b")
    plan = compile_graph(graph)
    out = audio_of(plan, "add.out", 4096)
    expected = np.concatenate([np.zeros(samples), 2 * np.arange(4096 - samples)])
    np.testing.assert_array_equal(out[0], expected)
    assert plan.formats["add.out"].latency == samples
    assert {wire.target_port: wire.delay for wire in plan.wires if wire.target == "add"} == {
        "a": 0,
        "b": samples,
    }


@pytest.mark.parametrize("quantum", [64, 256, 512])
def test_frames_diamond_is_aligned(quantum):
    """Frames from windows of 1024 and 4096 come together with equal times, as soon as both are there."""
    graph = Graph(quantum=quantum).add("short", Centre()).add("long", Centre(window=4096)).add("pair", Pair())
    graph.connect("input", "short").connect("input", "long").connect("short", "pair.a").connect(
        "long", "pair.b"
    )
    plan = compile_graph(graph)
    frames = frames_of(plan, "pair.out", 16384)
    format = plan.formats["pair.out"]
    assert isinstance(format, FramesFormat) and format.latency == 2048
    assert [index for index, *_ in frames] == list(range(len(frames))) and len(frames) > 40
    for _, time, delivered, (a, b, stamped) in frames:
        assert a == b == max(0, time) and stamped == time
        assert time + 2048 <= delivered < time + 2048 + quantum


@pytest.mark.parametrize("first", ["short", "long"])
def test_frames_diamond_is_aligned_after_a_gap(first):
    graph = Graph().add("short", Centre()).add("long", Centre(window=4096)).add("pair", Pair())
    second = "long" if first == "short" else "short"
    graph.connect("input", "short").connect("input", "long")
    plan = compile_graph(graph.connect(first, "pair.a").connect(second, "pair.b"))
    gap_end = 8192 + 13 * 256
    frames = frames_of(plan, "pair.out", 32768, gap=(8192, 13))
    after = [frame for frame in frames if frame[2] > gap_end]
    assert len(after) > 20
    for _, time, delivered, (a, b, stamped) in after:
        assert stamped == time and time + 2048 <= delivered < time + 2048 + 256
        assert a == b == (time if time >= gap_end else 0)  # what was lost is silence
    times = [time for _, time, *_ in frames]
    assert times == sorted(set(times))


def test_audio_that_lags_gives_frames_their_true_time():
    graph = Graph().add("late", Delay(samples=300)).add("frames", Centre()).chain("input", "late", "frames")
    for _, time, _, value in frames_of(compile_graph(graph), "frames.value", 8192):
        assert value == max(0, time)


def test_non_causal_node_is_refused_live_and_runs_offline():
    class Future(Amplify):
        causal = False

    graph = Graph().add("node", Future()).connect("input", "node")
    compile_graph(graph)
    with pytest.raises(GraphError, match="--offline"):
        compile_graph(graph, live=True)


def test_seed_depends_on_graph_and_id_only():
    def seeds(seed):
        graph = Graph(seed=seed).add("a", Amplify()).add("b", Amplify()).chain("input", "a", "b")
        return [node.seed for node in compile_graph(graph).steps[1:]]

    assert seeds(1) == seeds(1) != seeds(2)
    assert len(set(seeds(1))) == 2


def test_prepare_that_forgets_a_format_is_told():
    class Forgets(Amplify):
        def prepare(self, audio):
            return {}

    with pytest.raises(GraphError, match="node node: prepare returned no format for out"):
        compile_graph(Graph().add("node", Forgets()).connect("input", "node"))


def test_unbound_port_says_what_to_do():
    with pytest.raises(Exception, match="compile a graph first"):
        _ = Amplify().audio
    assert isinstance(Amplify(), Node)
