"""Harmonic, percussive and residual parts of a mix."""

from __future__ import annotations

import numpy as np

from engine.node import AudioFormat, AudioOut, Param
from nodes.separate.hpss_kernels import harmonic_percussive_masks
from nodes.separate.masked import MODES, MaskedNode, framing_of
from nodes.separate.medians import Medians


class Hpss(MaskedNode):
    """Harmonic, percussive and residual parts by median filtering, causal, with soft masks.

    On the power spectrum, H is the median over the last frames of a bin, P the median over the bins around
    it within one frame. harmonic takes H^2 / (H^2 + (margin P)^2) of every bin, percussive
    P^2 / (P^2 + (margin H)^2), residual what neither claims (nothing at margin 1), with H and P as
    magnitudes. The three add up to the delayed input.

    Latency: window - gcd(hop, quantum) samples + look-ahead, as the outputs' format declares: with quanta of
    one hop at 44.1 kHz 11.6 ms (stage), 34.8 ms (studio) or 81.3 ms (quality), and the quantum itself on
    top: 23, 46, 93 ms.

    Sources: Fitzgerald, DAFx 2010; Driedger, Mueller and Disch, ISMIR 2014 (margin and residual).
    """

    harmonic = AudioOut("what lasts: tones, float32 (channels, quantum)")
    percussive = AudioOut("what is short and broad: strokes, float32 (channels, quantum)")
    residual = AudioOut("what is neither: the delayed input minus the other two, float32 (channels, quantum)")

    mode = Param("studio", choices=tuple(MODES), help="23, 46 or 93 ms from sound to stem")
    margin = Param(
        2.0, low=1.0, high=10.0, live=True, help="how clearly a bin must be one or the other; 1: no residual"
    )

    def prepare(self, audio: AudioFormat) -> dict[str, AudioFormat]:
        window, hop, look_ahead = framing_of(self.mode, audio.rate)
        formats = self.cutting(audio, window, hop, look_ahead)
        self._medians = Medians(window, audio.rate, look_ahead)
        return formats

    def reset(self) -> None:
        super().reset()
        self._medians.reset()

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        harmonic, percussive = self._medians.step(power)
        harmonic_percussive_masks(harmonic, percussive, self.margin, masks)

    test_seconds = 1.5

    @classmethod
    def test_params(cls) -> list[dict[str, object]]:
        """For the conformance kit: without and with look-ahead."""
        return [{"mode": "stage"}, {"mode": "quality"}]
