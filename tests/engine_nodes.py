"""Small nodes for the tests of the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
    Param,
    same_grid,
)


class Delay(AudioNode):
    """Delays audio by `samples` and declares it."""

    audio = AudioIn("audio")
    out = AudioOut("later")
    samples = Param(100, low=1, high=10000, help="samples")

    def prepare(self, audio):
        self._line = np.zeros((audio.channels, self.samples + self.quantum), np.float32)
        return replace(audio, latency=audio.latency + self.samples)

    def reset(self):
        self._line[:] = 0

    def step(self, audio, out):
        self._line[:, self.samples :] = audio
        out[:] = self._line[:, : self.quantum]
        self._line[:, : self.samples] = self._line[:, self.quantum :].copy()


class Add(AudioNode):
    """a + b."""

    a = AudioIn("audio")
    b = AudioIn("audio")
    out = AudioOut("sum")

    def step(self, a, b, out):
        np.add(a, b, out=out)


class Centre(HopNode):
    """The sample at the centre of the window: for a ramp as input, the frame's own time."""

    audio = AudioIn("audio")
    value = FramesOut("value, shape ()", on_fault="nothing")
    window = Param(1024, low=2, high=8192, help="samples")
    hop = Param(256, low=1, high=4096, help="samples")

    def prepare(self, audio):
        return self.framing(audio, self.window, self.hop)

    def step(self, window, value):
        value[...] = window[0, self.window // 2]


class Held(Centre):
    """The same, and its last frame is held when it fails."""

    value = FramesOut("value, shape ()", on_fault="hold")


class Pair(FrameNode):
    """Two values and the frame's time side by side."""

    a = FramesIn("value")
    b = FramesIn("value")
    out = FramesOut("(a, b, time), shape (3,)")

    def prepare(self, a, b):
        return same_grid(a, shape=(3,))

    def step(self, a, b, out):
        out[0], out[1], out[2] = a, b, self.time


class Sum(FrameNode):
    """Sum of all frames so far: keeps what it is fed, good or bad."""

    value = FramesIn("value")
    total = FramesOut("sum, shape ()")

    def prepare(self, value):
        self._total = 0.0
        return same_grid(value)

    def reset(self):
        self._total = 0.0

    def step(self, value, total):
        self._total += float(value)
        total[...] = self._total


class Amplify(AudioNode):
    """Gain; fails, or gives NaN, in the quantum that begins at the given sample."""

    audio = AudioIn("audio")
    out = AudioOut("louder")
    gain = Param(1.0, low=0.0, high=10.0, live=True, help="factor")
    colour = Param("red", choices=("red", "green"), help="not live")
    fail_at = Param(-1, help="sample")
    nan_at = Param(-1, help="sample")

    def step(self, audio, out):
        if self.clock.start == self.fail_at:
            raise RuntimeError("broken on purpose")
        np.multiply(audio, np.float32(self.gain), out=out)
        if self.clock.start == self.nan_at:
            out[:] = np.nan


class Beats(Node):
    """An event at every `period` samples, said `ahead` of its time."""

    audio = AudioIn("ignored")
    events = EventsOut("beats", kinds={"beat": "number"})
    period = Param(1000, low=1, help="samples")
    ahead = Param(0, low=0, help="samples")

    def prepare(self, audio):
        return EventsFormat(audio.rate, (-self.ahead, 0))

    def process(self):
        first = (self.clock.start + self.ahead) // self.period
        for key in range(first, (self.clock.stop + self.ahead) // self.period + 1):
            if self.clock.start <= key * self.period - self.ahead < self.clock.stop:
                self.events.emit("beat", key * self.period, key=key, number=key)


class Echo(EventNode):
    """Says every event again, under its own name."""

    events = EventsIn("events")
    again = EventsOut("the same", kinds={"beat": "number"})

    def step(self, event):
        self.again.emit(event.kind, event.time, key=event.key, number=event.values["number"])


def ramp(n):
    """float32 (1, n): every sample is its own index (exact below 2^24)."""
    return np.arange(n, dtype=np.float32)[None]
