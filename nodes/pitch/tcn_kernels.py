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
def tcn_step(weights, fresh, inputs, rings, count, scratch, out):  # type: ignore[no-untyped-def]
    """One frame: the last `fresh` of `inputs` (span * fresh,) are new and are moved on afterwards.

    State: `rings` (layers, a power of two, channels), `count` (1,) frames so far. Every step costs the same.
    """
    layers, channels, fan = weights.dilated.shape
    reach = fan // channels - 1
    mask = rings.shape[1] - 1
    taps, hidden, other = scratch[:fan], scratch[fan : fan + channels], scratch[fan + channels :]
    now = count[0]
    count[0] = now + 1
    for c in range(channels):
        x = weights.first_bias[c] + dot(weights.first, c, inputs, len(inputs))
        other[c] = max(x, SLOPE * x)
    for i in range(len(inputs) - fresh):
        inputs[i] = inputs[i + fresh]
    for c in range(channels):
        x = weights.mixing_bias[c] + dot(weights.mixing, c, other, channels)
        hidden[c] = max(x, SLOPE * x)
    for layer in range(layers):
        ring = rings[layer]
        for c in range(channels):
            ring[now & mask, c] = hidden[c]
        for tap in range(reach + 1):
            row = ring[(now - ((reach - tap) << layer)) & mask]
            for c in range(channels):
                taps[tap * channels + c] = row[c]
        dilated, point = weights.dilated[layer], weights.point[layer]
        for c in range(channels):
            x = weights.dilated_bias[layer, c] + dot(dilated, c, taps, fan)
            other[c] = max(x, SLOPE * x)
        for c in range(channels):
            hidden[c] += weights.point_bias[layer, c] + dot(point, c, other, channels)
    for c in range(channels):
        other[c] = max(hidden[c], SLOPE * hidden[c])
    for k in range(len(out)):
        out[k] = weights.last_bias[k] + dot(weights.last, k, other, channels)
