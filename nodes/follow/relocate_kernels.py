"""The coarse search: where in the whole reference could this be?

Viterbi over cells of COARSE_STEP seconds with steps of 0 to STEPS - 1 cells per tick and a jump from the best
cell to any other at a fixed price, so that one maximum serves all jumps (outer-product transition,
Nakamura et al. 2014). The cells are worked off in slices, one per frame, so that a frame stays cheap.
"""

from __future__ import annotations

import numpy as np
from numba import njit

STEPS = 16
LOWEST_PITCH = 33  # MIDI pitch of the first pitch band
MIDDLE_C = 60


@njit(nogil=True, cache=True)
def add_folded(pitches, chroma):  # type: ignore[no-untyped-def]
    """Add the squares of the pitch bands to a chroma of the notes below and of those from middle C on."""
    for band in range(pitches.shape[0]):
        pitch = band + LOWEST_PITCH
        place = pitch % 12 + (12 if pitch >= MIDDLE_C else 0)
        chroma[place] += pitches[band] * pitches[band]


@njit(nogil=True, cache=True)
def search_slice(scores, best, query, coarse, prices, jump, weight, start, stop):  # type: ignore[no-untyped-def]
    """Work off cells [start, stop) of a tick.

    scores : (2, cells) log scores before and after; best : (2,) best score before, best so far after;
    coarse : (bands, cells).
    """
    if stop <= start:
        return
    before, after = scores[0], scores[1, start:stop]
    count = stop - start
    after[:] = np.float32(best[0] - jump)
    for step in range(prices.shape[0]):
        price = prices[step]
        first = max(step - start, 0)
        if first >= count:
            break
        source, target = before[start + first - step :], after[first:]
        for j in range(count - first):
            target[j] = max(target[j], source[j] - price)
    for b in range(query.shape[0]):
        part = np.float32(weight) * query[b]
        similar = coarse[b, start:stop]
        for j in range(count):
            after[j] += part * similar[j]
    top = after[0]
    for j in range(count):
        top = max(top, after[j])
    best[1] = max(best[1], top)


@njit(nogil=True, cache=True)
def turn_over(scores, best):  # type: ignore[no-untyped-def]
    """End of a tick: the scores after become the scores before, counted from the best."""
    for j in range(scores.shape[1]):
        scores[0, j] = scores[1, j] - best[1]
    best[0] = 0.0
    best[1] = -1e30


@njit(nogil=True, cache=True)
def best_cell(scores, low, high, price):  # type: ignore[no-untyped-def]
    """Best cell outside [low, high), less `price` per cell of distance, and the best score inside."""
    cell = -1
    outside = -1e30
    inside = -1e30
    for j in range(scores.shape[1]):
        value = scores[0, j]
        if low <= j < high:
            inside = max(inside, value)
        else:
            value -= price * min(abs(j - low), 300)
            if value > outside:
                outside = value
                cell = j
    return cell, outside, inside


@njit(nogil=True, cache=True)
def step_prices(prices, cells_per_tick, stiffness):  # type: ignore[no-untyped-def]
    """Price of each step against the steady one of `cells_per_tick`, in the logarithm of the tempo."""
    for step in range(prices.shape[0]):
        off = np.log(max(step, 0.5) / cells_per_tick)
        prices[step] = stiffness * off * off
