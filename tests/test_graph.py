"""Graphs: every fault of the wiring is found, all together, each with node, port, reason and mend."""

from __future__ import annotations

from itertools import pairwise

import pytest

from engine.errors import FollowspotError, GraphError
from engine.graph import Graph
from engine.node import AudioIn
from engine.plan import compile_graph
from engine.sink import Sink
from tests.engine_nodes import Add, Amplify, Beats, Centre, Delay, Echo, Pair


class EventSink(Sink):
    """Takes events."""


def problems(graph):
    with pytest.raises(GraphError) as caught:
        compile_graph(graph)
    return [str(problem) for problem in caught.value.problems]


def test_all_faults_of_the_wiring_are_told_together():
    graph = Graph().add("amp", Amplify()).add("frames", Centre()).add("add", Add()).add("pair", Pair())
    graph.connect("input", "amp").connect("input", "frames")
    graph.connect("amp.out", "add.a").connect("input", "add.a")  # fed twice, and add.b not at all
    graph.connect("amp.out", "pair.a")  # audio into frames
    graph.connect("ampp", "add.b")  # no such node
    graph.connect("amp.outt", "pair.b")  # no such port
    graph.connect("frames", "pair")  # which of its inputs?
    graph.add_sink("sink", EventSink(), "amp")
    found = problems(graph)
    text = "\n".join(found)
    assert len(found) == 6
    assert "add.a is already fed by amp.out" in text and "remove one" in text
    assert "gives audio, but pair.a takes frames" in text and "converts" in text
    assert "there is no node 'ampp'; did you mean 'amp'?" in text
    assert "amp has no output 'outt'; did you mean 'out'?" in text
    assert "pair has 2 inputs (a, b): name one as pair.PORT" in text
    assert "sink sink takes events, not audio" in text


def test_a_wire_to_a_node_goes_to_the_one_input_that_is_needed():
    class WithSide(Add):
        """Needs a, takes b."""

        b = AudioIn("side", optional=True)

    graph = Graph().add("add", WithSide()).connect("input", "add")
    assert graph.resolve() == ([("input", "audio", "add", "a")], [])


def test_unconnected_inputs_are_told_with_what_they_take():
    found = problems(Graph().add("add", Add()).add("echo", Echo()))
    assert found == [
        "add.a: is not connected (add a wire to it: it takes audio)",
        "add.b: is not connected (add a wire to it: it takes audio)",
        "echo.events: is not connected (add a wire to it: it takes events)",
    ]


def test_cycle_is_named_node_by_node():
    graph = Graph().add("one", Add()).add("two", Amplify()).add("three", Amplify())
    graph.connect("input", "one.a").chain("one", "two", "three").connect("three", "one.b")
    (found,) = problems(graph)
    assert "feed each other" in found and "remove one of these wires" in found
    ring = found.split(": ")[2].split(" (")[0].split(" -> ")
    assert ring[0] == ring[-1] and set(ring) == {"one", "two", "three"}
    edges = set(pairwise(ring))
    assert edges == {("one", "two"), ("two", "three"), ("three", "one")}


def test_node_that_feeds_itself_is_a_cycle():
    graph = Graph().add("add", Add()).connect("input", "add.a").connect("add", "add.b")
    assert "add -> add" in problems(graph)[0]


def test_formats_that_cannot_be_served_are_told_for_every_node_and_only_once():
    graph = (
        Graph()
        .add("bad", Centre(window=128, hop=256))
        .add("after", Pair())
        .add("other", Centre(window=2, hop=4))
    )
    graph.connect("input", "bad").connect("input", "other")
    graph.connect("bad", "after.a").connect("bad", "after.b")
    found = problems(graph)
    assert [text.split(":")[0] for text in found] == ["node bad", "node other"]


def test_frames_of_different_hops_or_grids_do_not_join():
    for window, hop, reason in ((1024, 512, "the same hop"), (1000, 256, "multiple of the hop")):
        graph = Graph().add("a", Centre()).add("b", Centre(window=window, hop=hop)).add("pair", Pair())
        graph.connect("input", "a").connect("input", "b").connect("a", "pair.a").connect("b", "pair.b")
        (found,) = problems(graph)
        assert found.startswith("node pair:") and reason in found


def test_two_things_of_one_name_are_refused():
    graph = Graph().add("amp", Amplify())
    with pytest.raises(FollowspotError, match="another id"):
        graph.add("amp", Amplify())
    with pytest.raises(FollowspotError, match="another id"):
        graph.add_sink("amp", EventSink())


def test_events_of_several_nodes_may_share_an_input():
    graph = Graph().add("one", Beats()).add("two", Beats(period=700)).add("echo", Echo())
    graph.connect("input", "one").connect("input", "two").connect("one", "echo").connect("two", "echo")
    assert compile_graph(graph).formats["echo.again"].latency == (0, 0)


def test_wiring_does_not_touch_the_declarations():
    graph = Graph().add("one", Delay()).add("two", Delay()).chain("input", "one", "two")
    compile_graph(graph)
    assert Delay.audio.name == "audio" and Delay.audio is not graph.nodes["one"].__dict__["audio"]
