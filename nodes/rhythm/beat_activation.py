"""Beat activation: how much each moment sounds like a beat and like a downbeat."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, same_grid
from nodes.rhythm.accent_kernels import (
    BANDS,
    CLASSES,
    band_weights,
    bands_and_chroma,
    pitch_places,
)
from nodes.rhythm.beat_network import DELAY, weights
from nodes.rhythm.network_kernels import CHANNELS, ROWS, SPAN, TAPS, network_step

LEVEL_HALF_LIFE = 3.0  # seconds in which the level that bands are measured against falls by half


class BeatActivation(FrameNode):
    """Beat and downbeat evidence of a small causal network, two spectral frames a step.

    The spectrum goes through 32 log bands at a level that does not matter (a slow peak level is divided
    out), then through a dilated causal convolutional network of 32,000 weights that was trained on composed
    music (see `beat_network.md`). An output frame holds four logits: beat at the older and at the newer of
    its two frames, downbeat at the older and at the newer; its time is that of the newer.

    Latency: that of the spectrum and two spectral frames more, in which the network has heard the onset.

    Source: temporal convolutional networks for beats: Davies and Boeck, EUSIPCO 2019 (here causal and
    small); targets and use of the logits are our own, see docs/decisions.md.
    """

    magnitude = FramesIn("magnitude spectrum, shape (bins,), 75 to 100 frames a second")
    activation = FramesOut("logits (4,): beat at the older and newer frame, downbeat at the older and newer")
    colour = FramesOut("mean of the bands (32,) and sum of the chroma (12,) of the same two frames")

    def prepare(self, magnitude: FramesFormat) -> dict[str, FramesFormat]:
        if len(magnitude.shape) != 1:
            raise ValueError(f"takes the spectrum of one channel, not {magnitude}: mix the channels first")
        if not 75.0 <= magnitude.frame_rate <= 100.0:
            hop = round(magnitude.rate / 86.13)
            raise ValueError(
                f"needs 75 to 100 frames a second, not {magnitude.frame_rate:.4g}: set hop = {hop}"
            )
        self._first, self._count, self._bands = band_weights(magnitude.rate, magnitude.shape[0])
        self._low, self._below, self._share = pitch_places(magnitude.rate, magnitude.shape[0])
        self._decay = np.float32(0.5 ** (1.0 / (magnitude.frame_rate * LEVEL_HALF_LIFE)))
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
        grid = FramesFormat(
            rate=magnitude.rate,
            hop=2 * magnitude.hop,
            origin=magnitude.origin + (1 - DELAY) * magnitude.hop,
            shape=(4,),
            latency=magnitude.latency + DELAY * magnitude.hop,
            unit="logit",
            labels=("beat, older", "beat, newer", "downbeat, older", "downbeat, newer"),
        )
        return {"activation": grid, "colour": same_grid(grid, shape=(BANDS + CLASSES,))}

    def reset(self) -> None:
        for state in (self._level, self._inputs, self._rows, self._steps, self._now, self._before):
            state[:] = 0

    def process(self) -> None:
        frames = self.magnitude
        for k in range(frames.count):
            index = frames.first + k
            newer = index & 1
            bands = self._newer if newer else self._older
            bands_and_chroma(
                frames.slots[k], self._first, self._count, self._bands, self._level, self._decay, bands,
                self._low, self._below, self._share, self._chroma,
            )  # fmt: skip
            if newer:
                slot = self.activation.push(index >> 1)
                self.colour.push(index >> 1)[:] = self._before
                np.add(self._older, self._newer, out=self._accent)
                self._accent *= 0.5
                self._before[:] = self._now
                self._now[:] = 0.0
                network_step(*self._weights, self._inputs, self._rows, self._steps, self._scratch, slot)

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft()).connect("input.audio", "stft")
        return {"magnitude": "stft.magnitude"}
