"""Predominant local pulse, in real time."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, Param, same_grid
from nodes.rhythm.tempogram_kernels import add_pulse, fourier_coefficient, tempogram_column


class Plp(FrameNode):
    """The pulse of the music as a low-frequency oscillator, with look-ahead and confidence.

    Each frame the strongest tempo of the last `window` seconds of novelty gives one Hann-windowed
    oscillation, centred on now, that is overlap-added; so the curve runs on into the future. All outputs are
    read `lookahead` ahead of the frame. The kernels are complex, so that the envelope needs no Hilbert
    transform.

    Latency: none of its own; negative by `lookahead`.

    Sources: Grosche and Mueller 2011; Meier, Chiu and Mueller, TISMIR 7(1), 2024 (real time, buffer, cursor);
    Meier, Schwaer and Mueller, DAFx 2024 (alpha, beta, gamma signals).
    """

    novelty = FramesIn("novelty, shape (), >= 0")
    alpha_lfo = FramesOut("pulse curve divided by the overlap of the kernels there, shape (), -1..1")
    gamma_lfo = FramesOut("the same with constant amplitude, shape (), -1..1")
    beta_confidence = FramesOut("envelope of alpha_lfo, shape (), 0..1: agreement of the recent oscillations")
    gamma_confidence = FramesOut("alpha_lfo times beta_confidence, shape (), -1..1")
    stability = FramesOut("envelope divided by its recent maximum (half-life 10 s), shape (), 0..1")
    tempo = FramesOut("strongest tempo in BPM, shape ()")

    low = Param(60.0, low=20.0, high=300.0, unit="BPM", help="slowest tempo")
    high = Param(180.0, low=20.0, high=300.0, unit="BPM", help="fastest tempo")
    window = Param(6.0, low=1.0, high=20.0, unit="s", help="length of the kernels")
    lookahead = Param(0.0, low=0.0, high=1.0, unit="s", live=True, help="how far ahead the outputs are read")

    def prepare(self, novelty: FramesFormat) -> dict[str, FramesFormat]:
        if novelty.shape != ():
            raise ValueError(f"takes one value a frame, not {novelty}")
        if self.high < self.low:
            raise ValueError(f"high ({self.high}) is below low ({self.low})")
        self._rate = novelty.frame_rate
        self._tempi = np.arange(self.low, self.high + 0.5)
        self._turns = 2 * np.pi * self._tempi / 60 / self._rate
        size = max(8, round(self.window * self._rate))
        self._taper = np.hanning(size)
        self._half = size // 2
        # What the kernels of all past frames have added at k frames after the newest kernel's start.
        self._overlap = np.cumsum(self._taper[::-1])[::-1].copy()
        self._ring = np.zeros(size)
        self._pulse = np.zeros(size, np.complex128)
        self._column = np.zeros(len(self._tempi), np.float32)
        self._fade = 0.5 ** (1.0 / (10.0 * self._rate))
        self.reset()
        return {name: same_grid(novelty, shape=()) for name in self.outputs}

    def reset(self) -> None:
        self._ring[:] = 0.0
        self._pulse[:] = 0.0
        self._at, self._most = -1, 0.0

    def step(
        self, novelty: np.ndarray, alpha_lfo: np.ndarray, gamma_lfo: np.ndarray, beta_confidence: np.ndarray,
        gamma_confidence: np.ndarray, stability: np.ndarray, tempo: np.ndarray,
    ) -> None:  # fmt: skip
        size = len(self._ring)
        self._at = at = (self._at + 1) % size
        self._ring[at] = novelty
        self._pulse[at] = 0.0  # the oldest place becomes the furthest future
        tempogram_column(self._ring, at, self._taper, self._turns, self._column)
        best = int(self._column.argmax())
        turn = self._turns[best]
        if self._column[best] > 0.0:
            coefficient = fourier_coefficient(self._ring, at, self._taper, turn)
            # The window ends now; the kernel is centred on now, so it starts half a kernel later.
            phase = np.angle(coefficient) + turn * (size - 1 - self._half)
            add_pulse(self._pulse, (at + 1) % size, self._taper, turn, phase)
        ahead = min(round(self.lookahead * self._rate), self._half - 2)
        cursor = self._half + ahead
        value = self._pulse[(at + 1 + cursor) % size] / self._overlap[cursor]
        envelope = min(1.0, abs(value))
        self._most = max(envelope, self._most * self._fade)
        alpha_lfo[...] = value.real
        gamma_lfo[...] = value.real / envelope if envelope > 1e-9 else 0.0
        beta_confidence[...] = envelope
        gamma_confidence[...] = value.real * envelope
        stability[...] = envelope / self._most if self._most > 0.0 else 0.0
        tempo[...] = self._tempi[best]

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the novelty of an `Stft`."""
        from nodes.spectral.novelty import Novelty
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft()).add("flux", Novelty())
        graph.connect("input.audio", "stft").connect("stft.magnitude", "flux")
        return {"novelty": "flux.novelty"}
