"""Medians of the power spectrum in time and in frequency, frame by frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.separate.median_kernels import median_in_frequency, median_in_time

#: Frames in the median over time: long trailing medians smear every change of chord (9 is 105 ms at a hop of
#: 512); with look-ahead the window lies around the frame and may be longer.
FRAMES, FRAMES_AHEAD = 9, 19
SPAN = 500.0  # Hz, width of the median over frequency

Array = npt.NDArray[np.float32]


class Medians:
    """`step(power)` gives the medians (bins,) in time and in frequency of the frame `look_ahead` before.

    Parameters
    ----------
    window, rate : of the transform, samples and Hz.
    look_ahead : frames.
    """

    def __init__(self, window: int, rate: int, look_ahead: int = 0) -> None:
        bins = window // 2 + 1
        frames = FRAMES_AHEAD if look_ahead else FRAMES
        self._past = np.zeros((frames, bins), np.float32)
        self._ordered = np.zeros((bins, frames), np.float32)
        self._window = np.zeros(odd_width(SPAN * window / rate), np.float32)
        self._harmonic = np.zeros(bins, np.float32)
        self._percussive = [np.zeros(bins, np.float32) for _ in range(look_ahead + 1)]
        self._count = 0

    def reset(self) -> None:
        """As before the first frame: silence."""
        self._past[:] = 0.0
        self._ordered[:] = 0.0
        for row in self._percussive:
            row[:] = 0.0
        self._count = 0

    def step(self, power: Array) -> tuple[Array, Array]:
        """The newest power spectrum (bins,) in; views that are valid until the next step."""
        row = self._count % len(self._past)
        median_in_time(power, self._past, self._ordered, row, self._harmonic)
        slots = len(self._percussive)
        median_in_frequency(power, self._window, self._percussive[self._count % slots])
        self._count += 1
        return self._harmonic, self._percussive[self._count % slots]


def odd_width(width: float) -> int:
    """The nearest odd number of bins, at least 3."""
    return max(3, 2 * int(width / 2) + 1)
