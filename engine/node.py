"""What a node author writes.

A node is a class that declares ports and parameters and implements two methods::

    class SpectralFlux(FrameNode):
        \"\"\"One line: what it computes.\"\"\"
        spectrum = FramesIn("magnitude spectrum, shape (bins,)")
        novelty = FramesOut("onset novelty, shape (), >= 0")
        compression = Param(1000.0, low=0.0, high=1e5, live=True, help="gamma in log(1 + gamma * |X|)")

        def prepare(self, spectrum): ...        # sees formats, allocates all, returns output formats
        def step(self, spectrum, novelty): ...  # one frame in, one out; no allocation, lock or print

Lifecycle: the constructor stores parameters only; `prepare` is called once per activation, before any
audio; then `process` once per quantum; `reset` takes the state back to what `prepare` left. A node never
reads a clock: `self.clock.start` and `self.clock.stop` are the input samples of the quantum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from engine.events import Event
from engine.formats import AudioFormat, EventsFormat, Format, FramesFormat
from engine.params import Param, Parametric
from engine.ports import (
    AudioIn,
    AudioOut,
    Clock,
    EventsIn,
    EventsOut,
    Frames,
    FramesIn,
    FramesOut,
    Port,
    ports_of,
)

__all__ = [
    "AudioFormat",
    "AudioIn",
    "AudioNode",
    "AudioOut",
    "Event",
    "EventNode",
    "EventsFormat",
    "EventsIn",
    "EventsOut",
    "FrameNode",
    "Frames",
    "FramesFormat",
    "FramesIn",
    "FramesOut",
    "HopNode",
    "Node",
    "Param",
]


class Node(Parametric):
    """Base of all nodes. Override `prepare`, `process` and `reset`, or use one of the bases below.

    Class attributes
    ----------------
    causal : False if it needs the future; such a node runs offline only.
    lane : "block" (every quantum, within the budget) or "deferred" (see `engine.deferred`).
    quality_levels : how many levels `set_quality` knows; level 0 is the best.
    requires : names of optional modules it imports in `prepare`; shown where one is missing.
    """

    inputs: ClassVar[dict[str, Port]] = {}
    outputs: ClassVar[dict[str, Port]] = {}
    causal: ClassVar[bool] = True
    lane: ClassVar[str] = "block"
    quality_levels: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ()

    # Given by the plan before `prepare`.
    id: str = ""
    rate: int = 44100
    quantum: int = 256
    seed: int = 0
    live: bool = False
    clock: Clock

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.inputs = ports_of(cls, "in")
        cls.outputs = ports_of(cls, "out")

    def prepare(self, *args: Any, **inputs: Any) -> Any:
        """Allocate everything and return the format of the output (a dict by port name if several).

        Called with the format of each connected input by its port's name, None where an optional
        one is not connected. Raise ValueError for formats that cannot be served.
        """
        raise NotImplementedError(f"{type(self).__name__} must define prepare")

    def bound(self) -> None:
        """The ports have been bound to their streams; called once, after `prepare`."""

    def process(self) -> None:
        """Read the bound inputs, fill the bound outputs: one quantum."""
        raise NotImplementedError(f"{type(self).__name__} must define process or step")

    def reset(self) -> None:
        """State back to what `prepare` left; parameters are kept."""

    def changed(self, name: str) -> None:
        """The live parameter `name` has a new value, at the edge of a quantum."""

    def gap(self, start: int, length: int) -> None:
        """Input samples [start, start + length) were lost. Default: start afresh."""
        self.reset()

    def set_quality(self, level: int) -> None:
        """Overload: compute at quality `level` (0 best) from the next quantum on."""

    def finish(self) -> None:
        """The input has ended: emit what is still known. Called once, after the last quantum."""

    def release(self) -> None:
        """Give back what is not memory (a server, a file)."""

    def connected(self, port: str) -> bool:
        """Whether an optional input is wired."""
        return port in self.__dict__.get("_wired", ())


class AudioNode(Node):
    """Audio in, audio out, one quantum at a time: implement `step(audio_in..., audio_out...)`."""

    def prepare(self, *args: Any, **inputs: Any) -> Any:
        """Default: the output has the format of the first audio input."""
        return next(format for format in inputs.values() if isinstance(format, AudioFormat))

    def bound(self) -> None:
        ports = self.__dict__
        self._arrays = tuple(ports[name] for name in (*self.inputs, *self.outputs))

    def process(self) -> None:
        self.step(*self._arrays)

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Called with arrays (channels, quantum): inputs, then outputs, in order of declaration."""
        raise NotImplementedError(f"{type(self).__name__} must define step")


