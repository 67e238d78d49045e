"""What the beats so far say of bars, and of whether they are the beats at all."""

from __future__ import annotations

import math

import numpy as np

from nodes.rhythm.bar_kernels import (
    ACCENT,
    AFTER,
    CLASSES,
    COLOURS,
    FEATURES,
    HIDDEN,
    LAGS,
    OUTPUTS,
    bar_features,
    bar_step,
)
from nodes.rhythm.bar_network import bar_weights

NEARBY = 3  # frames from where a beat was foretold
FORETOLD = 0.1  # weight of the foretold place against the probabilities of beats heard
MEMORY = 256  # steps of two frames, 6 s: more than two beats of any tempo


class BarListener:
    """A recurrent network over beats: `hear` every step, `judge` every beat, AFTER steps after it.

    After `judge`, `downbeat` is the logit of the beat being a downbeat and `pulse` (5,) the probabilities of
    what the pulse is, see `bar_kernels.PULSES`; `strength` is the probability with which a beat was heard
    there, `judged` counts the beats since the pulse began.
    """

    def __init__(self) -> None:
        self._weights = bar_weights()
        self._ring = np.zeros((MEMORY, COLOURS), np.float32)
        self._chromas = np.zeros((LAGS + 1, CLASSES), np.float32)
        self._accents = np.zeros((LAGS + 1, ACCENT), np.float32)
        self._count = np.zeros(1, np.int64)
        self._hidden = np.zeros(HIDDEN, np.float32)
        self._scratch = np.zeros(max(2 * COLOURS, 6 * HIDDEN), np.float32)
        self._features = np.zeros(FEATURES, np.float32)
        self._out = np.zeros(OUTPUTS, np.float32)
        self._heard = np.zeros(2 * MEMORY, np.float32)  # beat probability of the single frames
        self.pulse = np.zeros(OUTPUTS - 1, np.float32)
        self.downbeat = self.strength = self._last = 0.0

    def reset(self) -> None:
        self._ring[:] = 0.0
        self._heard[:] = 0.0
        self.start_again()

    def start_again(self) -> None:
        """The next beat is the first; what was heard stays."""
        for state in (self._chromas, self._accents, self._count, self._hidden, self.pulse):
            state[:] = 0
        self.downbeat, self.strength, self._last = 0.0, 0.0, -1e9

    @property
    def judged(self) -> int:
        return int(self._count[0])

    def hear(self, step: int, colour: np.ndarray, older: float, newer: float) -> None:
        """Bands and chroma (COLOURS,) of step number `step`, and the beat logits of its two frames."""
        self._ring[step % MEMORY] = colour
        frame = 2 * (step % MEMORY)
        self._heard[frame] = 1.0 / (1.0 + math.exp(-older))
        self._heard[frame + 1] = 1.0 / (1.0 + math.exp(-newer))

    def _where_heard(self, place: float) -> float:
        """The place of a beat that was foretold for step `place`, moved to where one was heard nearby."""
        middle = round(2 * place + 0.5)  # the newer frame of step n lies at n + 0.25
        weight, moment, self.strength = FORETOLD, 0.0, 0.0
        for frame in range(middle - NEARBY, middle + NEARBY + 1):
            heard = float(self._heard[frame % len(self._heard)])
            self.strength = max(self.strength, heard)
            weight += heard
            moment += heard * ((frame - 0.5) / 2 - place)
        return place + moment / weight

    def complete(self, place: float) -> int:
        """The step at which a beat at step `place` can be judged."""
        return round(place) + AFTER

    def judge(self, place: float, period: float) -> None:
        """A beat foretold for step `place` (a fraction); `period` in steps, for want of a beat before it."""
        place = self._where_heard(place)
        since = place - self._last
        if not 0.75 * period < since < 1.3 * period:  # another pulse than before
            since = period
            self.start_again()
        self._last = place
        bar_features(
            self._ring, place, since, self._chromas, self._accents, self._count, self._scratch, self._features
        )
        bar_step(*self._weights, self._features, self._hidden, self._scratch, self._out)
        self.downbeat = float(self._out[0])
        np.subtract(self._out[1:], self._out[1:].max(), out=self.pulse)
        np.exp(self.pulse, out=self.pulse)
        self.pulse /= self.pulse.sum()
