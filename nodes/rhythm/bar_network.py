"""The bar network's weights and the table of what its output is worth, from `bar_network.npz`.

The model card is `beat_network.md`, the training script `tests/benchmarks/train_bar_network.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from nodes.rhythm.bar_kernels import Array, BarWeights

FILE = Path(__file__).with_name("bar_network.npz")


@lru_cache(maxsize=1)
def bar_weights() -> BarWeights:
    """The weights that come along."""
    return read_bar_weights(FILE)


def read_bar_weights(path: Path) -> BarWeights:
    """The weights of a .npz in the order in which the kernel reads them."""
    names = (
        *("mean", "scale", "unit.weight_ih_l0", "unit.bias_ih_l0", "unit.weight_hh_l0", "unit.bias_hh_l0"),
        *("last.weight", "last.bias"),
    )
    with np.load(path) as file:
        return BarWeights(*(np.ascontiguousarray(file[name], np.float32) for name in names))


@lru_cache(maxsize=1)
def downbeat_table() -> Array:
    """(25,) log likelihood ratio of the logit (steps of 0.5 from -6): downbeat against another beat."""
    with np.load(FILE) as file:
        return file["bar_table"].astype(np.float32)
