"""The drums of a mix as a spectrum: what the beat tracker hears beside the mix."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, same_grid
from nodes.separate.bands import BANDS, pooling_over, spreading
from nodes.separate.drum_kernels import apply_gains, band_evidence, drum_gains, thin_power
from nodes.separate.evidence import KINDS, LEVEL_SECONDS, USUAL_SECONDS
from nodes.separate.evidence_kernels import follow_level
from nodes.separate.gains import BandGains, gain_weights
from nodes.separate.masked import framing_of
from nodes.separate.median_kernels import median_in_frequency, median_in_time
from nodes.separate.medians import FRAMES, SPAN, odd_width

THIN_FROM, THIN = 4000.0, 4  # Hz from which every so many bins are looked at: strokes are broad up there


class DrumSpectrum(FrameNode):
    """The magnitude spectrum of the drums of a mix: `separate` without its sound, at a sixth of its cost.

    The same network says for 64 bands how much of each is drums, from how percussive and how fresh the band
    is as a whole; whether it repeats is not asked (REPET-SIM is half of what `separate` costs, and the beats
    were as good without). Window and hop are those of the modes of `separate`: 2048 and 512 at 44.1 kHz
    (studio), or 1024 and 512 (stage).

    Latency: none beyond that of the spectrum.

    Sources: Fitzgerald, DAFx 2010; Valin, MMSP 2018 (band gains).
    """

    magnitude = FramesIn("magnitude spectrum of the mix, shape (bins,)")
    drums = FramesOut("magnitude spectrum of its drums, shape (bins,)")

    def prepare(self, magnitude: FramesFormat) -> FramesFormat:
        if len(magnitude.shape) != 1:
            raise ValueError(f"takes the spectrum of one channel, not {magnitude}: mix the channels first")
        rate, hop, window = magnitude.rate, magnitude.hop, 2 * (magnitude.shape[0] - 1)
        framings = {framing_of(mode, rate)[:2]: mode for mode in ("stage", "studio")}
        if (window, hop) not in framings:
            known = " or ".join(f"{window} and {hop}" for window, hop in framings)
            raise ValueError(
                f"needs a spectrum of window and hop {known}, not {window} and {hop}: set its stft so"
            )
        cut = int(THIN_FROM * window / rate)
        self._bins = np.r_[:cut, cut + THIN // 2 : window // 2 + 1 : THIN]
        count = len(self._bins)
        self._power = np.zeros(count, np.float32)
        self._past, self._ordered = (
            np.zeros((FRAMES, count), np.float32),
            np.zeros((count, FRAMES), np.float32),
        )
        self._frame = 0
        self._harmonic, self._percussive = np.zeros(count, np.float32), np.zeros(count, np.float32)
        width = SPAN * window / rate
        self._parts = [
            (self._power[part], np.zeros(odd_width(width / step), np.float32), self._percussive[part])
            for part, step in ((slice(0, cut), 1), (slice(cut, None), THIN))
        ]
        self._gains = BandGains(gain_weights(framings[window, hop]), rate / hop)
        self._first, self._count, self._weights = pooling_over(self._bins * (rate / window))
        self._lower, self._share = spreading(window, rate)
        self._level_frames = LEVEL_SECONDS * rate / hop
        self._pace = np.float32(1.0 - np.exp(-hop / rate / USUAL_SECONDS))
        self._level = np.zeros(2, np.float32)
        self._usual = np.zeros(BANDS, np.float32)
        self._bands = np.zeros((KINDS, BANDS), np.float32)
        self._ratios = np.zeros((2, BANDS), np.float32)
        self._band_gains = np.zeros(BANDS, np.float32)
        return same_grid(magnitude)

    def reset(self) -> None:
        self._past[:] = 0.0
        self._ordered[:] = 0.0
        self._frame = 0
        self._gains.reset()
        self._level[:] = 0.0
        self._usual[:] = 0.0

    def step(self, magnitude: np.ndarray, drums: np.ndarray) -> None:
        thin_power(magnitude, self._bins, self._power)
        median_in_time(self._power, self._past, self._ordered, self._frame % FRAMES, self._harmonic)
        self._frame += 1
        for power, window, percussive in self._parts:
            median_in_frequency(power, window, percussive)
        level = follow_level(self._power, self._level, self._level_frames)
        band_evidence(
            self._power, self._harmonic, self._percussive, self._first, self._count, self._weights, level,
            self._pace, self._usual, self._bands, self._ratios,
        )  # fmt: skip
        drum_gains(self._gains.step(self._bands), self._ratios, self._band_gains)
        apply_gains(magnitude, self._band_gains, self._lower, self._share, drums)

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft(window=2048, hop=512)).connect("input.audio", "stft")
        return {"magnitude": "stft.magnitude"}
