"""The follower's ear: band powers of a short and a long window, and what is heard in them.

The short window tells *when* a note starts (onset bands: single bins below 430 Hz, semitones above); the
long window tells *which* notes sound (semitone bands). Both end at the newest sample, so that an onset is
seen as early as possible. Powers are scaled so that a full-scale sine gives 1 in its band.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from nodes.spectral.fft import RealFft

Array = npt.NDArray[np.float32]

HOP = 512
SHORT = 2048
LONG = 8192
COMPRESSION = 1e4  # gamma in log(1 + gamma * power / level): what lies 40 dB below the level is not heard
FLUX_LAG = 3  # frames between the two spectra whose rise is an onset
LEVEL_SECONDS = 5.0  # decay of the level that normalises


def midi_to_hz(pitch: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Equal temperament at A4 = 440 Hz."""
    return np.asarray(440.0 * 2.0 ** ((np.asarray(pitch, np.float64) - 69.0) / 12.0))


class Bands:
    """Triangular bands over the two spectra, as sparse rows (first bin, weights).

    Parameters
    ----------
    rate : sample rate in Hz.
    tuning : of the performance against A4 = 440 Hz, in semitones.
    """

    def __init__(self, rate: int, tuning: float = 0.0) -> None:
        single = np.arange(2, 20) * rate / SHORT
        first = int(np.ceil(69 + 12 * np.log2(single[-1] / 440.0) + 0.7))
        semitones = midi_to_hz(np.arange(first, 119) + tuning)
        onset = np.concatenate([single, semitones[semitones < 0.45 * rate]])
        pitch = midi_to_hz(np.arange(33, 109) + tuning)
        self.rate, self.tuning = rate, tuning
        self.onset = _triangles(onset, SHORT, rate, 2 ** (1 / 12) - 1)
        self.pitch = _triangles(pitch, LONG, rate, 2 ** (1 / 24) - 1 + 0.01)
        self.short_window = _hann(SHORT)
        self.long_window = _hann(LONG)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of onset bands, number of pitch bands."""
        return len(self.onset[0]), len(self.pitch[0])


def _hann(length: int) -> Array:
    """Periodic Hann window whose magnitude spectrum gives a full-scale sine the value 1."""
    window = np.hanning(length + 1)[:length]
    return (2.0 * window / window.sum()).astype(np.float32)


def _triangles(
    centres: npt.NDArray[np.float64], length: int, rate: int, width: float
) -> tuple[npt.NDArray[np.int64], Array]:
    """Rows of triangular weights, at least one bin wide: (first bins, weights padded with zeros)."""
    step = rate / length
    bins = np.arange(length // 2 + 1) * step
    rows = [np.maximum(0.0, 1.0 - np.abs(bins - c) / max(c * width, step)) for c in centres]
    first = np.array([np.flatnonzero(row)[0] for row in rows], np.int64)
    longest = max(np.flatnonzero(row)[-1] + 1 - f for row, f in zip(rows, first, strict=True))
    weights = np.zeros((len(rows), longest), np.float32)
    for i, (row, f) in enumerate(zip(rows, first, strict=True)):
        part = row[f : f + longest]
        weights[i, : len(part)] = part
    return first, weights


@njit(nogil=True, cache=True)
def band_powers(magnitude, first, weights, out):  # type: ignore[no-untyped-def]
    """out[b] = sum of weights[b] * magnitude^2."""
    size = magnitude.shape[0]
    for b in range(first.shape[0]):
        total = np.float32(0.0)
        for i in range(weights.shape[1]):
            k = first[b] + i
            if k < size:
                total += weights[b, i] * magnitude[k] * magnitude[k]
        out[b] = total


@njit(nogil=True, cache=True)
def hear(onset_power, pitch_power, history, level, frame, decay, flux, pitches):  # type: ignore[no-untyped-def]
    """Onset flux and pitch spectrum of one frame, both log-compressed against a running level.

    history : (FLUX_LAG + 1, onset bands), the last onset powers; level : (1,) running level, updated;
    frame : index of the frame. flux[b] = max(0, log(1 + g p[t] / level) - log(1 + g p[t - lag] / level)).
    Returns the power of this frame.
    """
    size = history.shape[0]
    total = 0.0
    for b in range(onset_power.shape[0]):
        total += onset_power[b]
    if total > level[0]:
        level[0] += 0.5 * (total - level[0])
    else:
        level[0] = max(level[0] * decay, 1e-9)
    gain = COMPRESSION / level[0]
    row = frame % size
    old = (frame + 1) % size
    for b in range(onset_power.shape[0]):
        history[row, b] = onset_power[b]
        before = np.log1p(gain * history[old, b]) if frame >= size - 1 else 0.0
        flux[b] = max(0.0, np.log1p(gain * onset_power[b]) - before)
    for b in range(pitch_power.shape[0]):
        pitches[b] = np.log1p(gain * pitch_power[b])
    return total


@njit(nogil=True, cache=True)
def mix_down(window, mono):  # type: ignore[no-untyped-def]
    """Mean of the channels of (channels, samples)."""
    share = np.float32(1.0 / window.shape[0])
    for i in range(window.shape[1]):
        total = np.float32(0.0)
        for channel in range(window.shape[0]):
            total += window[channel, i]
        mono[i] = total * share


class Ear:
    """One frame after the other: the last LONG samples in, `flux` and `pitches` (compressed) out."""

    def __init__(self, bands: Bands) -> None:
        self.bands = bands
        onsets, pitches = bands.shape
        self._short, self._long = RealFft(SHORT), RealFft(LONG)
        self._spectrum = {n: np.zeros(n // 2 + 1, np.complex64) for n in (SHORT, LONG)}
        self._magnitude = {n: np.zeros(n // 2 + 1, np.float32) for n in (SHORT, LONG)}
        self.onset_power = np.zeros(onsets, np.float32)
        self.pitch_power = np.zeros(pitches, np.float32)
        self.flux = np.zeros(onsets, np.float32)
        self.pitches = np.zeros(pitches, np.float32)
        self._history = np.zeros((FLUX_LAG + 1, onsets), np.float32)
        self._level = np.zeros(1)
        self._decay = float(np.exp(-HOP / bands.rate / LEVEL_SECONDS))
        self.reset()

    def reset(self) -> None:
        """Silence before."""
        self._history[...] = 0.0
        self._level[0] = 1e-9
        self._frame = 0
        self.power = 0.0

    @property
    def level(self) -> float:
        """The running level that normalises (power)."""
        return float(self._level[0])

    def powers(self, window: Array) -> None:
        """`onset_power` and `pitch_power` of the last LONG samples."""
        bands = self.bands
        self._long.forward(window, bands.long_window, self._spectrum[LONG], self._magnitude[LONG])
        recent = window[LONG - SHORT :]
        self._short.forward(recent, bands.short_window, self._spectrum[SHORT], self._magnitude[SHORT])
        band_powers(self._magnitude[SHORT], *bands.onset, self.onset_power)
        band_powers(self._magnitude[LONG], *bands.pitch, self.pitch_power)

    def step(self, window: Array) -> None:
        """Hear the last LONG samples, one hop after the last call."""
        self.powers(window)
        self.power = hear(
            self.onset_power,
            self.pitch_power,
            self._history,
            self._level,
            self._frame,
            self._decay,
            self.flux,
            self.pitches,
        )
        self._frame += 1
