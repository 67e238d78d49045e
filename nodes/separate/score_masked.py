"""Base of the nodes that take an ensemble apart by the score that it plays."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioIn, Event, EventsIn, Param
from nodes.follow.score import Score, load_score
from nodes.separate.masked import MaskedNode, window_for
from nodes.separate.part_sounds import PartSounds

#: Milliseconds from a sound at the input to the same sound in a stem, a quantum of one hop included.
SCORE_MODES = {"studio": 46, "quality": 93}


def score_framing(mode: str, rate: int) -> tuple[int, int]:
    """Window and hop in samples of one of SCORE_MODES at `rate` Hz: 2048 or 4096, and 512, at 44.1 kHz."""
    return window_for(rate, SCORE_MODES[mode]), window_for(rate, SCORE_MODES["studio"]) // 4


class ScoreMaskedNode(MaskedNode):
    """Masks of the parts of a score at the place where a follower believes the ensemble to be.

    A subclass declares its outputs, calls `self.listening` in `prepare` and implements `deal(parts, masks)`:
    `parts` (parts, bins) are the masks of the score's parts in order, the last of what lies beyond them.
    While the follower waits for the beginning they are 0.
    """

    audio = AudioIn("the ensemble, float32 (channels, quantum)")
    position = EventsIn("`position` events of a follower of the same score")

    reference = Param("", help="score (.mid .musicxml .mxl .mei), the one that is followed; a path")
    mode = Param("quality", choices=tuple(SCORE_MODES), help="46 or 93 ms from sound to stem")
    iterations = Param(8, low=1, high=50, help="updates a frame")

    test_seconds = 1.0

    def score(self) -> Score:
        """The score; ValueError says what is wrong with it."""
        if not self.reference:
            raise ValueError("no score given: set reference to the score that the follower follows")
        try:
            return load_score(self.reference)
        except FollowspotError as error:
            raise ValueError(str(error)) from None

    def listening(self, audio: AudioFormat, score: Score, most: int) -> dict[str, AudioFormat]:
        """Allocate for at most so many parts; returns the format of every output."""
        window, hop = score_framing(self.mode, audio.rate)
        formats = self.cutting(audio, window, hop)
        self._sounds = PartSounds(score, most, window, audio.rate, self.iterations)
        self._parts = np.zeros((self._sounds.parts, window // 2 + 1), np.float32)
        self._centre = audio.latency + window // 2
        self._last: Event | None = None
        self._next = 0
        return formats

    def reset(self) -> None:
        super().reset()
        self._sounds.reset()
        self._last = None

    def process(self) -> None:
        self._next = 0
        super().process()
        if self.position:
            self._last = self.position[-1]

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        end = (self._index + 1) * self._hop
        heard = self.position
        while self._next < len(heard) and heard[self._next].time <= end:
            self._last = heard[self._next]
            self._next += 1
        last = self._last
        if last is None or last.values["state"] == "waiting":
            self._parts[...] = 0.0
        else:
            since = (end - self._centre - last.time) / self.rate
            np.sqrt(power, out=power)
            self._sounds.step(power, last.values["seconds"] + since * last.values["rate"], self._parts)
        self.deal(self._parts, masks)

    def deal(self, parts: np.ndarray, masks: np.ndarray) -> None:
        """Fill `masks` from those of the parts."""
        raise NotImplementedError(f"{type(self).__name__} must define deal")

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """For the conformance kit: a made-up score of six parts."""
        from nodes.follow.made_up import made_up_choir

        return [{"reference": str(made_up_choir()), "mode": "studio"}]

    @classmethod
    def test_inputs(cls, graph: Any) -> dict[str, str]:
        """A real follower beside the input."""
        from nodes.follow.follower import ScoreFollower
        from nodes.follow.made_up import made_up_choir

        graph.add("follower", ScoreFollower(reference=str(made_up_choir())))
        graph.connect("input.audio", "follower")
        return {"audio": "input.audio", "position": "follower.position"}
