"""Online chroma."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, Param, same_grid
from nodes.spectral.bins import bin_frequencies, full_scale
from nodes.spectral.chroma_kernels import find_peaks, fold

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NORMS = ("none", "max", "sum", "euclidean")


class Chroma(FrameNode):
    """Energy of the twelve pitch classes, following the tuning of the music.

    Every peak of the spectrum is interpolated (parabola through the logarithms), compressed by
    log(1 + compression * amplitude) with full scale at amplitude 1, and shared between the two pitch classes
    beside it with cos^2 of the distance, once the tuning has been taken off. The tuning is the direction of
    the sum of all peaks so far, each a full turn per semitone, weighted by its compressed amplitude, older
    ones forgotten within `memory`. A frame weaker than `floor` gives zeros and does not move the tuning.

    Labels of `chroma`: C, C#, ... B. Latency: none of its own.

    Source: Mueller, Fundamentals of Music Processing, sec. 3.1.2 (chroma, log compression, normalisation),
    with the peak interpolation of Gomez 2006 (harmonic pitch class profile); tuning after Dressler and
    Streich 2007.
    """

    magnitude = FramesIn("magnitude spectrum, shape (bins,)")
    chroma = FramesOut("chroma, shape (12,), >= 0")
    tuning = FramesOut("tuning so far against A = reference, cents, shape (), -50 to 50")

    low = Param(55.0, low=20.0, high=2000.0, unit="Hz", help="peaks below are not counted")
    high = Param(4000.0, low=100.0, high=16000.0, unit="Hz", help="peaks above are not counted")
    reference = Param(440.0, low=380.0, high=500.0, unit="Hz", help="the A that tuning is measured from")
    compression = Param(100.0, low=0.01, high=1e6, live=True, help="gamma of log(1 + gamma amplitude)")
    norm = Param("euclidean", choices=NORMS, live=True, help="what is scaled to 1: largest, sum or length")
    floor = Param(-70.0, low=-140.0, high=0.0, unit="dB", live=True, help="quieter frames give zeros")
    follow_tuning = Param(True, live=True, help="false: the tuning is taken to be the reference's")
    memory = Param(
        10.0, low=0.1, high=600.0, unit="s", live=True, help="time constant of the tuning estimate"
    )

    def prepare(self, magnitude: FramesFormat) -> dict[str, FramesFormat]:
        frequencies = bin_frequencies(magnitude)
        spacing = frequencies[1]
        self._first = max(2, int(np.ceil(self.low / spacing)))
        self._stop = min(len(frequencies) - 1, int(np.floor(self.high / spacing)) + 1)
        if self._stop <= self._first:
            raise ValueError(f"no bins between low = {self.low:g} Hz and high = {self.high:g} Hz")
        self._gain = full_scale(frequencies)
        self._pitches = np.zeros(len(frequencies), np.float32)
        self._amplitudes = np.zeros(len(frequencies), np.float32)
        #: Pitch of bin 1 in semitones above the C that the reference's A belongs to.
        self._base = 12 * np.log2(spacing / self.reference) + 9
        self._frame_rate = magnitude.frame_rate
        self._direction = np.zeros(2, np.float64)
        self.changed("memory")
        return {
            "chroma": same_grid(magnitude, shape=(12,), labels=PITCH_CLASSES),
            "tuning": same_grid(magnitude, shape=(), unit="cents"),
        }

    def changed(self, name: str) -> None:
        self._forget = float(np.exp(-1 / (self.memory * self._frame_rate)))
        self._weakest = 10 ** (self.floor / 20)

    def reset(self) -> None:
        self._direction[:] = 0.0

    def step(self, magnitude: np.ndarray, chroma: np.ndarray, tuning: np.ndarray) -> None:
        peaks = find_peaks(
            magnitude,
            self._gain,
            self._base,
            self._first,
            self._stop,
            self._weakest,
            self._pitches,
            self._amplitudes,
        )
        tuning[...] = fold(
            self._pitches,
            self._amplitudes,
            peaks,
            self.compression,
            self._direction,
            self._forget if self.follow_tuning else -1.0,
            NORMS.index(self.norm),
            chroma,
        )

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft(window=4096, hop=1024)).connect("input.audio", "stft")
        return {"magnitude": "stft.magnitude"}
