"""Fundamental frequency of one voice, causal: windows as long as the pitch asks for, one belief."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.pitch.f0_kernels import add_candidates, follow_pitch, square_difference
from nodes.spectral.fft import RealFft

PER_OCTAVE = 60  # bins of 20 cents
PERIODS = 4  # a window hears lags down to the next shorter window's: that many periods fit at least
LOSE, FIND, JUMP = 0.02, 0.1, 0.05
MISSED, NOISE = 0.002, 0.005

Array = npt.NDArray[np.float32]


class F0:
    """Tracks the pitch of one voice from the newest samples of a window.

    High pitches are heard in the newest quarter of the window, middle ones in the newest half, low ones in
    the whole of it, so that high notes are told sooner. Candidates are the peaks of the normalised square
    difference function; a forward algorithm over bins of 20 cents and "no pitch" follows them.

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
        longest, shortest = int(rate / lowest) + 2, max(2, int(rate / highest))
        self._parts: list[tuple[_Correlation, int, int]] = []  # and its least and longest lag
        for size in (window // 4, window // 2, window):
            stop = longest if size == window else size // PERIODS
            correlation = _Correlation(size, min(size // 2, longest + 2))
            self._parts.append((correlation, shortest, stop))
            shortest = stop
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
        self.pitch, self.voicing = 0.0, 0.0

    def step(self, window: Array) -> None:
        """Hear a window (samples,): `pitch` (MIDI, fractions), `voicing` (0 to 1) are of now."""
        self._observation[:] = 0.0
        for correlation, shortest, longest in self._parts:
            found = correlation.of(window[-correlation.size :])
            add_candidates(
                found, shortest, longest, self.rate, self.lowest, PER_OCTAVE, 1.0, self._observation
            )
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
        self.size = window
        self._fft = RealFft(2 * window, inverse=True)
        self._ones = np.ones(2 * window, np.float32)
        self._padded = np.zeros(2 * window, np.float32)
        self._spectrum = np.zeros(self._fft.bins, np.complex64)
        self._magnitude = np.zeros(self._fft.bins, np.float32)
        self._correlation = np.zeros(2 * window, np.float32)
        self._out = np.zeros(longest + 1, np.float32)

    def of(self, window: Array) -> Array:
        """Values by lag of a window (size,); good until the next call."""
        self._padded[: len(window)] = window
        self._fft.forward(self._padded, self._ones, self._spectrum, self._magnitude)
        np.multiply(self._magnitude, self._magnitude, out=self._magnitude)
        self._spectrum.real = self._magnitude
        self._spectrum.imag = 0.0
        self._correlation[:] = 0.0
        self._fft.inverse(self._spectrum, self._ones, self._correlation)
        square_difference(self._padded[: len(window)], self._correlation, len(self._out) - 1, self._out)
        return self._out
