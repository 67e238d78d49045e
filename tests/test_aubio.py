"""The aubio adapters say what aubio says."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import GraphError
from engine.graph import Graph
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.runner import Runner
from engine.testing_inputs import music
from nodes.aubio.onset import AubioOnset
from nodes.aubio.pitch import AubioPitch
from nodes.aubio.tempo import AubioTempo

aubio = pytest.importorskip("aubio", reason="the optional module aubio is not installed")

RATE = 44100


def events_of(node, signal, quantum=256):
    graph = Graph(quantum=quantum).add("node", node).connect("input", "node")
    return collect(Runner(compile_graph(graph), strict=True), quanta(signal, quantum))


def hops(signal, hop):
    return [np.ascontiguousarray(signal[0, n : n + hop]) for n in range(0, signal.shape[1] - hop + 1, hop)]


def test_onsets_are_aubios():
    signal = music(3.0)
    detector = aubio.onset("default", 1024, 256, RATE)
    detector.set_threshold(0.3)
    detector.set_silence(-70.0)
    detector.set_minioi_ms(50.0)
    expected = [detector.get_last() for block in hops(signal, 256) if detector(block)[0]]
    for quantum in (64, 512):
        assert [e.time for e in events_of(AubioOnset(), signal, quantum)] == expected
    assert len(expected) > 4


def test_beats_are_aubios():
    signal = music(8.0)
    tracker = aubio.tempo("default", 1024, 512, RATE)
    tracker.set_threshold(0.3)
    expected = [tracker.get_last() for block in hops(signal, 512) if tracker(block)[0]]
    events = events_of(AubioTempo(), signal)
    assert [e.time for e in events] == expected and len(expected) > 4
    assert events[-1].values["bpm"] == pytest.approx(120, rel=0.05)


def test_pitch_of_a_sine_is_found_and_silence_has_none():
    signal = 0.5 * np.sin(2 * np.pi * 330 * np.arange(RATE) / RATE)
    signal[RATE // 2 :] = 0
    graph = Graph().add("node", AubioPitch()).connect("input", "node")
    plan = compile_graph(graph)
    runner = Runner(plan, strict=True)
    found = {}
    for block in quanta(signal, 256):
        runner.tick(block)
        stream = plan.streams["node.pitch"]
        found.update({stream.time(k): float(stream.slots[k]) for k in range(stream.count)})
    assert all(f == pytest.approx(330, rel=0.01) for t, f in found.items() if 3000 < t < RATE // 2 - 2000)
    assert all(f == 0 for t, f in found.items() if t > RATE // 2 + 3000)


def test_two_channels_and_windows_that_do_not_fit_are_refused():
    graph = Graph(channels=2).add("node", AubioOnset()).connect("input", "node")
    with pytest.raises(GraphError, match="one channel"):
        compile_graph(graph)
    with pytest.raises(GraphError, match="shorter than hop"):
        compile_graph(Graph().add("node", AubioPitch(window=256)).connect("input", "node"))


def test_missing_aubio_is_told_with_its_mend(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "aubio", None)
    with pytest.raises(GraphError, match=r"pip install 'followspot\[aubio\]'"):
        compile_graph(Graph().add("node", AubioOnset()).connect("input", "node"))
