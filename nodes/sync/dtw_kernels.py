"""The inner loop of dynamic time warping."""

from __future__ import annotations

import numpy as np
from numba import njit

#: Steps on the way to a cell: along both versions, along the first, along the second.
BOTH, FIRST, SECOND = 0, 1, 2


@njit("float32(float32[:, ::1], uint8[:, ::1], float32, float32, float32)", nogil=True, cache=True)
def accumulate(cost, steps, both, first, second):  # type: ignore[no-untyped-def]
    """Cheapest way from the first to the last cell of `cost` (n, m); its price.

    `steps` (n, m) takes the last step to every cell; each step costs its weight times the cell it
    leads to (Müller, Fundamentals of Music Processing, section 3.2).
    """
    rows, columns = cost.shape
    total = np.empty(columns, np.float32)
    total[0] = both * cost[0, 0]
    steps[0, 0] = 0
    for j in range(1, columns):
        total[j] = total[j - 1] + second * cost[0, j]
        steps[0, j] = 2
    for i in range(1, rows):
        diagonal = total[0]
        total[0] = diagonal + first * cost[i, 0]
        steps[i, 0] = 1
        for j in range(1, columns):
            price = cost[i, j]
            best, step = diagonal + both * price, 0
            along_first = total[j] + first * price
            if along_first < best:
                best, step = along_first, 1
            along_second = total[j - 1] + second * price
            if along_second < best:
                best, step = along_second, 2
            diagonal = total[j]
            total[j] = best
            steps[i, j] = step
    return total[columns - 1]
