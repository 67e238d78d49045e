"""What the engine itself costs per quantum: a graph of 24 nodes that compute nothing.

    python -m tests.benchmarks.bench_engine [--quanta N]

Everything that is left is the engine: taking the input in, framing, aligning, calling, stamping, checking,
and collecting events. Wall times are given as percentiles; on a machine that does other things they hold its
noise, so the processor time per quantum is given beside them. Writes build/benchmarks/engine.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from pathlib import Path

import numpy as np

from engine.graph import Graph
from engine.node import (
    AudioIn,
    AudioNode,
    AudioOut,
    EventNode,
    EventsFormat,
    EventsIn,
    EventsOut,
    FrameNode,
    FramesIn,
    FramesOut,
    HopNode,
    Node,
    same_grid,
)
from engine.plan import compile_graph
from engine.runner import Runner

TARGET_US = 20.0


class Through(AudioNode):
    """Audio node that does nothing."""

    audio = AudioIn("audio")
    out = AudioOut("nothing")

    def step(self, audio, out):
        pass


class Frame(HopNode):
    """Frames of 64 values, one a quantum, nothing in them."""

    audio = AudioIn("audio")
    frame = FramesOut("zeros")

    def prepare(self, audio):
        return self.framing(audio, 1024, 256, (64,))

    def step(self, window, frame):
        pass


class Feature(FrameNode):
    """Frame node that does nothing."""

    frame = FramesIn("frame")
    out = FramesOut("zeros")

    def prepare(self, frame):
        return same_grid(frame)

    def step(self, frame, out):
        pass


class Join(FrameNode):
    """Joins two branches, does nothing."""

    a = FramesIn("frame")
    b = FramesIn("frame")
    out = FramesOut("zeros")

    def prepare(self, a, b):
        return same_grid(a)

    def step(self, a, b, out):
        pass


class Teller(Node):
    """One event in every tenth quantum."""

    audio = AudioIn("ignored")
    events = EventsOut("beats", kinds={"beat": "bpm"})

    def prepare(self, audio):
        return EventsFormat(audio.rate)

    def process(self):
        if self.clock.start % 2560 == 0:
            self.events.emit("beat", self.clock.stop, key=self.clock.start, bpm=120.0)


class Listener(EventNode):
    """Hears events, says nothing."""

    events = EventsIn("events")
    out = EventsOut("none", kinds={"beat": "bpm"})

    def step(self, event):
        pass


def graph() -> Graph:
    """4 audio nodes, 4 framers, 10 feature nodes, 2 joins, 2 tellers, 2 listeners."""
    made = Graph()
    for k in range(4):
        made.add(f"audio{k}", Through()).connect("input", f"audio{k}")
        made.add(f"frame{k}", Frame()).connect(f"audio{k}", f"frame{k}")
    for k in range(10):
        source = f"frame{k}" if k < 4 else f"feature{k - 4}"
        made.add(f"feature{k}", Feature()).connect(source, f"feature{k}")
    for k in range(2):
        made.add(f"join{k}", Join())
        made.connect(f"feature{k}", f"join{k}.a").connect(f"feature{k + 2}", f"join{k}.b")
        made.add(f"teller{k}", Teller()).connect("input", f"teller{k}")
        made.add(f"listener{k}", Listener()).connect(f"teller{k}", f"listener{k}")
    assert len(made.nodes) == 25  # and the input
    return made


def measure(quanta: int) -> dict[str, float]:
    """Microseconds per quantum."""
    runner = Runner(compile_graph(graph()))
    runner.warm_up(2000)
    block = np.zeros((1, 256), np.float32)
    walls = np.zeros(quanta)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        begun = time.process_time_ns()
        for i in range(quanta):
            start = time.perf_counter_ns()
            runner.tick(block)
            walls[i] = time.perf_counter_ns() - start
        spent = time.process_time_ns() - begun
    finally:
        gc.enable()
        gc.unfreeze()
    walls /= 1000
    return {
        "processor": spent / quanta / 1000,
        "least": float(walls.min()),
        **{f"p{q:g}": float(np.percentile(walls, q)) for q in (50, 99, 99.9)},
        "max": float(walls.max()),
        "quanta": quanta,
        "nodes": 24,
        "target": TARGET_US,
    }


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quanta", type=int, default=50_000, help="how many to time (default 50000)")
    result = measure(parser.parse_args().quanta)
    print("engine overhead, 24 nodes that do nothing, microseconds per quantum of 256 samples")
    for name in ("processor", "least", "p50", "p99", "p99.9", "max"):
        print(f"  {name:10}{result[name]:10.1f}")
    print(f"  target    {TARGET_US:10.1f}  (p50: {'met' if result['p50'] <= TARGET_US else 'missed'})")
    folder = Path("build/benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
