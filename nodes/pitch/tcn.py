"""A causal dilated convolutional network, one frame a step: weights from a .npz, kernel, state.

The training scripts in `tests/benchmarks` write the files that `read_weights` reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nodes.pitch.tcn_kernels import tcn_step

Array = npt.NDArray[np.float32]


class Weights(NamedTuple):
    """All weights, output index before input index, oldest frame or tap first."""

    first: Array  # (channels, span * inputs)
    first_bias: Array  # (channels,)
    mixing: Array  # (channels, channels)
    mixing_bias: Array  # (channels,)
    dilated: Array  # (layers, channels, taps * channels)
    dilated_bias: Array  # (layers, channels)
    point: Array  # (layers, channels, channels)
    point_bias: Array  # (layers, channels)
    last: Array  # (outputs, channels)
    last_bias: Array  # (outputs,)


def read_weights(path: Path) -> Weights:
    """The weights of a .npz in the order in which the kernel reads them."""
    with np.load(path) as file:
        get = {name: file[name].astype(np.float32) for name in file.files}
    layers = range(sum(name.startswith("dilated.") for name in get) // 2)
    return Weights(
        get["first.weight"],
        get["first.bias"],
        get["mixing.weight"],
        get["mixing.bias"],
        np.stack([get[f"dilated.{k}.weight"] for k in layers]),
        np.stack([get[f"dilated.{k}.bias"] for k in layers]),
        np.stack([get[f"point.{k}.weight"] for k in layers]),
        np.stack([get[f"point.{k}.bias"] for k in layers]),
        get["last.weight"],
        get["last.bias"],
    )


class Tcn:
    """The network at work: `step` takes one frame of inputs and returns the logits, in place.

    Parameters
    ----------
    weights : of `read_weights`.
    inputs : values a frame.
    """

    def __init__(self, weights: Weights, inputs: int) -> None:
        self._weights = weights
        layers, channels, fan = weights.dilated.shape
        reach = (fan // channels - 1) << (layers - 1)
        self._rings = np.zeros((layers, 1 << reach.bit_length(), channels), np.float32)
        self._inputs = np.zeros(weights.first.shape[1], np.float32)
        self._count = np.zeros(1, np.int64)
        self._scratch = np.zeros(fan + 2 * channels, np.float32)
        self.newest = self._inputs[-inputs:]
        self.logits = np.zeros(len(weights.last), np.float32)

    def reset(self) -> None:
        """Back to silence."""
        for state in (self._rings, self._inputs, self._count, self.logits):
            state[:] = 0

    def step(self) -> Array:
        """The frame in `newest` goes in; the logits (outputs,) come out. `newest` is free again then."""
        tcn_step(
            *self._weights,
            len(self.newest),
            self._inputs,
            self._rings,
            self._count,
            self._scratch,
            self.logits,
        )
        return self.logits
