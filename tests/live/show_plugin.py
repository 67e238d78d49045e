"""Nodes and sinks for the tests of the live path; a plug-in file like anyone's."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from engine.deferred import DeferredNode
from engine.node import AudioIn, AudioNode, AudioOut, EventsFormat, EventsOut, FramesOut, HopNode, Node, Param
from engine.sink import Sink


class Onsets(HopNode):
    """Level, the onsets where it rises over a threshold, and a beat foretold and amended after each."""

    audio = AudioIn("audio, first channel")
    level = FramesOut("root mean square, shape ()")
    events = EventsOut("onsets and beats", kinds={"onset": "level", "beat": "bpm"})
    threshold = Param(0.1, low=0.0, high=1.0, live=True, help="level that counts as an onset")
    quality_levels = 2

    def prepare(self, audio):
        self.loud, self.count = False, 0
        return {
            "level": self.framing(audio, 1024, 512),
            "events": EventsFormat(audio.rate, (-audio.rate, 1024)),
        }

    def reset(self):
        super().reset()
        self.loud, self.count = False, 0

    def step(self, window, level):
        level[...] = np.sqrt(np.mean(window[0] ** 2))
        loud = float(level) > self.threshold
        if loud and not self.loud:
            now = self.clock.stop
            self.count += 1
            self.events.emit("onset", now - 512, key=self.count, level=float(level))
            self.events.emit("beat", now + self.rate // 4, key=self.count, bpm=100.0)
        elif self.count and not loud and self.loud:
            self.events.emit("beat", self.clock.stop + self.rate // 5, key=self.count, revision=1, bpm=120.0)
        self.loud = loud


class Slow(DeferredNode):
    """Deferred work that is late now and then when live: the sum of the last quantum, said after 30 ms."""

    audio = AudioIn("audio")
    sums = EventsOut("sums", kinds={"sum": "value"})

    def prepare(self, audio):
        self.delay = audio.rate * 30 // 1000
        self.count = 0
        return EventsFormat(audio.rate, (0, self.delay))

    def reset(self):
        super().reset()
        self.count = 0

    def snapshot(self):
        self.held_audio = self.audio.copy()
        return True

    def compute(self):
        if self.live and self.held_audio[0, 0] > 0.1:
            time.sleep(0.05)
        return float(self.held_audio.sum())

    def publish(self, result):
        self.count += 1
        self.sums.emit("sum", self.clock.stop, key=self.count, value=result)


class Hog(AudioNode):
    """Takes twice the time there is, when live and loud; with `lean` it can do without."""

    audio = AudioIn("audio")
    out = AudioOut("the same")
    lean = Param(False, help="whether quality level 1 costs nothing")
    quality_levels = 2

    def prepare(self, audio):
        self.level = 0
        return audio

    def reset(self):
        self.level = 0

    def set_quality(self, level):
        self.level = level

    def step(self, audio, out):
        out[:] = audio
        if self.live and not (self.lean and self.level):
            time.sleep(2 * self.quantum / self.rate)


class Metronome(Node):
    """Foretells a beat every quarter of a second, a tenth of a second ahead."""

    audio = AudioIn("audio, not heard")
    beats = EventsOut("beats", kinds={"beat": "bpm"})

    def prepare(self, audio):
        self.count = 0
        return EventsFormat(audio.rate, (-audio.rate // 10, 0))

    def reset(self):
        self.count = 0

    def gap(self, start, length):
        pass  # it counts on: a beat that was said before is not said again

    def process(self):
        self.count = max(self.count, self.clock.start * 4 // self.rate)
        if self.clock.stop >= self.count * self.rate // 4:
            self.count += 1
            self.beats.emit("beat", self.clock.stop + self.rate // 10, key=self.count, bpm=240.0)


class Lines(Sink):
    """Writes what it gets, with when and how late, as JSON lines; breaks while `broken` exists."""

    accepts = frozenset({"events", "frames"})
    path = Param("", help="file to append to")
    broken = Param("", help="file whose existence makes the sink fail")
    slow_ms = Param(0.0, low=0.0, high=5000.0, help="how long every event takes")

    def open(self, wires):
        self._check()
        self._file = open(self.path, "a")  # noqa: SIM115

    def _check(self):
        if self.broken and Path(self.broken).exists():
            raise OSError("the receiver is gone")

    def send_event(self, event, due_ns, ntp):
        self._check()
        time.sleep(self.slow_ms / 1000)
        late = (time.monotonic_ns() - due_ns) / 1e6
        self._write(event.kind, event.time, bpm=event.values.get("bpm"), late=late, ntp=ntp)

    def send_frame(self, wire, time, frame):
        self._write("frame", time, value=float(frame))

    def _write(self, kind, at, **values):
        self._file.write(json.dumps({"kind": kind, "time": at, **values}) + "\n")
        self._file.flush()

    def close(self):
        self._file.close()


class Log(Lines):
    """The same as a file: it also runs offline."""

    offline = True
