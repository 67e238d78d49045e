"""Fundamental frequency of one voice, causal: two windows, one belief."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.pitch.f0_kernels import add_candidates, follow_pitch, square_difference
from nodes.spectral.fft import RealFft

PER_OCTAVE = 60  # bins of 20 cents
SPLIT = 0.25  # lags up to this part of the short window are heard in the short window
LOSE, FIND, JUMP = 0.02, 0.1, 0.05
MISSED, NOISE = 0.002, 0.25

Array = npt.NDArray[np.float32]


class F0:
    """Tracks the pitch of one voice from the newest samples of a window.

    High pitches are heard in the newest half of the window, low ones in the whole of it, so that high notes
    are told sooner. Candidates are the peaks of the normalised square difference function; a forward
    algorithm over bins of 20 cents and "no pitch" follows them.

    Parameters
    ----------
    rate : Hz.
    window : samples, a power of two; holds two periods of `lowest`.
    lowest, highest : Hz.

    Sources: McLeod and Wyvill, A smarter way to find pitch, ICMC 2005; Mauch and Dixon, pYIN, ICASSP 2014.
    """

    def __init__(self, rate: int, window: int, lowest: float, highest: float) -> None:
        if window < 2 * rate / lowest:
            raise ValueError(
                f"a window of {window} samples does not hold two periods of {lowest:g} Hz; lengthen it"
            )
        self.rate, self.lowest = rate, lowest
        self._short = window // 2
        self._split = int(SPLIT * self._short)
        self._longest = int(rate / lowest) + 2
        self._shortest = max(2, int(rate / highest))
        self._whole = _Correlation(window, self._longest + 2)
        self._half = _Correlation(self._short, min(self._short // 2, self._longest + 2))
        bins = int(np.ceil(PER_OCTAVE * np.log2(highest / lowest))) + 1
        self._observation = np.zeros(bins, np.float32)
        self._belief = np.zeros(bins + 1, np.float32)
        self._scratch = np.zeros(bins + 1, np.float32)
        self._values = np.array([LOSE, FIND, JUMP, MISSED, NOISE])
        self.reset()

    def reset(self) -> None:
        """No pitch yet."""
        self._belief[:] = 0.0
        self._belief[-1] = 1.0
        self.pitch, self.voicing, self.clarity = 0.0, 0.0, 0.0

    def step(self, window: Array) -> None:
        """Hear a window (samples,): `pitch` (MIDI, fractions), `voicing`, `clarity` (0 to 1) are of now."""
        self._observation[:] = 0.0
        lag, low, per = self._split, self.lowest, PER_OCTAVE
        short = self._half.of(window[-self._short :])
        high = add_candidates(short, self._shortest, lag, self.rate, low, per, 1.0, self._observation)
        whole = self._whole.of(window)
        deep = add_candidates(whole, lag, self._longest, self.rate, low, per, 1.0, self._observation)
        self.clarity = max(0.0, min(1.0, max(high, deep)))
        self.voicing = follow_pitch(self._observation, 0.15, self._belief, self._scratch, self._values)
        best = int(np.argmax(self._belief[:-1]))
        self.pitch = self._refined(best)

    def _refined(self, best: int) -> float:
        """MIDI pitch of the belief's peak, by the centre of the bins beside it."""
        belief = self._belief
        first, stop = max(0, best - 2), min(len(belief) - 1, best + 3)
        mass, moment = 1e-12, 0.0
        for bin in range(first, stop):
            mass += float(belief[bin])
            moment += float(belief[bin]) * bin
        place = moment / mass if mass > 1e-9 else best
        return 69.0 + 12.0 * float(np.log2(self.lowest / 440.0)) + 12.0 * place / PER_OCTAVE


class _Correlation:
    """Normalised square difference function of a window, up to `longest` samples of lag."""

    def __init__(self, window: int, longest: int) -> None:
        self._fft = RealFft(2 * window, inverse=True)
        self._ones = np.ones(2 * window, np.float32)
        self._padded = np.zeros(2 * window, np.float32)
        self._spectrum = np.zeros(self._fft.bins, np.complex64)
        self._magnitude = np.zeros(self._fft.bins, np.float32)
        self._correlation = np.zeros(2 * window, np.float32)
        self._out = np.zeros(longest + 1, np.float32)

    def of(self, window: Array) -> Array:
        self._padded[: len(window)] = window
        self._fft.forward(self._padded, self._ones, self._spectrum, self._magnitude)
        np.multiply(self._magnitude, self._magnitude, out=self._magnitude)
        self._spectrum.real = self._magnitude
        self._spectrum.imag = 0.0
        self._correlation[:] = 0.0
        self._fft.inverse(self._spectrum, self._ones, self._correlation)
        square_difference(self._padded[: len(window)], self._correlation, len(self._out) - 1, self._out)
        return self._out
