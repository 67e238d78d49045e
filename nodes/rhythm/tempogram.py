"""Fourier tempogram."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, Param, same_grid
from nodes.rhythm.tempogram_kernels import tempogram_column


class Tempogram(FrameNode):
    """How strongly the recent novelty pulses at each tempo.

    |sum_n novelty[n] w[n] exp(-2 pi i (theta / 60) n / frame rate)| / sum_n w[n] over the last `window`
    seconds, w a Hann window, theta from `low` to `high` BPM in steps of `step`. Labels are the tempi.

    Latency: none of its own; the estimate is that of the middle of the window, half a window ago.

    Source: Grosche and Mueller, IEEE TASLP 19(6), 2011, eq. (2);
    causal: Meier, Chiu and Mueller, TISMIR 2024.
    """

    novelty = FramesIn("novelty, shape ()")
    tempogram = FramesOut("magnitude for each tempo, shape (tempi,), >= 0")

    low = Param(40.0, low=10.0, high=600.0, unit="BPM", help="slowest tempo")
    high = Param(240.0, low=10.0, high=600.0, unit="BPM", help="fastest tempo")
    step_bpm = Param(2.0, low=0.1, high=50.0, unit="BPM", help="from one tempo to the next")
    window = Param(6.0, low=0.5, high=30.0, unit="s", help="how far it looks back")

    def prepare(self, novelty: FramesFormat) -> FramesFormat:
        if novelty.shape != ():
            raise ValueError(f"takes one value a frame, not {novelty}")
        if self.high < self.low:
            raise ValueError(f"high ({self.high}) is below low ({self.low})")
        tempi = np.arange(self.low, self.high + 1e-9, self.step_bpm)
        self._turns = 2 * np.pi * tempi / 60 / novelty.frame_rate
        size = max(2, round(self.window * novelty.frame_rate))
        self._taper = np.hanning(size)
        self._ring = np.zeros(size)
        self._at = -1
        return same_grid(novelty, shape=(len(tempi),), labels=tuple(float(t) for t in tempi))

    def reset(self) -> None:
        self._ring[:] = 0.0
        self._at = -1

    def step(self, novelty: np.ndarray, tempogram: np.ndarray) -> None:
        self._at = (self._at + 1) % len(self._ring)
        self._ring[self._at] = novelty
        tempogram_column(self._ring, self._at, self._taper, self._turns, tempogram)

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the novelty of an `Stft`."""
        from nodes.spectral.novelty import Novelty
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft()).add("flux", Novelty())
        graph.connect("input.audio", "stft").connect("stft.magnitude", "flux")
        return {"novelty": "flux.novelty"}
