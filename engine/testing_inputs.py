"""What the conformance kit feeds a node with, and how it writes down what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.events import Event
from engine.formats import AudioFormat, EventsFormat, Format, FramesFormat
from engine.graph import Graph
from engine.node import HopNode, Node
from engine.plan import Plan, compile_graph
from engine.ports import Array, AudioIn, EventsOut, Frames, FramesOut
from engine.runner import Runner

RATE = 44100
UNIT = 512  # signals are a multiple of the largest quantum tested


class FrameSource(HopNode):
    """Plausible frames: non-negative, shape (32,), one every 512 samples, from the last 1024 samples."""

    audio = AudioIn("audio")
    frames = FramesOut("mean absolute value of 32 slices of the window, shape (32,), >= 0")

    def prepare(self, audio: AudioFormat) -> FramesFormat:
        labels = tuple(float(100.0 * 2 ** (k / 6)) for k in range(32))
        return self.framing(audio, 1024, 512, (32,), unit="", labels=labels)

    def step(self, window: Array, frames: Array) -> None:
        np.abs(window[0]).reshape(32, 32).mean(axis=1, out=frames)


class EventSource(HopNode):
    """Plausible events: a beat every 0.35 s, foretold 0.2 s ahead and amended once; loudness as velocity."""

    audio = AudioIn("audio")
    events = EventsOut("beats", kinds={"beat": "bpm, confidence, velocity"})

    PERIOD, AHEAD, AMENDED, SHIFT = 15360, 8960, 4480, 100  # samples

    def prepare(self, audio: AudioFormat) -> EventsFormat:
        self.framing(audio, 64, 64)
        return EventsFormat(audio.rate, (-self.AHEAD, -self.AMENDED))

    def step(self, window: Array) -> None:
        position = (self._index + 1) * 64
        for revision, ahead in enumerate((self.AHEAD, self.AMENDED)):
            key, rest = divmod(position + ahead, self.PERIOD)
            if rest == 0:
                velocity = 1 + int(126 * min(1.0, float(abs(window[0]).max())))
                time = key * self.PERIOD + revision * self.SHIFT
                self.events.emit(
                    "beat", time, key=key, revision=revision, bpm=120.0, confidence=0.9, velocity=velocity
                )


@lru_cache(maxsize=8)
def music(seconds: float = 3.0, seed: int = 0, channels: int = 1) -> Array:
    """Drums at 120 BPM over changing chords, with a rest of 0.2 s; float32 (channels, samples), peak 0.8."""
    noise = np.random.default_rng(seed)
    n = round(seconds * RATE / UNIT) * UNIT
    t = np.arange(n) / RATE
    out = np.zeros((channels, n))
    for bar in range(int(seconds) + 1):
        part = (t >= bar) & (t < bar + 1)
        for pitch in np.array([57, 61, 64, 69]) + (5 * bar + seed) % 12:
            f = 440.0 * 2 ** ((pitch - 69) / 12)
            for harmonic in (1, 2, 3):
                out[:, part] += 0.08 / harmonic * np.sin(2 * np.pi * f * harmonic * t[part])
    for beat in np.arange(0.25, seconds, 0.5):
        start = int(beat * RATE)
        length = min(4000, n - start)
        stroke = np.exp(-np.arange(length) / 700) * noise.standard_normal((channels, length))
        out[:, start : start + length] += 0.5 * stroke
    out += 0.002 * noise.standard_normal((channels, n))
    rest = slice(int(1.2 * RATE), int(1.4 * RATE))
    out[:, rest] = 0.0
    loud: Array = (0.8 * out / np.abs(out).max()).astype(np.float32)
    return loud


@dataclass
class Recording:
    """What came out of one run.

    Attributes
    ----------
    frames : by port, (index, time, position when it was delivered, values) of every frame.
    audio : by port, (channels, samples).
    events : of the node's ports, in the order in which they were said.
    faults : events of the engine.
    formats : of every output.
    """

    quantum: int
    frames: dict[str, list[tuple[int, int, int, Array]]] = field(default_factory=dict)
    audio: dict[str, Array] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    engine: list[Event] = field(default_factory=list)
    formats: dict[str, Format] = field(default_factory=dict)

    def until(self, position: int) -> Recording:
        """What had been said once `position` samples were in."""
        return Recording(
            self.quantum,
            {name: [f for f in frames if f[2] <= position] for name, frames in self.frames.items()},
            {name: audio[:, :position] for name, audio in self.audio.items()},
            [event for event in self.events if event.emitted <= position],
            [event for event in self.engine if event.emitted <= position],
            self.formats,
        )

    def in_time(self, name: str) -> Array:
        """The audio of a port without its declared latency: sample n belongs to input sample n."""
        format = self.formats[name]
        assert isinstance(format, AudioFormat)
        return self.audio[name][:, format.latency :]


def differences(a: Recording, b: Recording, *, exact_emission: bool = True) -> list[str]:
    """How two recordings differ, bit by bit; without `exact_emission` by what was said, not when."""
    found = []
    for name in a.frames:
        first, second = a.frames[name], b.frames[name]
        if len(first) != len(second):
            found.append(f"{name}: {len(first)} frames against {len(second)}")
            continue
        for x, y in zip(first, second, strict=True):
            if x[:2] != y[:2] or (exact_emission and x[2] != y[2]):
                found.append(f"{name}: frame {x[:3]} against {y[:3]} (index, time, delivered)")
                break
            if x[3].tobytes() != y[3].tobytes():
                most = np.max(np.abs(x[3] - y[3]))
                found.append(f"{name}: frame {x[0]} (time {x[1]}) differs by up to {most:.3g}")
                break
    for name, audio in a.audio.items():
        other = b.audio[name]
        if not exact_emission:  # a node may need less latency with another quantum
            audio, other = a.in_time(name), b.in_time(name)
            length = min(audio.shape[1], other.shape[1])
            audio, other = audio[:, :length], other[:, :length]
        if audio.shape != other.shape:
            found.append(f"{name}: audio {audio.shape} against {other.shape}")
        elif audio.tobytes() != other.tobytes():
            where = int(np.argmax(np.any(audio != other, axis=0)))
            found.append(f"{name}: audio differs from sample {where} on")
    if not exact_emission:
        a_events = [replace(event, emitted=0) for event in a.events]
        b_events = [replace(event, emitted=0) for event in b.events]
    else:
        a_events, b_events = a.events, b.events
    if len(a_events) != len(b_events):
        found.append(f"{len(a_events)} events against {len(b_events)}")
    for e, f in zip(a_events, b_events, strict=False):
        if e != f:
            found.append(f"event {e} against {f}")
            break
    return found


@dataclass
class Rig:
    """A compiled graph around one node under test."""

    plan: Plan
    runner: Runner
    node: Node

    def run(self, signal: Array, at: Mapping[int, Callable[[Rig], object]] | None = None) -> Recording:
        """Put `signal` through; `at` maps a quantum's number to what is done before it."""
        node, quantum = self.node, self.plan.quantum
        out = Recording(quantum)
        blocks: dict[str, list[Array]] = {}
        for name, port in node.outputs.items():
            out.formats[name] = self.plan.formats[f"{node.id}.{name}"]
            if port.kind == "frames":
                out.frames[name] = []
            elif port.kind == "audio":
                blocks[name] = []
        for i in range(signal.shape[1] // quantum):
            if at and i in at:
                at[i](self)
            for event in self.runner.tick(signal[:, i * quantum : (i + 1) * quantum]):
                if event.source == node.id:
                    out.events.append(event)
                elif event.source == "engine":
                    out.engine.append(event)
            for name, kept in out.frames.items():
                frames: Frames = node.__dict__[name]
                position = self.runner.position
                for k in range(frames.count):
                    kept.append((frames.first + k, frames.time(k), position, frames.slots[k].copy()))
            for name, audio in blocks.items():
                audio.append(node.__dict__[name].copy())
        for name, audio in blocks.items():
            out.audio[name] = np.concatenate(audio, axis=1)
        return out

    def gap(self, quanta: int) -> None:
        """Lose input."""
        self.runner.gap(quanta)


class Case:
    """A node class with one parameter set: makes rigs, and keeps the recordings that several checks use."""

    def __init__(self, cls: type[Node], params: dict[str, Any]) -> None:
        self.cls, self.params = cls, params
        self.seconds: float = getattr(cls, "test_seconds", 3.0)
        self._kept: dict[int, Recording] = {}

    def music(self, seed: int = 0, channels: int = 1) -> Array:
        """The test signal."""
        return music(self.seconds, seed, channels)

    def rig(self, quantum: int = 256, channels: int = 1) -> Rig:
        """A fresh graph around a fresh instance, compiled, strict."""
        graph = Graph(rate=RATE, quantum=quantum, channels=channels, seed=1)
        node = self.cls(**self.params)
        for port, source in self._sources(graph).items():
            graph.connect(source, f"node.{port}")
        graph.add("node", node)
        plan = compile_graph(graph)
        return Rig(plan, Runner(plan, strict=True), node)

    def recording(self, quantum: int = 256) -> Recording:
        """The test signal put through a fresh instance."""
        if quantum not in self._kept:
            rig = self.rig(quantum)
            self._kept[quantum] = rig.run(self.music())
            rig.plan.release()
        return self._kept[quantum]

    def run(self, signal: Array, quantum: int = 256) -> Recording:
        """`signal` put through a fresh instance."""
        rig = self.rig(quantum, signal.shape[0])
        recording = rig.run(signal)
        rig.plan.release()
        return recording

    def _sources(self, graph: Graph) -> dict[str, str]:
        """Where each input comes from."""
        declared = getattr(self.cls, "test_inputs", None)
        if declared is not None:
            return dict(declared(graph))
        sources = {}
        for name, port in self.cls.inputs.items():
            if port.kind == "audio":
                sources[name] = "input.audio"
                continue
            id = f"source_of_{port.kind}"
            if id not in graph.nodes:
                graph.add(id, FrameSource() if port.kind == "frames" else EventSource())
                graph.connect("input.audio", id)
            sources[name] = id
        return sources


def rejected(case: Case, channels: int) -> str:
    """Why the node does not take so many channels, or "" if it does."""
    try:
        case.rig(channels=channels).plan.release()
    except FollowspotError as error:
        return str(error)
    return ""
