"""Beat activation: how much each moment sounds like a beat and like a downbeat."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, same_grid
from nodes.rhythm.accent_kernels import BANDS, CLASSES
from nodes.rhythm.beat_ear import BeatEar
from nodes.rhythm.beat_network import DELAY


class BeatActivation(FrameNode):
    """Beat and downbeat evidence of a small causal network, two spectral frames a step.

    The spectrum goes through 32 log bands at a level that does not matter (a slow peak level is divided
    out), then through a dilated causal convolutional network of 84,000 weights that was trained on composed
    music (see `beat_network.md`). An output frame holds four logits: beat at the older and at the newer of
    its two frames, downbeat at the older and at the newer; its time is that of the newer.

    Where the drums are wired as well, the network hears them by themselves, too, and all that is said is the
    mean of both: what a riff or a voice hides in the mix is plain in the drums, and the mix says what plays
    where no drums do.

    Latency: that of the spectrum and two spectral frames more, in which the network has heard the onset.

    Source: temporal convolutional networks for beats: Davies and Boeck, EUSIPCO 2019 (here causal and
    small); targets and use of the logits are our own, see docs/decisions.md.
    """

    magnitude = FramesIn("magnitude spectrum, shape (bins,), 75 to 100 frames a second")
    drums = FramesIn("magnitude spectrum of its drums, from `DrumSpectrum`", optional=True)
    activation = FramesOut("logits (4,): beat at the older and newer frame, downbeat at the older and newer")
    colour = FramesOut("mean of the bands (32,) and sum of the chroma (12,) of the same two frames")

    def prepare(self, magnitude: FramesFormat, drums: FramesFormat | None = None) -> dict[str, FramesFormat]:
        if len(magnitude.shape) != 1:
            raise ValueError(f"takes the spectrum of one channel, not {magnitude}: mix the channels first")
        if not 75.0 <= magnitude.frame_rate <= 100.0:
            hop = round(magnitude.rate / 86.13)
            raise ValueError(
                f"needs 75 to 100 frames a second, not {magnitude.frame_rate:.4g}: set hop = {hop}"
            )
        if drums is not None and drums.shape != magnitude.shape:
            raise ValueError(f"the drums must be a spectrum like that of the mix, {magnitude}, not {drums}")
        sounds = 1 if drums is None else 2
        self._ears = [
            BeatEar(magnitude.rate, magnitude.shape[0], magnitude.frame_rate) for _ in range(sounds)
        ]
        self._logits = np.zeros(4, np.float32)
        self._colour = np.zeros(BANDS + CLASSES, np.float32)
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
        for ear in self._ears:
            ear.reset()

    def process(self) -> None:
        mix = self.magnitude
        for k in range(mix.count):
            index = mix.first + k
            if index & 1:
                activation, colour = self.activation.push(index >> 1), self.colour.push(index >> 1)
                self._ears[0].newer(mix.slots[k], activation, colour)
                if len(self._ears) == 2:
                    self._ears[1].newer(self._of_drums(k), self._logits, self._colour)
                    activation += self._logits
                    activation *= 0.5
                    colour += self._colour
                    colour *= 0.5
            else:
                self._ears[0].older(mix.slots[k])
                if len(self._ears) == 2:
                    self._ears[1].older(self._of_drums(k))

    def _of_drums(self, k: int) -> np.ndarray:
        """The k-th frame of the drums, or of the mix where the node that gives them has failed."""
        drums = self.drums
        return drums.slots[k] if k < drums.count else self.magnitude.slots[k]

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`, and of its drums."""
        from nodes.separate.drum_spectrum import DrumSpectrum
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft(window=2048, hop=512)).connect("input.audio", "stft")
        graph.add("drums", DrumSpectrum()).connect("stft.magnitude", "drums")
        return {"magnitude": "stft.magnitude", "drums": "drums.drums"}
