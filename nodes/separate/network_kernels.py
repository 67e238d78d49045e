"""Kernel of the separation network: one frame of bands in, gains and slopes of each band out."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from nodes.separate.bands import BANDS

KINDS, MODES, HIDDEN, CELLS = 3, 3, 128, 160
ANSWERS = 9  # of a band: for drums, vocals and bass the logit, and how it leans on strokes and on repetition
SLOPE = np.float32(0.1)  # of the leaky rectifier

Array = npt.NDArray[np.float32]


class Weights(NamedTuple):
    """All weights, output index before input index, float32; gates in the order reset, update, new."""

    first: Array  # (HIDDEN, KINDS * BANDS)
    first_bias: Array  # (MODES, HIDDEN), one row a mode
    inner: Array  # (3 * CELLS, HIDDEN)
    inner_bias: Array  # (3 * CELLS,)
    again: Array  # (3 * CELLS, CELLS)
    again_bias: Array  # (3 * CELLS,)
    last: Array  # (ANSWERS * BANDS, CELLS + HIDDEN)
    last_bias: Array  # (ANSWERS * BANDS,)


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, inline="always")
def _dot(matrix, row, vector, size):  # type: ignore[no-untyped-def]
    """A reduction of fixed shape: the compiler may order it once, for all calls alike."""
    total = np.float32(0.0)
    for i in range(size):
        total += matrix[row, i] * vector[i]
    return total


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def network_step(weights, mode, bands, cells, scratch, answers):  # type: ignore[no-untyped-def]
    """Bands (KINDS, BANDS) of `nodes.separate.evidence` in, answers (ANSWERS, BANDS) out.

    `cells` (CELLS,) is the state, zeros at the start; `scratch` float32, KINDS * BANDS + CELLS + HIDDEN +
    6 * CELLS values.
    """
    one, two = np.float32(1.0), np.float32(2.0)
    size = KINDS * BANDS
    inputs, seen = scratch[:size], scratch[size : size + CELLS + HIDDEN]
    gates = scratch[size + CELLS + HIDDEN :]
    for band in range(BANDS):
        inputs[band] = (bands[0, band] + two) / np.float32(3.0)
        inputs[BANDS + band] = two * bands[1, band] - one
        inputs[2 * BANDS + band] = two * bands[2, band] - one
    hidden = seen[CELLS:]
    for c in range(HIDDEN):
        x = weights.first_bias[mode, c] + _dot(weights.first, c, inputs, size)
        hidden[c] = max(x, SLOPE * x)
    for c in range(3 * CELLS):
        gates[c] = weights.inner_bias[c] + _dot(weights.inner, c, hidden, HIDDEN)
        gates[3 * CELLS + c] = weights.again_bias[c] + _dot(weights.again, c, cells, CELLS)
    for c in range(CELLS):
        reset = one / (one + np.exp(-gates[c] - gates[3 * CELLS + c]))
        update = one / (one + np.exp(-gates[CELLS + c] - gates[4 * CELLS + c]))
        new = np.tanh(gates[2 * CELLS + c] + reset * gates[5 * CELLS + c])
        cells[c] = new + update * (cells[c] - new)
        seen[c] = cells[c]
    for answer in range(ANSWERS):
        for band in range(BANDS):
            row = answer * BANDS + band
            answers[answer, band] = weights.last_bias[row] + _dot(weights.last, row, seen, CELLS + HIDDEN)
