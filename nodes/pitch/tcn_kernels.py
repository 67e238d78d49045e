"""Kernel of `nodes.pitch.tcn`."""

from __future__ import annotations

import numba as nb
import numpy as np

SLOPE = np.float32(0.1)  # of the leaky rectifier


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, inline="always")
def dot(matrix, row, vector, size):  # type: ignore[no-untyped-def]
    """A reduction of fixed shape: the compiler may order it once, for all calls alike."""
    total = np.float32(0.0)
    for i in range(size):
        total += matrix[row, i] * vector[i]
    return total


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def tcn_step(  # type: ignore[no-untyped-def]
    first, first_bias, mixing, mixing_bias, dilated, dilated_bias, point, point_bias, last, last_bias,
    fresh, inputs, rings, count, scratch, out,
):  # fmt: skip
    """One frame: the last `fresh` of `inputs` (span * fresh,) are new and are moved on afterwards.

    Weights one by one, in the order of `Weights`: a call with a tuple of arrays allocates.
    State: `rings` (layers, a power of two, channels), `count` (1,) frames so far. Every step costs the same.
    """
    layers, channels, fan = dilated.shape
    reach = fan // channels - 1
    mask = rings.shape[1] - 1
    taps, hidden, other = scratch[:fan], scratch[fan : fan + channels], scratch[fan + channels :]
    now = count[0]
    count[0] = now + 1
    for c in range(channels):
        x = first_bias[c] + dot(first, c, inputs, len(inputs))
        other[c] = max(x, SLOPE * x)
    for i in range(len(inputs) - fresh):
        inputs[i] = inputs[i + fresh]
    for c in range(channels):
        x = mixing_bias[c] + dot(mixing, c, other, channels)
        hidden[c] = max(x, SLOPE * x)
    for layer in range(layers):
        ring = rings[layer]
        for c in range(channels):
            ring[now & mask, c] = hidden[c]
        for tap in range(reach + 1):
            row = ring[(now - ((reach - tap) << layer)) & mask]
            for c in range(channels):
                taps[tap * channels + c] = row[c]
        near, mix = dilated[layer], point[layer]
        for c in range(channels):
            x = dilated_bias[layer, c] + dot(near, c, taps, fan)
            other[c] = max(x, SLOPE * x)
        for c in range(channels):
            hidden[c] += point_bias[layer, c] + dot(mix, c, other, channels)
    for c in range(channels):
        other[c] = max(hidden[c], SLOPE * hidden[c])
    for k in range(len(out)):
        out[k] = last_bias[k] + dot(last, k, other, channels)