class HopNode(Node):
    """Audio to frames: the engine supplies windows, you implement `step(window, frame_out...)`.

    `prepare` calls `self.framing(audio, window, hop, shape)`, which returns the FramesFormat. Frame i is
    computed as soon as (i + 1) * hop samples are in, over the last `window` of them (zeros before the
    start), so its time, the centre of the window, is (i + 1) * hop - window // 2.
    """

    _history: npt.NDArray[np.float32]

    def framing(
        self, audio: AudioFormat, window: int, hop: int, shape: tuple[int, ...] = (), **rest: Any
    ) -> FramesFormat:
        """Allocate the sliding window and return the format of frames made from it."""
        if hop > window:
            raise ValueError(f"hop {hop} is longer than the window {window}; samples would be skipped")
        self._window, self._hop = window, hop
        # Room for many quanta behind one window: the history moves to the front once in a while only.
        quanta = max(16, -(-4 * window // self.quantum))
        self._history = np.zeros((audio.channels, window + quanta * self.quantum), np.float32)
        self._places = tuple(
            self._history[:, end : end + self.quantum]
            for end in range(window, self._history.shape[1], self.quantum)
        )
        self._rewind()
        return FramesFormat(
            rate=audio.rate,
            hop=hop,
            origin=hop - window // 2 - audio.latency,
            shape=shape,
            latency=window // 2 + audio.latency,
            **rest,
        )

    def bound(self) -> None:
        ports = self.__dict__
        (self._audio,) = (ports[name] for name, port in self.inputs.items() if port.kind == "audio")
        self._sinks: tuple[Frames, ...] = tuple(
            ports[name] for name, port in self.outputs.items() if port.kind == "frames"
        )

    def _rewind(self) -> None:
        self._history[:, : self._window] = 0.0
        self._end = self._window  # where the next sample goes
        self._place = 0  # the same, counted in quanta
        self._due = self._window + self._hop  # end of the next window
        self._index = 0

    def reset(self) -> None:
        self._rewind()

    def gap(self, start: int, length: int) -> None:
        """Default: silence before, and the frame grid goes on where the input goes on."""
        stop = start + length
        self.reset()
        self._index = stop // self._hop
        self._due = self._end + self._hop - stop % self._hop

    def process(self) -> None:
        if self._place == len(self._places):
            self._move_up()
        self._places[self._place][...] = self._audio
        self._place += 1
        self._end = end = self._end + self.quantum
        due, hop = self._due, self._hop
        while due <= end:
            window = self._history[:, due - self._window : due]
            self.step(window, *[sink.push(self._index) for sink in self._sinks])
            self._index += 1
            self._due = due = due + hop

    def _move_up(self) -> None:
        """The last window goes to the front of the history."""
        shift = self._end - self._window
        self._history[:, : self._window] = self._history[:, shift : self._end]
        self._place, self._end = 0, self._window
        self._due -= shift

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Called as step(window, frame...): a view (channels, window) float32, then a slot per FramesOut."""
        raise NotImplementedError(f"{type(self).__name__} must define step")


class FrameNode(Node):
    """Frames in, frames out at the same rate: implement `step(frame_in..., frame_out...)`.

    `self.index` and `self.time` tell the frame's index and input sample. Event outputs are used by
    `self.<port>.emit(...)`. A node that changes the frame rate overrides `process`.
    """

    index: int = 0
    time: int = 0

    def bound(self) -> None:
        ports = self.__dict__
        wired = [n for n, p in self.inputs.items() if p.kind == "frames" and self.connected(n)]
        if not wired:
            raise ValueError("has no frames input wired: wire one, or override process")
        self._sources: tuple[Frames, ...] = tuple(ports[name] for name in wired)
        self._sinks: tuple[Frames, ...] = tuple(
            ports[name] for name, port in self.outputs.items() if port.kind == "frames"
        )

    def process(self) -> None:
        sources, sinks = self._sources, self._sinks
        first = sources[0]
        if first.count == 0:
            return
        hop, origin = first.format.hop, first.format.origin
        if len(sources) == 1 == len(sinks):  # by far the most frequent case, at half the cost
            for k in range(first.count):
                self.index = index = first.first + k
                self.time = origin + index * hop
                self.step(first.slots[k], sinks[0].push(index))
            return
        # Only frames that all sources have: after a gap, or behind a failed node, some may have fewer.
        begin, end = first.first, first.first + first.count
        for source in sources:
            if source.first > begin:
                begin = source.first
            if source.first + source.count < end:
                end = source.first + source.count
        for index in range(begin, end):
            self.index = index
            self.time = origin + index * hop
            self.step(
                *[source.slots[index - source.first] for source in sources],
                *[sink.push(index) for sink in sinks],
            )

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Called with one frame of every wired input, then one slot of every output, in order."""
        raise NotImplementedError(f"{type(self).__name__} must define step")


class EventNode(Node):
    """Events in, events out: implement `step(event)`."""

    def prepare(self, *args: Any, **inputs: Any) -> Any:
        """Default: the output has the format of the first events input."""
        return next(format for format in inputs.values() if isinstance(format, EventsFormat))

    def process(self) -> None:
        for name, port in self.inputs.items():
            if port.kind == "events":
                for event in self.__dict__[name]:
                    self.step(event)

    def step(self, event: Event) -> None:
        """One event; answer with `self.<port>.emit(...)`."""
        raise NotImplementedError(f"{type(self).__name__} must define step")


def same_grid(format: FramesFormat, **changes: Any) -> FramesFormat:
    """`format` with other shape, unit, labels or dtype on the same time grid."""
    changes.setdefault("labels", ())
    changes.setdefault("unit", "")
    return replace(format, **changes)


def output_formats(node: Node, answer: Format | dict[str, Format] | None) -> dict[str, Format]:
    """The answer of `prepare` as a dict by output port."""
    if answer is None:
        answer = {}
    if not isinstance(answer, dict):
        if len(node.outputs) != 1:
            raise ValueError(f"prepare must return a dict of formats for {', '.join(node.outputs)}")
        answer = {next(iter(node.outputs)): answer}
    missing = [name for name in node.outputs if name not in answer]
    if missing:
        raise ValueError(f"prepare returned no format for {', '.join(missing)}")
    return answer
