"""Kernel of the beat network: a small causal convolutional network, two frames a step.

An input convolution over four frames with stride two, then LAYERS residual blocks with dilations
1, 2, 4 ..., each a causal convolution over TAPS steps and a mixing of channels, then four outputs:
beat and downbeat logits of both frames. Past steps wait in ring buffers, so every step costs the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

BANDS, CHANNELS, TAPS, LAYERS, OUTPUTS, SPAN = 32, 40, 5, 8, 4, 4
SLOPE = np.float32(0.1)  # of the leaky rectifier

Array = npt.NDArray[np.float32]


class Weights(NamedTuple):
    """All weights, output index before input index, float32."""

    first: Array  # (CHANNELS, SPAN * BANDS), oldest frame first
    first_bias: Array  # (CHANNELS,)
    mixing: Array  # (CHANNELS, CHANNELS)
    mixing_bias: Array  # (CHANNELS,)
    dilated: Array  # (LAYERS, CHANNELS, TAPS * CHANNELS), oldest tap first
    dilated_bias: Array  # (LAYERS, CHANNELS)
    point: Array  # (LAYERS, CHANNELS, CHANNELS)
    point_bias: Array  # (LAYERS, CHANNELS)
    last: Array  # (OUTPUTS, CHANNELS)
    last_bias: Array  # (OUTPUTS,)


LENGTHS = [1 << int(np.ceil(np.log2((TAPS - 1) * 2**layer + 1))) for layer in range(LAYERS)]
OFFSET = np.concatenate([[0], np.cumsum(LENGTHS)[:-1]]).astype(np.int64)  # first row of a layer's ring
MASK = np.array(LENGTHS, np.int64) - 1
ROWS = int(sum(LENGTHS))


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, inline="always")
def dot(matrix, row, vector, size):  # type: ignore[no-untyped-def]
    """A reduction of fixed shape: the compiler may order it once, for all calls alike."""
    total = np.float32(0.0)
    for i in range(size):
        total += matrix[row, i] * vector[i]
    return total


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def network_step(  # type: ignore[no-untyped-def]
    first, first_bias, mixing, mixing_bias, dilated, dilated_bias, point, point_bias, last, last_bias,
    inputs, rows, count, scratch, out,
):  # fmt: skip
    """The last SPAN frames of bands in, logits (OUTPUTS,) out: beat and downbeat, older and newer frame.

    Weights one by one, in the order of `Weights`: a call with a tuple of arrays allocates.
    `inputs` (SPAN * BANDS,), oldest first, is moved on by two frames for the caller to fill.
    State: `rows` (ROWS, CHANNELS) the layers' rings, `count` (1,) steps so far.
    `scratch`: float32, (TAPS + 2) * CHANNELS values.
    """
    taps = scratch[: TAPS * CHANNELS]
    hidden = scratch[TAPS * CHANNELS : (TAPS + 1) * CHANNELS]
    other = scratch[(TAPS + 1) * CHANNELS : (TAPS + 2) * CHANNELS]
    now = count[0]
    count[0] = now + 1
    for c in range(CHANNELS):
        x = first_bias[c] + dot(first, c, inputs, SPAN * BANDS)
        other[c] = max(x, SLOPE * x)
    for i in range((SPAN - 2) * BANDS):
        inputs[i] = inputs[i + 2 * BANDS]
    for c in range(CHANNELS):
        x = mixing_bias[c] + dot(mixing, c, other, CHANNELS)
        hidden[c] = max(x, SLOPE * x)
    for layer in range(LAYERS):
        base, mask = OFFSET[layer], MASK[layer]
        ring = rows[base + (now & mask)]
        for c in range(CHANNELS):
            ring[c] = hidden[c]
        for tap in range(TAPS):
            ring = rows[base + ((now - ((TAPS - 1 - tap) << layer)) & mask)]
            for c in range(CHANNELS):
                taps[tap * CHANNELS + c] = ring[c]
        near, mix = dilated[layer], point[layer]
        for c in range(CHANNELS):
            x = dilated_bias[layer, c] + dot(near, c, taps, TAPS * CHANNELS)
            other[c] = max(x, SLOPE * x)
        for c in range(CHANNELS):
            hidden[c] += point_bias[layer, c] + dot(mix, c, other, CHANNELS)
    for c in range(CHANNELS):
        other[c] = max(hidden[c], SLOPE * hidden[c])
    for k in range(OUTPUTS):
        out[k] = last_bias[k] + dot(last, k, other, CHANNELS)
