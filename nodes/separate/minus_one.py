"""One part of a score, and the ensemble without it."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, EventsFormat, Param
from nodes.separate.score_masked import ScoreMaskedNode

MOST = 32  # parts that are told apart


class MinusOne(ScoreMaskedNode):
    """One part of a score by itself, and all the others, live, with a score follower upstream.

    As `score_separate`, for one part at a time, which may be changed while it runs: the new one fades in over
    a window.

    Latency: window - gcd(hop, quantum) samples, as the outputs' format declares; with quanta of one hop 46 or
    93 ms altogether.

    Errors: a score that is missing or cannot be read, or has no such part, is a fault of the preset.

    Source: see `ScoreSeparate`.
    """

    solo = AudioOut("the part, float32 (channels, quantum)")
    minus_one = AudioOut("the delayed input minus that part")

    part = Param(1, low=1, high=MOST, live=True, help="number of the part in the score")

    def prepare(self, audio: AudioFormat, position: EventsFormat) -> dict[str, AudioFormat]:
        score = self.score()
        if self.part > len(score.parts):
            names = ", ".join(f"{number} {name}" for number, name in enumerate(score.parts, 1))
            raise ValueError(f"the score has no part {self.part}; set part to one of: {names}")
        return self.listening(audio, score, MOST)

    def deal(self, parts: np.ndarray, masks: np.ndarray) -> None:
        if self.part <= len(parts):
            masks[0] = parts[self.part - 1]
        else:
            masks[0] = 0.0
