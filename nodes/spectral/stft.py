"""Short-time Fourier transform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.node import AudioFormat, AudioIn, FramesFormat, FramesOut, HopNode, Param
from nodes.spectral.fft import RealFft
from nodes.spectral.tapers import TAPERS, taper


class Stft(HopNode):
    """Short-time Fourier transform: complex spectrum and magnitude of a sliding, tapered window.

    X[k] = sum over the window of x[n] taper[n] exp(-2 pi i k n / window), n from the window's first sample,
    not scaled: a sine of amplitude 1 has a peak of sum(taper) / 2. Several channels give frames of shape
    (channels, bins). Labels are the bins' frequencies in Hz.

    Latency: half a window (a frame's time is the centre of its window), then up to a quantum.

    Source: Mueller, Fundamentals of Music Processing, 2nd ed., eq. (2.26).
    """

    audio = AudioIn("audio, float32 (channels, quantum)")
    spectrum = FramesOut("complex spectrum, complex64 (window // 2 + 1,) or (channels, window // 2 + 1)")
    magnitude = FramesOut("its absolute value, float32, same shape, >= 0")

    window = Param(2048, low=32, high=32768, unit="samples", help="length of the window, a power of two")
    hop = Param(512, low=1, high=32768, unit="samples", help="from one frame to the next, at most the window")
    taper = Param("hann", choices=tuple(TAPERS), help="window function")

    def prepare(self, audio: AudioFormat) -> dict[str, FramesFormat]:
        self._fft = RealFft(self.window)
        self._taper = taper(self.taper, self.window)
        self._channels = audio.channels
        shape = (self._fft.bins,) if audio.channels == 1 else (audio.channels, self._fft.bins)
        labels = tuple(k * audio.rate / self.window for k in range(self._fft.bins))
        magnitude = self.framing(audio, self.window, self.hop, shape, labels=labels)
        return {"spectrum": replace(magnitude, dtype=np.complex64), "magnitude": magnitude}

    def step(self, window: np.ndarray, spectrum: np.ndarray, magnitude: np.ndarray) -> None:
        if self._channels == 1:
            self._fft.forward(window[0], self._taper, spectrum, magnitude)
            return
        for c in range(self._channels):
            self._fft.forward(window[c], self._taper, spectrum[c], magnitude[c])
