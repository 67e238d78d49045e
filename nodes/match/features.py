"""The matcher's chroma: the same chain for a reference on disk and for what sounds now.

22,050 Hz, Hann window 4096, hop 2205 (10 Hz) -> spectral peaks on 120 pitch classes -> tuned and folded to 12
-> L1, Hann 7 (0.7 s), log(1 + 30 share), every second frame (5 Hz), less its mean, L2.

Latency: a smoothed frame is known 0.393 s after its centre (half a window and 3 hops).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match.chroma_kernels import CENTS10, FINE, fold, peak_chroma, smooth, tune

Array = npt.NDArray[Any]

#: Sample rate of the analysis in Hz.
RATE = 22050
#: Samples a window and a hop.
WINDOW, HOP = 4096, 2205
#: Chroma frames under the smoothing window, and chroma frames a smoothed frame.
SMOOTH, DECIMATION = 7, 2
#: Smoothed frames a second.
FRAME_RATE = RATE / HOP / DECIMATION
#: Seconds from the start to the centre of the first smoothed frame.
ORIGIN = (HOP - WINDOW / 2) / RATE
#: Peaks between these frequencies in Hz count.
LOW_HZ, HIGH_HZ = 60.0, 2600.0
#: Weight of a peak is its magnitude to this power.
EXPONENT = 0.5
#: Mean square below which a window is silence (-70 dB).
SILENCE = 1e-7
#: Power of a spectral peak below which it is noise of the converter.
FLOOR = 1e-3

_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
SMOOTHING: Array = np.hanning(SMOOTH + 2)[1:-1].astype(np.float32)


def frame_time(index: float) -> float:
    """Seconds of the centre of smoothed frame `index`."""
    return ORIGIN + index / FRAME_RATE


def frame_index(seconds: float) -> float:
    """The (fractional) smoothed frame whose centre is at `seconds`."""
    return (seconds - ORIGIN) * FRAME_RATE


class FineChroma:
    """Audio hop by hop to fine chroma at 10 Hz."""

    def __init__(self) -> None:
        self._window = np.zeros(WINDOW, np.float32)

    def push(self, hop: Array, out: Array) -> bool:
        """Take HOP samples, write the fine chroma (120,) of the last WINDOW; False where it is silent."""
        window = self._window
        window[:-HOP] = window[HOP:]
        window[-HOP:] = hop
        if float(np.dot(window, window)) / WINDOW < SILENCE:
            out[:] = 0.0
            return False
        peak_chroma(
            np.fft.rfft(window * _HANN),
            np.float32(RATE / WINDOW),
            np.float32(LOW_HZ),
            np.float32(HIGH_HZ),
            np.float32(FLOOR),
            np.float32(EXPONENT),
            out,
        )
        return True


class Tuning:
    """Where the semitones lie: a circular mean, in tenths of a semitone from A = 440 Hz.

    keep : share of the past kept each frame (1: all of it).
    """

    #: Frames' worth of belief in 440 Hz before anything is heard.
    PRIOR = 10.0

    def __init__(self, keep: float) -> None:
        self.keep = keep
        self._state = np.array([self.PRIOR, 0.0])

    def push(self, fine: Array) -> None:
        """Take one frame of fine chroma."""
        total = float(fine.sum())
        if total > 0.0:
            tune(fine / np.float32(total), self._state, self.keep)

    @property
    def value(self) -> float:
        """Tenths of a semitone, -5 to 5."""
        return math.atan2(self._state[1], self._state[0]) / (2.0 * math.pi) * CENTS10


class QueryFrames:
    """Audio hop by hop to smoothed frames at 5 Hz, with a running tuning."""

    def __init__(self) -> None:
        self._chroma = FineChroma()
        self._tuning = Tuning(0.99)
        self._fine = np.zeros(FINE, np.float32)
        self._ring = np.zeros((SMOOTH, 12), np.float32)
        self._count = 0
        self.frame = np.zeros(12, np.float32)
        self.index = -1

    @property
    def tuning(self) -> float:
        """Tenths of a semitone from A = 440 Hz."""
        return self._tuning.value

    def push(self, hop: Array) -> bool:
        """Take HOP samples; True when `frame` (12,) and its `index` are new."""
        sounding = self._chroma.push(hop, self._fine)
        ring = self._ring
        ring[:-1] = ring[1:]
        if sounding:
            self._tuning.push(self._fine)
            fold(self._fine, self._tuning.value, ring[-1])
        else:
            ring[-1] = 0.0
        self._count += 1
        centre = self._count - 1 - SMOOTH // 2
        if centre < 0 or centre % DECIMATION:
            return False
        smooth(ring, 0, SMOOTHING, False, self.frame)
        self.index = centre // DECIMATION
        return True


def reference_frames(fine: Array) -> tuple[Array, float]:
    """Smoothed frames (n, 12) of a whole recording from its fine chroma (m, 120), and its tuning."""
    tuning = Tuning(1.0)
    for row in fine:
        tuning.push(row)
    chroma = np.zeros((len(fine), 12), np.float32)
    for row, out in zip(fine, chroma, strict=True):
        fold(row, tuning.value, out)
    return smoothed(chroma), tuning.value


def smoothed(chroma: Array, *, quantised: bool = False) -> Array:
    """Smoothed frames (n, 12) of chroma (m, 12) at 10 Hz; `quantised`: CENS."""
    out = np.zeros((-(-len(chroma) // DECIMATION), 12), np.float32)
    for i, row in enumerate(out):
        smooth(chroma, i * DECIMATION - SMOOTH // 2, SMOOTHING, quantised, row)
    return out


def as_bytes(frames: Array) -> Array:
    """Frames of L2 norm 1 as int8, 127 for 1."""
    return np.round(frames * 127.0).astype(np.int8)
