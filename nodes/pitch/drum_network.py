"""The drum network's weights, from `drum_network.npz`.

The model card is `drum_network.md`, the training script `tests/benchmarks/train_drum_network.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nodes.pitch.tcn import Weights, read_weights

FILE = Path(__file__).with_name("drum_network.npz")


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The weights that come along."""
    return read_weights(FILE)
