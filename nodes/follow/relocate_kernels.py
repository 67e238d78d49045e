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
def best_cell(scores, taken, neighbours, anchor, price):  # type: ignore[no-untyped-def]
    """The best cell away from those taken, its score, and the best score round the first of them.

    taken : cells within `neighbours` of which nothing is looked for; price : off the score per cell of
    distance from `anchor`, up to 300 cells. Uses scores[1] as scratch.
    """
    now, left = scores[0], scores[1]
    cells = now.shape[0]
    for j in range(cells):
        left[j] = now[j] - np.float32(price) * np.float32(min(abs(j - anchor), 300))
    for k in range(taken.shape[0]):
        left[max(0, taken[k] - neighbours) : max(0, taken[k] + neighbours + 1)] = np.float32(-1e30)
    inside = np.float32(-1e30)
    for j in range(max(0, taken[0] - neighbours), min(cells, taken[0] + neighbours + 1)):
        inside = max(inside, now[j])
    cell = np.argmax(left)
    return cell, left[cell], inside


@njit(nogil=True, cache=True)
def step_prices(prices, cells_per_tick, stiffness):  # type: ignore[no-untyped-def]
    """Price of each step against the steady one of `cells_per_tick`, in the logarithm of the tempo."""
    for step in range(prices.shape[0]):
        off = np.log(max(step, 0.5) / cells_per_tick)
        prices[step] = stiffness * off * off
