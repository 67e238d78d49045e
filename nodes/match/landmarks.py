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
    """Audio to peaks (frame, steps above 200 Hz); frame f lies on sample (f + 1) * HOP - WINDOW / 2.

    at_once : hops that `push` takes at most; the peaks do not depend on it.
    """

    def __init__(self, at_once: int = 1) -> None:
        bins = LAST_BIN - FIRST_BIN
        self._audio = np.zeros(WINDOW + (at_once - 1) * HOP, np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._audio, WINDOW)[::HOP]
        self._rows = np.full((2 * REACH_FRAMES + at_once, bins), -30.0, np.float32)
        self._most = np.full_like(self._rows, -30.0)
        self._steps = np.zeros(PEAKS, np.float32)
        self._heights = np.zeros(PEAKS, np.float32)
        self._count = 0

    def push(self, hops: Array) -> list[tuple[int, Array]]:
        """Take whole hops (n * HOP,): the frames that are decided now, each with the steps of its peaks."""
        taken = len(hops)
        new = taken // HOP
        self._audio[:-taken] = self._audio[taken:]
        self._audio[-taken:] = hops
        spectra = np.fft.rfft(self._windows[-new:] * _HANN)[:, FIRST_BIN:LAST_BIN]
        for rows in (self._rows, self._most):
            rows[:-new] = rows[new:]
        self._rows[-new:] = np.log(spectra.real**2 + spectra.imag**2 + np.float32(1e-12))
        return [self._decide(len(self._rows) - new + n) for n in range(new)]

    def _decide(self, newest: int) -> tuple[int, Array]:
        """The frame in the middle of the rows that end with `newest`, and the steps of its peaks."""
        spread(self._rows[newest], REACH_BINS, self._most[newest])
        around = slice(newest - 2 * REACH_FRAMES, newest + 1)
        self._count += 1
        found = peaks_of_frame(
            self._rows[around],
            self._most[around],
            REACH_FRAMES,
            FIRST_BIN,
            np.float32(FLOOR),
            PEAKS,
            np.float32(RATE / WINDOW),
            self._steps,
            self._heights,
        )
        return self._count - 1 - REACH_FRAMES, self._steps[:found].copy()


def index_hashes(times: Array, steps: Array) -> tuple[Array, Array]:
    """Hashes (n,) uint32 for the index and the frame of each, by rising hash."""
    codes = np.zeros(FAN * len(times), np.int64)
    places = np.zeros(FAN * len(times), np.int64)
    count = hashes(times, steps, FAN, LEAST, REACH, codes, places)
    order = np.argsort(codes[:count], kind="stable")
    return codes[:count][order].astype(np.uint32), places[:count][order].astype(np.uint32)
