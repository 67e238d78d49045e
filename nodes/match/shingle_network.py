"""A small network that makes shingles shorter: what another performance keeps counts, the rest does not.

One hidden layer, trained on triplets (Zalkow and Mueller, Appl. Sci. 2020) of composed pieces. The model card
is `shingle_network.md`, the training script `tests/benchmarks/train_shingle_network.py`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Seconds and cells of the shingles that it was trained on, and the numbers that it gives.
SECONDS, CELLS, DIMENSIONS = 20, 20, 30


class ShingleNetwork:
    """Shingles of 20 s in 20 cells to `dimensions` numbers, of L2 norm 1.

    Parameters
    ----------
    dimensions : 1 to 30; trained are 6, 12 and 30.
    """

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self._weights = [w[:dimensions] if n > 1 else w for n, w in enumerate(_weights())]

    def __call__(self, vectors: Array) -> Array:
        """Vectors (n, 240) of L2 norm 1 to (n, dimensions) float32."""
        w, b, v, c = self._weights
        hidden = (vectors * np.float32(CELLS**0.5)) @ w.T + b
        hidden = np.where(hidden > 0.0, hidden, np.expm1(np.minimum(hidden, 0.0)))
        out = hidden @ v.T + c
        return (out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)).astype(np.float32)


@cache
def _weights() -> tuple[Array, ...]:
    with (files("nodes.match") / "shingle_network.npz").open("rb") as file, np.load(file) as kept:
        names = ("first_weight", "first_bias", "second_weight", "second_bias")
        return tuple(kept[name].astype(np.float32) for name in names)
