"""The separation network's weights, from `network.npz`.

The model card is `network.md`, the training script `tests/benchmarks/train_separation_network.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from nodes.separate.bands import BANDS, Array
from nodes.separate.network_kernels import ANSWERS, CELLS, HIDDEN, KINDS, Weights, network_step

FILE = Path(__file__).with_name("network.npz")


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The weights that come along."""
    return read_weights(FILE)


def read_weights(path: Path) -> Weights:
    """The weights of a .npz; they are kept in half precision."""
    with np.load(path) as file:
        get = {name: file[name].astype(np.float32) for name in file.files}
    inputs = KINDS * BANDS
    first = get["first.weight"]
    return Weights(
        np.ascontiguousarray(first[:, :inputs]),
        np.ascontiguousarray((get["first.bias"][:, None] + first[:, inputs:]).T),
        get["cells.weight_ih_l0"],
        get["cells.bias_ih_l0"],
        get["cells.weight_hh_l0"],
        get["cells.bias_hh_l0"],
        get["last.weight"],
        get["last.bias"],
    )


class Network:
    """`step(bands)` gives the answers (ANSWERS, BANDS) to one frame, valid until the next."""

    def __init__(self, mode: int, weights: Weights) -> None:
        self._mode, self._weights = mode, weights
        self._cells = np.zeros(CELLS, np.float32)
        self._scratch = np.zeros(KINDS * BANDS + 7 * CELLS + HIDDEN, np.float32)
        self._answers = np.zeros((ANSWERS, BANDS), np.float32)

    def reset(self) -> None:
        """As before the first frame."""
        self._cells[:] = 0.0

    def step(self, bands: Array) -> Array:
        """Bands (KINDS, BANDS) of `nodes.separate.evidence`."""
        network_step(self._weights, self._mode, bands, self._cells, self._scratch, self._answers)
        return self._answers
