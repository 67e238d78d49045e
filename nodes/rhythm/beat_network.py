"""The beat network's weights and the table of what its output is worth, from `beat_network.npz`.

The model card is `beat_network.md`, the training script `tests/benchmarks/train_beat_network.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from nodes.rhythm.network_kernels import LAYERS, Array, Weights

FILE = Path(__file__).with_name("beat_network.npz")
DELAY = 2  # frames by which the network answers late, so that it has heard the onset


def _rows(array: Array) -> Array:
    """A convolution's weights (out, in, taps) as (out, taps * in), oldest tap first."""
    return np.ascontiguousarray(array.transpose(0, 2, 1).reshape(len(array), -1))


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The weights that come along."""
    return read_weights(FILE)


def read_weights(path: Path) -> Weights:
    """The weights of a .npz in the order in which the kernel reads them."""
    with np.load(path) as file:
        get = {name: file[name].astype(np.float32) for name in file.files}
    layers = range(LAYERS)
    return Weights(
        _rows(get["inp.weight"]),
        get["inp.bias"],
        _rows(get["mid.weight"]),
        get["mid.bias"],
        np.stack([_rows(get[f"blocks.{k}.c.weight"]) for k in layers]),
        np.stack([get[f"blocks.{k}.c.bias"] for k in layers]),
        np.stack([_rows(get[f"blocks.{k}.p.weight"]) for k in layers]),
        np.stack([get[f"blocks.{k}.p.bias"] for k in layers]),
        _rows(get["out.weight"]),
        get["out.bias"],
    )


@lru_cache(maxsize=1)
def likelihood_table() -> Array:
    """(2, tempo bands, 15, 23) log likelihood ratios by logit (bins of 0.5 from -9): of the beat output at
    -7..7 ticks around a beat, and around a half beat, against elsewhere."""
    with np.load(FILE) as file:
        return file["beat_table"].astype(np.float32)
