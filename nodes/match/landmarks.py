"""Landmarks: peaks of the spectrogram in pairs and triples (Wang 2003, the constellation map).

22,050 Hz, Hann window 2048, hop 512 (43 Hz), 215 to 4300 Hz. A peak is the strongest within +-REACH_BINS and
+-REACH_FRAMES; frequencies are refined between bins and lie on a logarithmic axis of 24 steps an octave, so
that a change of pitch is a shift and a change of speed a factor: both are applied to the query, never to the
index.

Latency: a peak is known REACH_FRAMES + 2 hops after it sounds (0.28 s).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.match.features import RATE
from nodes.match.landmark_kernels import hashes, peaks_of_frame, spread

Array = npt.NDArray[Any]

WINDOW, HOP = 2048, 512
#: Frames a second of the constellation.
FRAME_RATE = RATE / HOP
FIRST_BIN, LAST_BIN = 20, 400
REACH_BINS, REACH_FRAMES = 28, 12
#: Peaks a frame at most.
PEAKS = 5
#: Log power below which there is no peak.
FLOOR = -4.0
#: Pairs from each peak in the index, and in a query.
FAN, QUERY_FAN = 3, 5
#: Frames between the peaks of a pair.
LEAST, REACH = 2, 60

_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)


class Constellation:
    """Audio to peaks (frame, steps above 200 Hz); frame f lies on sample (f + 1) * HOP - WINDOW / 2."""

    def __init__(self) -> None:
        bins = LAST_BIN - FIRST_BIN
        self._window = np.zeros(WINDOW, np.float32)
        self._rows = np.full((2 * REACH_FRAMES + 1, bins), -30.0, np.float32)
        self._most = np.full_like(self._rows, -30.0)
        self._steps = np.zeros(PEAKS, np.float32)
        self._heights = np.zeros(PEAKS, np.float32)
        self._count = 0

    def push(self, hop: Array) -> tuple[int, Array]:
        """Take HOP samples; the frame that is decided now and the steps of its peaks (valid until next)."""
        window = self._window
        window[:-HOP] = window[HOP:]
        window[-HOP:] = hop
        spectrum = np.fft.rfft(window * _HANN)[FIRST_BIN:LAST_BIN]
        self._rows[:-1] = self._rows[1:]
        self._most[:-1] = self._most[1:]
        self._rows[-1] = np.log(spectrum.real**2 + spectrum.imag**2 + np.float32(1e-12))
        spread(self._rows[-1], REACH_BINS, self._most[-1])
        self._count += 1
        found = peaks_of_frame(
            self._rows,
            self._most,
            REACH_FRAMES,
            FIRST_BIN,
            np.float32(FLOOR),
            PEAKS,
            np.float32(RATE / WINDOW),
            self._steps,
            self._heights,
        )
        return self._count - 1 - REACH_FRAMES, self._steps[:found]


def constellation(audio: Array) -> tuple[Array, Array]:
    """All peaks of a recording (samples,) at 22,050 Hz: frames (n,) int64 and steps (n,) float32."""
    picker = Constellation()
    times: list[int] = []
    steps: list[float] = []
    padded = np.concatenate([audio, np.zeros(REACH_FRAMES * HOP + (-len(audio)) % HOP, np.float32)])
    for start in range(0, len(padded), HOP):
        frame, found = picker.push(padded[start : start + HOP])
        times.extend([frame] * len(found))
        steps.extend(found.tolist())
    return np.array(times, np.int64), np.array(steps, np.float32)


def index_hashes(times: Array, steps: Array) -> tuple[Array, Array]:
    """Hashes (n,) uint32 for the index and the frame of each, by rising hash."""
    codes = np.zeros(FAN * len(times), np.int64)
    places = np.zeros(FAN * len(times), np.int64)
    count = hashes(times, steps, FAN, LEAST, REACH, codes, places)
    order = np.argsort(codes[:count], kind="stable")
    return codes[:count][order].astype(np.uint32), places[:count][order].astype(np.uint32)
