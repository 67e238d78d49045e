"""Base of the nodes that take audio apart by masks on its spectrum."""

from __future__ import annotations

from math import gcd

import numpy as np

from engine.node import AudioFormat, AudioIn, HopNode
from nodes.separate.masked_kernels import add_power, apply_mask, move_up
from nodes.spectral.fft import RealFft
from nodes.spectral.istft_kernels import take_out
from nodes.spectral.tapers import taper

#: Milliseconds from a sound at the input to the same sound in a stem, a quantum of one hop included.
MODES = {"stage": 23, "studio": 46, "quality": 93}


def window_for(rate: int, milliseconds: float) -> int:
    """The longest power of two of samples that lasts at most so long (44.1 kHz: 1024 for 23 ms)."""
    return 1 << max(5, int(np.log2(milliseconds * 1.01e-3 * rate)))


def framing_of(mode: str, rate: int) -> tuple[int, int, int]:
    """Window and hop in samples and look-ahead in frames of one of MODES at `rate` Hz.

    At 44.1 and 48 kHz: stage 1024, 512, 0; studio 2048, 512, 0; quality 2048, 512, 4. Other rates scale.
    """
    half = window_for(rate, MODES["stage"]) // 2
    return (2 * half, half, 0) if mode == "stage" else (4 * half, half, 0 if mode == "studio" else 4)


class MaskedNode(HopNode):
    """Sliding window, transform, one mask per stem, transform back, overlap-add.

    A subclass declares its audio outputs, calls `self.cutting` in `prepare` and implements
    `mask(power, masks)`: `power` (bins,) is |X|^2 of the newest frame, the mean of the channels, `masks`
    (stems - 1, bins) takes the gains of every output but the last *for the frame `look_ahead` frames before
    it*. All channels get the same masks, so the place of a sound in the stereo picture stays. The last
    output is the delayed input minus the others: the outputs add up to the input, delayed, whatever the
    masks are (to the rounding of float32).
    """

    audio = AudioIn("the mix, float32 (channels, quantum)")

    def cutting(
        self, audio: AudioFormat, window: int, hop: int, look_ahead: int = 0
    ) -> dict[str, AudioFormat]:
        """Allocate; returns the format of every output."""
        self.framing(audio, window, hop)
        names = tuple(self.outputs)
        channels, stems = audio.channels, len(names) - 1
        self._fft = RealFft(window, inverse=True)
        self._taper = taper("sine" if 2 * hop == window else "hann", window)
        self._scale = _overlap_scale(self._taper, hop)
        self._look_ahead = look_ahead
        # A block must wait for the last frame that touches it; frames end on a grid of gcd(hop, quantum).
        self._delay = window - gcd(hop, self.quantum) + look_ahead * hop
        self._spectra = [np.zeros((channels, self._fft.bins), np.complex64) for _ in range(look_ahead + 1)]
        self._share = 1.0 / channels
        self._power = np.zeros(self._fft.bins, np.float32)
        self._magnitude = np.zeros(self._fft.bins, np.float32)
        self._masked = np.zeros(self._fft.bins, np.complex64)
        self._masks = np.zeros((stems, self._fft.bins), np.float32)
        self._lines = np.zeros((stems, channels, self.quantum + window), np.float32)
        self._late = np.zeros((channels, self._delay + self.quantum), np.float32)
        return dict.fromkeys(names, AudioFormat(audio.rate, channels, audio.latency + self._delay))

    def bound(self) -> None:
        super().bound()
        self._stems = tuple(self.__dict__[name] for name in self.outputs)

    def reset(self) -> None:
        super().reset()
        for spectrum in self._spectra:
            spectrum[:] = 0.0
        self._lines[:] = 0.0
        self._late[:] = 0.0

    def process(self) -> None:
        super().process()
        place = (self.clock.start - self._delay) % self._hop
        remainder = self._stems[-1]
        self._late[:, self._delay :] = self._audio
        remainder[...] = self._late[:, : self.quantum]
        for line, stem in zip(self._lines, self._stems, strict=False):
            take_out(line, self._scale, place, stem)
            np.subtract(remainder, stem, out=remainder)
        move_up(self._late, self.quantum)

    def step(self, window: np.ndarray) -> None:
        newest = self._spectra[self._index % len(self._spectra)]
        self._power[:] = 0.0
        for c in range(len(newest)):
            self._fft.forward(window[c], self._taper, newest[c], self._magnitude)
            add_power(self._magnitude, self._share, self._power)
        self.mask(self._power, self._masks)
        oldest = self._spectra[(self._index - self._look_ahead) % len(self._spectra)]
        ahead = (self._index + 1 - self._look_ahead) * self._hop - self._window
        at = ahead - (self.clock.start - self._delay)
        for mask, line in zip(self._masks, self._lines, strict=True):
            if not mask.any():
                continue
            for c in range(len(oldest)):
                apply_mask(oldest[c], mask, self._masked)
                self._fft.inverse(self._masked, self._taper, line[c, at : at + self._window])

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        """Fill `masks`, 0 to 1 and in sum at most 1, from the power spectrum of the newest frame."""
        raise NotImplementedError(f"{type(self).__name__} must define mask")


def _overlap_scale(window: np.ndarray, hop: int) -> np.ndarray:
    """One over the sum of the squared tapers at each of `hop` places."""
    return (1.0 / (window.astype(np.float64) ** 2).reshape(-1, hop).sum(axis=0)).astype(np.float32)
