"""Online REPET-SIM: the repeating background of a mix, frame by frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.separate.repet_kernels import repeating

SECONDS = 10.0  # of past that are compared
RECENT = 0.4  # seconds before now that are not: a held note of the voice would repeat itself
APART = 0.1  # seconds between two chosen frames
CHOSEN = 13
REACH = 6000.0  # Hz up to which frames are compared

Array = npt.NDArray[np.float32]


class Repetition:
    """`step(magnitude)` gives what repeats of a frame, from the last 10 s; settled after about 5 s.

    Source: Rafii and Pardo, "Online REPET-SIM for real-time speech enhancement", ICASSP 2013.
    """

    def __init__(self, window: int, hop: int, rate: int) -> None:
        bins, second = window // 2 + 1, rate / hop
        self._ring = np.zeros((int(SECONDS * second), bins), np.float32)
        self._norms = np.zeros(len(self._ring), np.float32)
        self._likeness = np.zeros(len(self._ring), np.float32)
        self._chosen = np.zeros((bins, CHOSEN), np.float32)
        self._background = np.zeros(bins, np.float32)
        self._reach = min(bins, int(REACH * window / rate))
        self._recent, self._apart = max(1, int(RECENT * second)), int(APART * second)
        self._count = 0

    def reset(self) -> None:
        """As before the first frame; old frames are not looked at while the count is low."""
        self._count = 0

    def step(self, magnitude: Array) -> Array:
        """Magnitudes (bins,) in; the background (bins,), valid until the next step."""
        repeating(
            magnitude, self._ring, self._norms, self._count, self._reach, self._recent, self._apart,
            self._likeness, self._chosen, self._background,
        )  # fmt: skip
        self._count += 1
        return self._background
