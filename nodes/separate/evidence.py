"""What a frame tells about its sources: how percussive, repeating and fresh each bin is, and bands of all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.separate.bands import BANDS, pooling
from nodes.separate.evidence_kernels import bin_evidence, follow_level, pool_bands
from nodes.separate.medians import Medians
from nodes.separate.repet import Repetition

LEVEL_SECONDS = 3.0  # time constant of the level against which all is measured
USUAL_SECONDS = 0.5  # time constant of the power of a bin against which it is fresh
KINDS = 3  # features of a band: level, share that is percussive, share that repeats

Array = npt.NDArray[np.float32]


class Evidence:
    """`step(power)` fills `magnitude`, `percussive`, `repeats`, `fresh` (bins,) and `bands` (KINDS, BANDS).

    They are of the newest frame, or of the one `look_ahead` frames before it, whose median in time then
    lies around it.

    percussive : log of median in frequency over median in time, -6 to 6.
    repeats : log of the repeating background over the frame, -6 to 2 (power).
    fresh : log of the power over its mean of the last half second, -6 to 6.
    bands : log of the band's power over the running level, and the shares of it that are percussive and
        that repeat, 0 to 1. None depends on the gain of the input.
    """

    def __init__(self, window: int, hop: int, rate: int, look_ahead: int = 0) -> None:
        bins = window // 2 + 1
        self._medians = Medians(window, rate, look_ahead)
        self._waiting = np.zeros((look_ahead + 1, bins), np.float32)
        self._rows = list(self._waiting)
        self._count = 0
        self._repetition = Repetition(window, hop, rate)
        self.magnitude = np.zeros(bins, np.float32)
        self._level = np.zeros(2, np.float32)
        self._frames = LEVEL_SECONDS * rate / hop
        self._first, self._size, self._weights = pooling(window, rate)
        self.percussive = np.zeros(bins, np.float32)
        self.repeats = np.zeros(bins, np.float32)
        self.fresh = np.zeros(bins, np.float32)
        self._usual = np.zeros(bins, np.float32)
        self._pace = np.float32(1.0 - np.exp(-hop / rate / USUAL_SECONDS))
        self.bands = np.zeros((KINDS, BANDS), np.float32)

    def reset(self) -> None:
        """As before the first frame."""
        self._medians.reset()
        self._repetition.reset()
        self._level[:] = 0.0
        self._usual[:] = 0.0
        self._waiting[:] = 0.0
        self._count = 0

    def step(self, power: Array) -> None:
        """The newest power spectrum (bins,)."""
        self._waiting[self._count % len(self._waiting)] = power
        self._count += 1
        harmonic, percussive = self._medians.step(power)
        power = self._rows[self._count % len(self._rows)]
        level = follow_level(power, self._level, self._frames)
        np.sqrt(power, out=self.magnitude)
        background = self._repetition.step(self.magnitude)
        bin_evidence(
            power, harmonic, percussive, background, self._usual, self._pace, level,
            self.percussive, self.repeats, self.fresh,
        )  # fmt: skip
        pool_bands(
            power, self.percussive, self.repeats, self._first, self._size, self._weights, level, self.bands
        )
