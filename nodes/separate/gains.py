"""The learnt band gains, from `gains.npz`.

The model card is `gains.md`, the training script `tests/benchmarks/train_separation_network.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nodes.separate.bands import BANDS, Array
from nodes.separate.gain_kernels import (
    ANSWERS,
    INPUTS,
    LEVEL_MEMORY,
    MEMORY,
    band_answers,
    band_inputs,
)

FILE = Path(__file__).with_name("gains.npz")


class Weights(NamedTuple):
    """Of `band_answers`, in its order; matrices with inputs first."""

    first: Array  # (BANDS * INPUTS, units)
    first_bias: Array  # (units,)
    fresh: Array  # (units, 3 * units): reset, update, new
    kept: Array  # (units, 3 * units)
    fresh_bias: Array  # (3 * units,)
    kept_bias: Array  # (3 * units,)
    last: Array  # (units, ANSWERS * BANDS)
    own: Array  # (ANSWERS, INPUTS, BANDS)


@lru_cache(maxsize=2)
def gain_weights(mode: str) -> Weights:
    """Weights of a mode; quality has those of studio, whose window it shares."""
    known = "stage" if mode == "stage" else "studio"
    with np.load(FILE) as file:
        return Weights(
            *(np.ascontiguousarray(file[f"{known}_{name}"], np.float32) for name in Weights._fields)
        )


class BandGains:
    """`step(bands)` gives the answers (ANSWERS, BANDS) to one frame, valid until the next.

    Parameters
    ----------
    weights : of a mode.
    frame_rate : frames a second.
    """

    def __init__(self, weights: Weights, frame_rate: float) -> None:
        units = len(weights.first_bias)
        self._pace, self._level_pace = (
            np.float32(1.0 - np.exp(-1.0 / (memory * frame_rate))) for memory in (MEMORY, LEVEL_MEMORY)
        )
        self._state = np.zeros((4, BANDS), np.float32)
        self._hidden = np.zeros(units, np.float32)
        self._scratch = np.zeros((3, 3 * units), np.float32)
        self._inputs = np.zeros((BANDS, INPUTS), np.float32)
        self._answers = np.zeros((ANSWERS, BANDS), np.float32)
        self._arrays = (*weights, self._inputs, self._hidden, self._scratch, self._answers)

    def reset(self) -> None:
        """As before the first frame."""
        self._state[:] = 0.0
        self._hidden[:] = 0.0

    def step(self, bands: Array) -> Array:
        """Bands (KINDS, BANDS) of `nodes.separate.evidence`."""
        band_inputs(bands, self._pace, self._level_pace, self._state, self._inputs)
        band_answers(*self._arrays)
        return self._answers
