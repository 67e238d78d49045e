"""Log-frequency bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, Param, same_grid
from nodes.spectral.bands_kernels import band_means
from nodes.spectral.bins import bin_frequencies


class Bands(FrameNode):
    """Magnitude in bands that are evenly spaced in pitch.

    Band b is the weighted mean of the bins under a triangle in log-frequency that reaches from the centre of
    the band below to that of the band above. Where that is narrower than the spacing of the bins (low notes,
    short windows) the triangle is widened to reach the bins beside it, so a low band interpolates between
    bins instead of being empty, and neighbours look alike there. Weights are integrals over each bin's width.
    Labels are the centres in Hz.

    Latency: none of its own.

    Source: Mueller, Fundamentals of Music Processing, sec. 3.1.1 (log-frequency spectrogram).
    """

    magnitude = FramesIn("magnitude spectrum, shape (bins,)")
    bands = FramesOut("mean magnitude in each band, shape (bands,), >= 0")

    per_octave = Param(12, low=1, high=96, help="bands per octave; 12: semitones")
    low = Param(27.5, low=10.0, high=20000.0, unit="Hz", help="centre of the lowest band")
    high = Param(8000.0, low=20.0, high=22050.0, unit="Hz", help="no band is centred above this")

    def prepare(self, magnitude: FramesFormat) -> FramesFormat:
        frequencies = bin_frequencies(magnitude)
        top = min(self.high, frequencies[-1])
        if top < self.low:
            raise ValueError(f"low = {self.low:g} Hz is above high = {top:g} Hz")
        count = int(np.floor(self.per_octave * np.log2(top / self.low) + 1e-9)) + 1
        centres = self.low * 2.0 ** (np.arange(count) / self.per_octave)
        self._first, self._stop, self._weights = pack(triangles(frequencies, centres, self.per_octave))
        return same_grid(magnitude, shape=(count,), labels=tuple(float(f) for f in centres))

    def step(self, magnitude: np.ndarray, bands: np.ndarray) -> None:
        band_means(magnitude, self._first, self._stop, self._weights, bands)

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft()).connect("input.audio", "stft")
        return {"magnitude": "stft.magnitude"}


def triangles(
    frequencies: npt.NDArray[np.float64], centres: npt.NDArray[np.float64], per_octave: int
) -> npt.NDArray[np.float64]:
    """Weights (bands, bins), every row summing to 1."""
    spacing = frequencies[1]
    fine = 32  # points per bin at which the triangle is averaged
    points = (np.arange(len(frequencies) * fine) + 0.5) * spacing / fine - spacing / 2
    weights = np.zeros((len(centres), len(frequencies)))
    for row, centre in zip(weights, centres, strict=True):
        left = max(centre * (1 - 2 ** (-1 / per_octave)), spacing)
        right = max(centre * (2 ** (1 / per_octave) - 1), spacing)
        x = points - centre
        height = np.maximum(0.0, 1 - np.where(x < 0, -x / left, x / right))
        row[:] = height.reshape(-1, fine).mean(axis=1)
        row /= row.sum()
    return weights


def pack(weights: npt.NDArray[np.float64]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First bin and stop of every row's weights, and the weights one after the other."""
    rows = [np.flatnonzero(row) for row in weights]
    first = np.array([row[0] for row in rows], np.int64)
    stop = np.array([row[-1] + 1 for row in rows], np.int64)
    packed = np.concatenate([w[a:b] for w, a, b in zip(weights, first, stop, strict=True)])
    return first, stop, packed.astype(np.float32)
