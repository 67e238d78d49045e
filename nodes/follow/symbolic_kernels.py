"""Kernel of the symbolic follower: one row of dynamic programming per note that is played.

A cell is a chord of the score (notes that start together). It keeps how well the notes so far lead there,
when the chord was begun, the tempo of the way there and which of its notes have been played. A jump from the
best cell to any other has one price (outer-product transition, Nakamura et al. 2014); the tempo of its own
that each cell carries is that of tempo-aware on-line time warping (Peter, ISMIR 2023).
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Rows of `cells`: score of the cell, performance time at which its chord was begun, seconds of the
# performance per second of the score, how many chords that tempo is the mean of.
SCORE, BEGUN, PERIOD, AGE = range(4)

REACH = 6  # chords that a note may be ahead
EXTRA = 4.5  # nats of a note that is not in the score
AGAIN = 3.0  # of one played twice
SKIPPED = 1.2  # of a chord left out
UNPLAYED = 0.3  # of a note left out of a chord
JUMP = 24.0
SPREAD = 0.08  # s between the notes of a chord
ROLLED = 2.0  # most that a note of a chord may cost for coming late: chords are rolled, graces taken slowly
LATE = 8.0  # most that a note out of time may cost
WORST = -60.0


@njit(nogil=True, cache=True)
def play(cells, new, played, new_played, onset, first, pitches, time, pitch):  # type: ignore[no-untyped-def]
    """One note at `time` seconds. Returns the best cell, and whether the note was expected there.

    cells, new : (4, chords) before and after; played, new_played : (chords,) bits of the chord's notes;
    onset : (chords,) seconds of the score; first : (chords + 1,) first note of each chord in `pitches`.
    """
    count = onset.shape[0]
    start = 0
    for i in range(count):
        if cells[SCORE, i] > cells[SCORE, start]:
            start = i
    top = -1e30
    best = 0
    expected_there = False
    for i in range(count):
        bit = -1
        for n in range(first[i], min(first[i + 1], first[i] + 60)):
            if pitches[n] == pitch:
                bit = n - first[i]
        score = cells[SCORE, i] - EXTRA
        begun, period, age, mask = cells[BEGUN, i], cells[PERIOD, i], cells[AGE, i], played[i]
        expected = False
        if bit >= 0:
            off = (time - begun) / SPREAD
            price = min(0.5 * off * off, ROLLED)
            if mask >> bit & 1:
                price += AGAIN
            if cells[SCORE, i] - price > score:
                score = cells[SCORE, i] - price
                if off > 2.0 and age > 0.0:  # what began the chord came before its time
                    begun = time
                mask |= 1 << bit
                expected = True
            for j in range(max(0, i - REACH), i):
                way = (onset[i] - onset[j]) * cells[PERIOD, j]
                waited = max(time - cells[BEGUN, j], 0.01)
                sure = 0.2 + 0.03 / way
                sigma = sure + 0.5 / (1.0 + cells[AGE, j])
                off = np.log(waited / way) / sigma
                missing = first[i] - first[j]
                for n in range(first[j + 1] - first[j]):
                    missing -= played[j] >> min(n, 62) & 1
                price = (
                    min(0.5 * off * off + np.log(sigma / sure), LATE)
                    + SKIPPED * (i - j - 1)
                    + UNPLAYED * missing
                )
                if cells[SCORE, j] - price > score:
                    score = cells[SCORE, j] - price
                    ratio = waited / (onset[i] - onset[j])
                    share = max(min(0.5, way), 1.0 / (1.0 + cells[AGE, j]))
                    step = share * np.log(ratio / cells[PERIOD, j])
                    begun = time
                    period = min(max(cells[PERIOD, j] * np.exp(min(max(step, -0.5), 0.5)), 0.1), 10.0)
                    age = min(cells[AGE, j] + 1.0, 8.0)
                    mask = 1 << bit
                    expected = True
            if cells[SCORE, start] - JUMP > score:
                score = cells[SCORE, start] - JUMP
                begun, period, age, mask = time, cells[PERIOD, start], cells[AGE, start], 1 << bit
                expected = False
        new[SCORE, i], new[BEGUN, i], new[PERIOD, i], new[AGE, i] = score, begun, period, age
        new_played[i] = mask
        if score > top:
            top, best, expected_there = score, i, expected
    for i in range(count):
        cells[SCORE, i] = max(new[SCORE, i] - top, WORST)
        cells[BEGUN, i], cells[PERIOD, i], cells[AGE, i] = new[BEGUN, i], new[PERIOD, i], new[AGE, i]
        played[i] = new_played[i]
    return best, expected_there
