"""What the beat network hears in one spectrum, two frames at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.rhythm.accent_kernels import BANDS, CLASSES, band_weights, bands_and_chroma, pitch_places
from nodes.rhythm.beat_network import weights
from nodes.rhythm.network_kernels import CHANNELS, ROWS, SPAN, TAPS, network_step

LEVEL_HALF_LIFE = 3.0  # seconds in which the level that bands are measured against falls by half

Array = npt.NDArray[np.float32]


class BeatEar:
    """Logits of the beat network, and bands and chroma, from the magnitudes of one sound.

    Parameters
    ----------
    rate : Hz.
    bins : of the spectrum.
    frame_rate : frames a second.
    """

    def __init__(self, rate: int, bins: int, frame_rate: float) -> None:
        self._first, self._count, self._bands = band_weights(rate, bins)
        self._low, self._below, self._share = pitch_places(rate, bins)
        self._decay = np.float32(0.5 ** (1.0 / (frame_rate * LEVEL_HALF_LIFE)))
        self._level = np.zeros(1, np.float32)
        self._weights = weights()
        self._inputs = np.zeros(SPAN * BANDS, np.float32)
        self._older = self._inputs[-2 * BANDS : -BANDS]
        self._newer = self._inputs[-BANDS:]
        self._rows = np.zeros((ROWS, CHANNELS), np.float32)
        self._steps = np.zeros(1, np.int64)
        self._scratch = np.zeros((TAPS + 2) * CHANNELS, np.float32)
        # The network answers two frames late: the colour waits for it.
        self._now = np.zeros(BANDS + CLASSES, np.float32)
        self._accent, self._chroma = self._now[:BANDS], self._now[BANDS:]
        self._before = np.zeros(BANDS + CLASSES, np.float32)

    def reset(self) -> None:
        """As before the first frame."""
        for state in (self._level, self._inputs, self._rows, self._steps, self._now, self._before):
            state[:] = 0

    def older(self, magnitude: Array) -> None:
        """The first frame of two, (bins,)."""
        self._hear(magnitude, self._older)

    def newer(self, magnitude: Array, logits: Array, colour: Array) -> None:
        """The second; fills the logits (4,) and the colour (BANDS + CLASSES,) of the two frames before."""
        self._hear(magnitude, self._newer)
        colour[:] = self._before
        np.add(self._older, self._newer, out=self._accent)
        self._accent *= 0.5
        self._before[:] = self._now
        self._now[:] = 0.0
        network_step(*self._weights, self._inputs, self._rows, self._steps, self._scratch, logits)

    def _hear(self, magnitude: Array, bands: Array) -> None:
        bands_and_chroma(
            magnitude, self._first, self._count, self._bands, self._level, self._decay, bands,
            self._low, self._below, self._share, self._chroma,
        )  # fmt: skip
