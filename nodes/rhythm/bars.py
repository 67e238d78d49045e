"""Which beat of the bar this is: a small filter over (meter, place in the bar) that moves on with every
beat."""

from __future__ import annotations

import numba as nb
import numpy as np

METERS = (2, 3, 4, 6)
PRIOR = (0.12, 0.16, 0.68, 0.04)
STAY = 0.975  # chance that the count simply goes on
WEIGHT = 1.0  # of the evidence of one beat


class Bars:
    """Belief over meters of 2, 3, 4 and 6 beats and the place in the bar.

    `advance` at every beat gives the most probable state; `observe` what the bar network said of a beat.
    `belief` holds the probabilities of the states (`meter`, `place`).
    """

    def __init__(self, table: np.ndarray) -> None:
        self.meter = np.repeat(METERS, METERS).astype(np.int64)
        self.place = np.concatenate([np.arange(m) for m in METERS]).astype(np.int64)
        self.prior = np.concatenate([np.full(m, p / m) for m, p in zip(METERS, PRIOR, strict=True)])
        self.first = (self.place == 0).astype(np.float64)
        self.table = np.ascontiguousarray(table, np.float32)
        self.belief = self.prior.copy()
        self.moved = self.prior.copy()

    def reset(self) -> None:
        self.belief[:] = self.prior

    def observe(self, logit: float, back: int = 0) -> None:
        """The downbeat logit of the beat that was last advanced to, or of the one `back` beats before it."""
        bars_observe(float(logit), self.table, self.belief, self.meter, self.place, back)

    def advance(self) -> int:
        """One beat on; returns the index of the most probable state."""
        return int(bars_advance(self.belief, self.moved, self.prior, self.meter))

    @property
    def downbeat(self) -> float:
        """Probability that the beat that was last advanced to begins a bar, of whatever meter."""
        return float(self.belief @ self.first)


@nb.njit("void(float64, float32[::1], float64[::1], int64[::1], int64[::1], int64)", nogil=True, cache=True)
def bars_observe(logit, table, belief, meter, place, back):  # type: ignore[no-untyped-def]
    at = min(len(table) - 1.01, max(0.0, 2.0 * logit + 12.0))
    low = int(at)
    gain = np.exp(WEIGHT * min(3.0, max(-2.5, table[low] * (1 - (at - low)) + table[low + 1] * (at - low))))
    total = 0.0
    for i in range(len(belief)):
        if (place[i] - back) % meter[i] == 0:
            belief[i] *= gain
        total += belief[i]
    for i in range(len(belief)):
        belief[i] /= total


@nb.njit("int64(float64[::1], float64[::1], float64[::1], int64[::1])", nogil=True, cache=True)
def bars_advance(belief, moved, prior, meter):  # type: ignore[no-untyped-def]
    start, best = 0, 0
    while start < len(belief):
        size = meter[start]
        for k in range(size):
            moved[start + (k + 1) % size] = STAY * belief[start + k] + (1 - STAY) * prior[start]
        start += size
    for i in range(len(belief)):
        belief[i] = moved[i]
        if belief[i] > belief[best]:
            best = i
    return best
