"""Clicks and synthesiser notes: on their sample, amendable, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from engine.graph import Graph
from engine.node import AudioIn, EventsFormat, EventsOut, Node
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.sound.click import Click

RATE = 44100


class Script(Node):
    """Says prepared events: (at which quantum, kind, time, key, revision, retracted, values)."""

    audio = AudioIn("ignored")
    events = EventsOut("events", kinds={"beat": "-", "downbeat": "-"})

    def __init__(self, *lines):
        super().__init__()
        self.lines = lines

    def prepare(self, audio):
        return EventsFormat(audio.rate, (-RATE, RATE))

    def process(self):
        for at, kind, time, key, revision, retracted, values in self.lines:
            if self.clock.start <= at < self.clock.stop:
                self.events.emit(kind, time, key=key, revision=revision, retracted=retracted, **values)


def line(at, time, *, kind="beat", key=0, revision=0, retracted=False, **values):
    return at, kind, time, key, revision, retracted, values


def rendered(node, *lines, quantum=256, seconds=1.0, gap=None):
    graph = Graph(quantum=quantum).add("script", Script(*lines)).add("node", node)
    plan = compile_graph(graph.connect("input", "script").connect("script", "node"))
    runner = Runner(plan, strict=True)
    out = []
    silence = np.zeros((1, quantum), np.float32)
    while runner.position < seconds * RATE:
        if gap and runner.position == gap[0]:
            runner.gap(gap[1])
        runner.tick(silence)
        out.append(plan.streams["node.audio"][0].copy())
    plan.release()
    return np.concatenate(out)


def starts(audio):
    """Where sound begins after at least 200 zeros."""
    loud = np.flatnonzero(audio)
    return [int(n) for n, gap in zip(loud, np.diff(loud, prepend=-1000), strict=True) if gap > 200]


def test_click_is_the_decaying_sine_at_its_sample():
    audio = rendered(Click(frequency=1000.0, length=20.0, gain=-6.0), line(0, 5000))
    n = round(0.02 * RATE)
    t = np.arange(n)
    tone = np.sin(2 * np.pi * 1000 * t / RATE) * 10 ** (-3 * t / n)
    expected = np.zeros(len(audio))
    expected[5000 : 5000 + n] = tone / np.abs(tone).max() * 10 ** (-6 / 20)
    np.testing.assert_allclose(audio, expected, atol=1e-6)


def test_clicks_overlap_and_do_not_depend_on_the_quantum():
    lines = [line(0, 5000 + 300 * k, key=k, velocity=127 - k) for k in range(60)]
    one, other = (rendered(Click(length=200.0), *lines, quantum=q) for q in (64, 512))
    assert one[: len(other)].tobytes() == other[: len(one)].tobytes()


def test_click_follows_amendments_until_due_and_forgets_the_retracted():
    audio = rendered(
        Click(length=5.0),
        line(0, 10000, key=1),
        line(5000, 12000, key=1, revision=1),
        line(13000, 20000, key=1, revision=2),  # too late: it has sounded
        line(0, 30000, key=2),
        line(20000, 30000, key=2, revision=1, retracted=True),
    )
    assert starts(audio) == [12001]  # the sine begins with a zero


def test_late_click_sounds_at_once_and_downbeats_are_an_octave_higher():
    audio = rendered(Click(length=5.0), line(10240, 3000), line(0, 20000, kind="downbeat", key=1))
    assert starts(audio) == [10241, 20001]
    plain, accent = (np.abs(np.fft.rfft(audio[n : n + 220], 4096)).argmax() for n in (10240, 20000))
    assert accent / plain == pytest.approx(2, rel=0.1)


def test_click_due_in_a_gap_is_dropped():
    audio = rendered(Click(length=5.0), line(0, 6000), line(0, 20000, key=1), gap=(5120, 8))
    assert starts(audio) == [20001 - 8 * 256]


pyo = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("pyo") is None,
    reason="the optional module pyo is not installed",
)


@pyo
@pytest.mark.parametrize("sound", ["fm", "sine"])
def test_pyo_note_starts_on_its_sample_at_its_pitch(sound):
    from nodes.sound.pyo_synth import PyoSynth

    audio = rendered(PyoSynth(sound=sound, decay=300.0), line(0, 5003, pitch=69, velocity=64))
    assert 5003 <= starts(audio)[0] <= 5006
    if sound == "sine":
        spectrum = np.abs(np.fft.rfft(audio[5003:15003] * np.hanning(10000)))
        assert spectrum.argmax() * RATE / 10000 == pytest.approx(440, abs=5)
        assert np.abs(audio).max() == pytest.approx(10 ** (-9 / 20) * 64 / 127, rel=0.1)


@pyo
def test_two_pyo_nodes_have_servers_of_their_own():
    from nodes.sound.pyo_synth import PyoSynth

    graph = Graph().add("one", Script(line(0, 3000))).add("two", Script(line(0, 9000)))
    graph.add("a", PyoSynth()).add("b", PyoSynth()).connect("input", "one").connect("input", "two")
    plan = compile_graph(graph.connect("one", "a").connect("two", "b"))
    runner = Runner(plan, strict=True)
    heard = {"a": [], "b": []}
    for _ in range(60):
        runner.tick(np.zeros((1, 256), np.float32))
        for id, blocks in heard.items():
            blocks.append(plan.streams[f"{id}.audio"][0].copy())
    plan.release()
    a, b = (np.concatenate(heard[id]) for id in "ab")
    assert abs(starts(a)[0] - 3000) < 4 and abs(starts(b)[0] - 9000) < 4
    assert np.array_equal(a[3000:9000], b[9000:15000])


def test_missing_pyo_is_told_with_its_mend(monkeypatch):
    import sys

    from engine.errors import GraphError
    from nodes.sound.pyo_synth import PyoSynth

    monkeypatch.setitem(sys.modules, "pyo", None)
    graph = Graph().add("script", Script()).add("synth", PyoSynth()).connect("input", "script")
    with pytest.raises(GraphError, match=r"pip install 'followspot\[pyo\]'"):
        compile_graph(graph.connect("script", "synth"))
