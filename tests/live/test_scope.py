"""The scope: a reader sees every frame, block and prediction, and the engine never waits for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.events import Event
from engine.graph import Graph
from engine.live.scope import Reader, Said, Scope, new_memory
from engine.live.supervisor import Supervisor
from engine.node import AudioIn, EventsFormat, EventsOut, FramesOut, HopNode
from engine.plan import compile_graph
from engine.runner import Runner
from tests.live.conftest import Build


class Probe(HopNode):
    """Frames that tell their index, complex ones, and a prediction a quantum, every third taken back."""

    audio = AudioIn("audio")
    ramp = FramesOut("index + row, shape (3,)")
    whirl = FramesOut("complex")
    beats = EventsOut("predictions", kinds={"beat": "bpm"})

    def prepare(self, audio):
        ramp = self.framing(audio, 256, 100, (3,))
        self.count = 0
        return {
            "ramp": ramp,
            "whirl": self.framing(audio, 256, 100, (3,), dtype=np.complex64),
            "beats": EventsFormat(audio.rate, (-1000, 0)),
        }

    def process(self):
        super().process()
        self.count += 1
        self.beats.emit(
            "beat", self.clock.stop + 1000, key=self.count, revision=2, retracted=self.count % 3 == 0, bpm=1.0
        )

    def step(self, window, ramp, whirl):
        ramp[:] = self._index + np.arange(3)


def build():
    graph = Graph(44100, 256, 2, 0)
    graph.add("probe", Probe()).connect("input.audio", "probe")
    plan = compile_graph(graph)
    memory = new_memory()
    scope = Scope(memory, plan)
    return plan, Runner(plan), scope, Reader(memory, scope.view)


def run(plan, runner, scope, quanta, value=0.5):
    for n in range(quanta):
        start = runner.position
        events = runner.tick(np.full((2, 256), value + n, np.float32))
        scope.take(start, events)


def test_everything_is_seen_once_and_complex_frames_are_left_out():
    plan, runner, scope, reader = build()
    assert [track.output for track in reader.view.tracks] == ["input.audio", "probe.ramp"]
    frames, blocks, said = [], [], []
    for _ in range(30):
        run(plan, runner, scope, 7)
        times, items = reader.read(1)
        frames += [(int(t), item.tolist()) for t, item in zip(times, items, strict=True)]
        times, items = reader.read(0)
        blocks += times.tolist()
        assert items.shape[1:] == (2, 256)
        assert items[:, 1, 255].tolist() == [0.5 + n for n in range(7)]
        said += reader.said()
    assert blocks == list(range(0, 30 * 7 * 256, 256))
    assert len(frames) == 30 * 7 * 256 // 100
    assert frames == [(100 - 128 + 100 * n, [n, n + 1, n + 2]) for n in range(len(frames))]
    assert said[2] == Said("probe", "beat", 3 * 256 + 1000, 3, 2, True)
    assert [s.retracted for s in said] == [n % 3 == 0 for n in range(1, 211)]


def test_a_slow_reader_loses_the_oldest_and_gets_nothing_torn():
    plan, runner, scope, reader = build()
    run(plan, runner, scope, 2000)
    times, items = reader.read(1)
    room = reader.view.tracks[1].room
    assert len(times) == room - 1
    assert np.array_equal(items[:, 0], (times + 28) / 100)
    assert times[-1] == 100 * (2000 * 256 // 100 - 1) - 28
    assert len(reader.read(1)[0]) == 0
    run(plan, runner, scope, 1)
    assert 2 <= len(reader.read(1)[0]) <= 3


def test_the_control_process_sees_the_engine_process(show: Build, music: Path) -> None:
    events: list[Event] = []
    levels: list[float] = []
    foretold: list[Said] = []
    blocks = 0
    with Supervisor(show(), file=music, events=events.append, view=True) as supervisor:
        reader = supervisor.reader()
        assert reader is not None
        outputs = [track.output for track in reader.view.tracks]
        assert outputs == ["input.audio", "onsets.level"]
        while not supervisor.join(0.05):
            levels += reader.read(1)[1].tolist()
            blocks += len(reader.read(0)[0])
            foretold += reader.said()
    assert [wire.target for wire in reader.view.wires] == ["onsets"]
    assert len(levels) > 100
    assert max(levels) > 0.2
    assert blocks > 200
    beats = [said for said in foretold if said.kind == "beat"]
    assert {said.revision for said in beats} == {0, 1}
    heard = [event.time for event in events if event.kind == "beat"]
    assert set(heard) <= {said.time for said in beats}


def test_without_it_there_is_no_reader(show: Build, music: Path) -> None:
    with Supervisor(show(), file=music) as supervisor:
        assert supervisor.reader() is None
