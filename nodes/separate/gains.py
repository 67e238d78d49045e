"""The learnt band gains, from `gains.npz`.

The model card is `gains.md`, the training script `tests/benchmarks/train_separation_gains.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from nodes.separate.bands import BANDS, Array
from nodes.separate.gain_kernels import ANSWERS, INPUTS, MEMORY, band_answers, band_inputs

FILE = Path(__file__).with_name("gains.npz")


@lru_cache(maxsize=2)
def gain_weights(mode: str) -> Array:
    """Weights (ANSWERS, BANDS, INPUTS) of a mode; quality has those of studio, whose window it shares."""
    with np.load(FILE) as file:
        return np.ascontiguousarray(file["stage" if mode == "stage" else "studio"], np.float32)


class BandGains:
    """`step(bands)` gives the answers (ANSWERS, BANDS) to one frame, valid until the next.

    Parameters
    ----------
    weights : (ANSWERS, BANDS, INPUTS).
    frame_rate : frames a second.
    """

    def __init__(self, weights: Array, frame_rate: float) -> None:
        self._weights = weights
        self._pace = np.float32(1.0 - np.exp(-1.0 / (MEMORY * frame_rate)))
        self._slow = np.zeros((2, BANDS), np.float32)
        self._inputs = np.zeros((BANDS, INPUTS), np.float32)
        self._answers = np.zeros((ANSWERS, BANDS), np.float32)

    def reset(self) -> None:
        """As before the first frame."""
        self._slow[:] = 0.0

    def step(self, bands: Array) -> Array:
        """Bands (KINDS, BANDS) of `nodes.separate.evidence`."""
        band_inputs(bands, self._pace, self._slow, self._inputs)
        band_answers(self._weights, self._inputs, self._answers)
        return self._answers
