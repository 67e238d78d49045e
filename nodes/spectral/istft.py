"""Inverse short-time Fourier transform."""

from __future__ import annotations

from math import gcd

import numpy as np

from engine.node import AudioFormat, AudioOut, FramesFormat, FramesIn, Node, Param
from nodes.spectral.fft import RealFft
from nodes.spectral.istft_kernels import take_out
from nodes.spectral.tapers import TAPERS, taper


class Istft(Node):
    """Audio from complex spectra by weighted overlap-add: the exact inverse of `Stft`, delayed.

    Every frame is transformed back, tapered once more and added; the sum is divided by the sum of the squared
    tapers that overlap there, so any hop up to half a window reconstructs what went in.

    Latency: window - gcd(hop, quantum) samples, the least at which every sample has all its frames, plus
    what nodes between `Stft` and here have added. It is part of the output's format.

    Source: Griffin and Lim 1984, eq. (6); Mueller, Fundamentals of Music Processing, sec. 8.1.2.
    """

    spectrum = FramesIn("complex spectrum, complex64 (bins,) or (channels, bins), from `Stft`")
    audio = AudioOut("audio, float32 (channels, quantum)")

    taper = Param("hann", choices=tuple(TAPERS), help="window function, the same as in the Stft before it")

    def prepare(self, spectrum: FramesFormat) -> AudioFormat:
        if np.dtype(spectrum.dtype) != np.complex64 or len(spectrum.shape) not in (1, 2):
            raise ValueError(f"takes complex spectra, not {spectrum}: wire Stft.spectrum to it")
        bins = spectrum.shape[-1]
        window, hop = 2 * (bins - 1), spectrum.hop
        self._channels = 1 if len(spectrum.shape) == 1 else spectrum.shape[0]
        self._half = window // 2
        self._fft = RealFft(window, inverse=True)
        self._taper = taper(self.taper, window)
        self._scale, self._phase = self._scaling(hop, spectrum.origin)
        # The first sample that a frame still to come will touch moves in steps of gcd(hop, quantum).
        step = gcd(hop, self.quantum)
        ahead = (spectrum.origin + spectrum.latency) % step or step
        self._latency = self._half + spectrum.latency - ahead
        self._line = np.zeros((self._channels, self.quantum + window), np.float32)
        return AudioFormat(spectrum.rate, self._channels, self._latency)

    def _scaling(self, hop: int, origin: int) -> tuple[np.ndarray, int]:
        """One over the sum of the squared tapers, for each of `hop` places, and the place of sample 0."""
        squares = self._taper.astype(np.float64) ** 2
        overlap = np.zeros(hop)
        for start in range(0, len(squares), hop):
            part = squares[start : start + hop]
            overlap[: len(part)] += part
        if overlap.min() < 1e-3 * squares.max():
            raise ValueError(
                f"a hop of {hop} leaves gaps between windows of {len(squares)}: take half a window or less"
            )
        return (1 / overlap).astype(np.float32), self._half - origin

    def reset(self) -> None:
        self._line[:] = 0.0

    def process(self) -> None:
        frames, line, window = self.spectrum, self._line, 2 * self._half
        base = self.clock.start - self._latency  # input sample of line[:, 0]
        for k in range(frames.count):
            at = frames.time(k) - self._half - base
            frame = frames.slots[k]
            for c in range(self._channels):
                bins = frame if frame.ndim == 1 else frame[c]
                self._fft.inverse(bins, self._taper, line[c, at : at + window])
        take_out(line, self._scale, (base + self._phase) % len(self._scale), self.audio)

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the spectrum of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft(window=1024, hop=256)).connect("input.audio", "stft")
        return {"spectrum": "stft.spectrum"}
