"""Spectral-flux novelty."""

from __future__ import annotations

import numpy as np

from engine.node import FrameNode, FramesFormat, FramesIn, FramesOut, Param, same_grid
from nodes.spectral.bins import bin_frequencies, full_scale
from nodes.spectral.novelty_kernels import flux

EDGES = (0.0, 200.0, 500.0, 1250.0, 3125.0, 7812.5)  # Hz; the last band is open


class Novelty(FrameNode):
    """How much energy begins, in six frequency bands and in all: peaks are onsets.

    Y = log(1 + compression * |X|) with a sine of full scale at |X| = 1; a band's flux is the mean over its
    bins of max(0, Y[n] - Y[n-1]). From the flux the mean over the last `average` seconds is taken away,
    what falls below zero is cut. `novelty` is the mean of the bands.

    Latency: none of its own. The rise is between two frames and is stamped with the later one, half a hop
    after its middle.

    Source: Mueller, Fundamentals of Music Processing, sec. 6.1.2, eqs. (6.4) to (6.7); bands after
    Grosche and Mueller 2011. The local average is causal here: it looks back only, without the frame itself.
    """

    magnitude = FramesIn("magnitude spectrum, shape (bins,)")
    novelty = FramesOut("onset novelty, shape (), >= 0")
    bands = FramesOut("onset novelty of each band, shape (6,), >= 0")

    compression = Param(1000.0, low=0.01, high=1e6, live=True, help="gamma of log(1 + gamma |X|)")
    average = Param(0.5, low=0.0, high=5.0, unit="s", help="the local average looks back so far; 0: none")

    def prepare(self, magnitude: FramesFormat) -> dict[str, FramesFormat]:
        frequencies = bin_frequencies(magnitude)
        edges = [edge for edge in EDGES if edge < frequencies[-2]]
        starts = np.searchsorted(frequencies, edges)
        starts[0] = 1  # without DC
        self._edges = np.unique(np.append(starts, len(frequencies))).astype(np.int64)
        count = len(self._edges) - 1
        self._full_scale = full_scale(frequencies)
        self.changed("compression")
        self._past = np.zeros((round(self.average * magnitude.frame_rate), count), np.float32)
        self._sums = np.zeros(count, np.float64)
        self._before = np.ones(len(frequencies), np.float32)
        self._state = np.zeros(2, np.int64)
        low = tuple(float(frequencies[k]) for k in self._edges[:-1])
        return {
            "novelty": same_grid(magnitude, shape=()),
            "bands": same_grid(magnitude, shape=(count,), labels=low),
        }

    def changed(self, name: str) -> None:
        self._gain = self._full_scale * np.float32(self.compression)

    def reset(self) -> None:
        self._past[:] = 0.0
        self._sums[:] = 0.0
        self._before[:] = 1.0
        self._state[:] = 0

    def step(self, magnitude: np.ndarray, novelty: np.ndarray, bands: np.ndarray) -> None:
        novelty[...] = flux(
            magnitude, self._gain, self._edges, self._before, self._past, self._sums, self._state, bands
        )

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the magnitude of an `Stft`."""
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft(hop=441)).connect("input.audio", "stft")
        return {"magnitude": "stft.magnitude"}
