"""Delays that the compiler inserts where branches of different latency join."""

from __future__ import annotations

from dataclasses import replace

import numba as nb
import numpy as np

from engine.node import AudioFormat, AudioIn, AudioNode, AudioOut, FramesFormat, FramesIn, FramesOut, Node
from engine.ports import Array


@nb.njit("void(float32[:, ::1], float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def _pass_through(line, audio, delayed):  # type: ignore[no-untyped-def]
    """`audio` goes in at the end of `line`, `delayed` comes out at its front, the rest moves up."""
    quantum = audio.shape[1]
    held = line.shape[1] - quantum
    for c in range(line.shape[0]):
        for n in range(quantum):
            line[c, held + n] = audio[c, n]
            delayed[c, n] = line[c, n]
        for n in range(held):
            line[c, n] = line[c, n + quantum]


class AudioDelay(AudioNode):
    """Delays audio by a fixed number of samples."""

    audio = AudioIn("audio")
    delayed = AudioOut("the same, later")

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.samples = samples

    def prepare(self, audio: AudioFormat) -> AudioFormat:
        self._line = np.zeros((audio.channels, self.samples + self.quantum), np.float32)
        return replace(audio, latency=audio.latency + self.samples)

    def reset(self) -> None:
        self._line[:] = 0.0

    def step(self, audio: Array, delayed: Array) -> None:
        _pass_through(self._line, audio, delayed)


class FrameDelay(Node):
    """Holds frames back so that two streams deliver frames of equal times in the same quantum.

    Frames before input sample `origin` are dropped; the others come out once `latency` samples
    after their time have been consumed.
    """

    frames = FramesIn("frames")
    delayed = FramesOut("the same, later")

    def __init__(self, origin: int, latency: int) -> None:
        super().__init__()
        self.origin, self.latency = origin, latency

    def prepare(self, frames: FramesFormat) -> FramesFormat:
        self._skip = (self.origin - frames.origin) // frames.hop
        held = (self.latency - frames.latency + 2 * self.quantum) // frames.hop + 2
        self._held = np.zeros((held, *frames.shape), frames.dtype)
        self._format = replace(frames, origin=self.origin, latency=self.latency)
        self.reset()
        return self._format

    def reset(self) -> None:
        self._read: int | None = None
        self._write = 0

    def process(self) -> None:
        frames, held = self.frames, len(self._held)
        for k in range(frames.count):
            index = frames.first + k - self._skip
            if index < 0:
                continue
            if self._read is None or index != self._write:  # the first frame, or the first after a gap
                self._read = index
            self._held[index % held] = frames.slots[k]
            self._write = index + 1
        if self._read is None:
            return
        ready = min(self._write, self._format.count_at(self.clock.stop))
        while self._read < ready:
            self.delayed.push(self._read)[...] = self._held[self._read % held]
            self._read += 1
