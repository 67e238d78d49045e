"""Cuts a stream of blocks of any length into hops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Hops:
    """Blocks (samples,) in, hops of `hop` samples out; what is left over waits for the next block."""

    def __init__(self, hop: int) -> None:
        self.hop = hop
        self._rest = np.zeros(0, np.float32)

    def push(self, block: Array) -> Iterator[Array]:
        """Take a block and give the hops that are complete, each valid until the next push."""
        audio = np.concatenate([self._rest, block])
        whole = len(audio) // self.hop * self.hop
        self._rest = audio[whole:].copy()
        for start in range(0, whole, self.hop):
            yield audio[start : start + self.hop]
