"""Silence gate."""

from __future__ import annotations

import numpy as np

from engine.node import EventsFormat, EventsOut, FrameNode, FramesFormat, FramesIn, Param


class Silence(FrameNode):
    """Says when the music stops and when it is back, with hysteresis so that it does not flicker.

    Silence begins when the level has stayed below `close` for `hold`; sound begins with the first frame
    above `open`. It starts silent. The event's time is that of the frame that crossed the threshold: for
    silence, the first frame below it.

    Latency: sound, that of the frames; silence, `hold` more (rounded up to frames).
    """

    level = FramesIn("level in dB, shape (), from `Level`")
    events = EventsOut(
        "changes between silence and sound",
        kinds={"silence": "level (dBFS) of the frame that began it", "sound": "level (dBFS) of the frame"},
    )

    open = Param(-50.0, low=-140.0, high=0.0, unit="dB", live=True, help="sound begins above this")
    close = Param(-60.0, low=-140.0, high=0.0, unit="dB", live=True, help="silence begins below this")
    hold = Param(0.4, low=0.0, high=60.0, unit="s", help="how long it must be quiet to be called silence")

    def prepare(self, level: FramesFormat) -> EventsFormat:
        if level.shape != ():
            raise ValueError(f"takes one level per frame, not {level}: wire Level.rms to it")
        self._frames = int(np.ceil(self.hold * level.frame_rate))
        self._hop = level.hop
        self.reset()
        return EventsFormat(level.rate, (level.latency, level.latency + self._frames * level.hop))

    def reset(self) -> None:
        self._silent, self._quiet, self._key, self._fell = True, 0, 0, 0.0

    def gap(self, start: int, length: int) -> None:
        """Keeps its state: silence is not declared because input was lost."""
        self._quiet = 0

    def step(self, level: np.ndarray) -> None:
        now = float(level)
        if self._silent:
            if now > self.open:
                self._say("sound", self.time, now)
            return
        if now >= self.close:
            self._quiet = 0
            return
        if self._quiet == 0:
            self._fell = now
        self._quiet += 1
        if self._quiet > self._frames:
            self._say("silence", self.time - self._frames * self._hop, self._fell)

    def _say(self, kind: str, time: int, level: float) -> None:
        self.events.emit(kind, time, key=self._key, level=round(level, 2))
        self._key += 1
        self._silent = kind == "silence"
        self._quiet = 0

    @classmethod
    def test_params(cls):
        """For the conformance kit: the rest in its music is short."""
        return [{"hold": 0.1}]

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the level of the input."""
        from nodes.spectral.level import Level

        graph.add("level", Level()).connect("input.audio", "level")
        return {"level": "level.rms"}
