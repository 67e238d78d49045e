"""What nodes that read a magnitude spectrum need to know about it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.node import FramesFormat


def bin_frequencies(format: FramesFormat) -> npt.NDArray[np.float64]:
    """Frequencies of the bins in Hz, even from 0. ValueError unless it is the spectrum of one channel."""
    if len(format.shape) != 1 or len(format.labels) != format.shape[0] or format.shape[0] < 3:
        raise ValueError(f"takes the magnitude spectrum of one channel, not {format}: mix the channels first")
    frequencies = np.array(format.labels, float)
    if frequencies[0] != 0 or not np.allclose(np.diff(frequencies), frequencies[1]):
        raise ValueError("takes bins at even frequencies from 0 Hz: wire Stft.magnitude to it")
    return frequencies


def full_scale(frequencies: npt.NDArray[np.float64]) -> np.float32:
    """Factor that gives a sine of amplitude 1 a peak of 1 (exact for the Hann window of `Stft`)."""
    return np.float32(4.0 / (2 * (len(frequencies) - 1)))
