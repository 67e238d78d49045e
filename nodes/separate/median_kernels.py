"""Running medians, kept in sorted windows."""

from __future__ import annotations

import numba as nb


@nb.njit(nogil=True, cache=True, inline="always")
def _replace(window, old, new):  # type: ignore[no-untyped-def]
    """One value of the sorted `window` goes, another comes; the order is kept."""
    last = len(window) - 1
    at = 0
    while at < last and window[at] < old:
        at += 1
    while at > 0 and window[at - 1] > new:
        window[at] = window[at - 1]
        at -= 1
    while at < last and window[at + 1] < new:
        window[at] = window[at + 1]
        at += 1
    window[at] = new


@nb.njit("void(float32[::1], float32[:, ::1], float32[:, ::1], int64, float32[::1])", nogil=True, cache=True)
def median_in_time(values, past, ordered, row, out):
    """Median of each bin over the last frames, this one included.

    values (bins,); past (frames, bins) the frames themselves, `row` the oldest, which is replaced;
    ordered (bins, frames) the same values in order; out (bins,). Frames odd.
    """
    middle = past.shape[0] // 2
    for k in range(len(values)):
        window = ordered[k]
        _replace(window, past[row, k], values[k])
        past[row, k] = values[k]
        out[k] = window[middle]


@nb.njit("void(float32[::1], float32[::1], float32[::1])", nogil=True, cache=True)
def median_in_frequency(values, window, out):
    """Median of len(window) (odd) neighbouring bins around each bin, mirrored at both ends.

    values and out (bins,); `window` is scratch.
    """
    bins, size = len(values), len(window)
    half = size // 2
    for i in range(size):
        at = i - half
        new = values[-at - 1 if at < 0 else at]
        j = i
        while j > 0 and window[j - 1] > new:
            window[j] = window[j - 1]
            j -= 1
        window[j] = new
    out[0] = window[half]
    for k in range(1, bins):
        left, right = k - 1 - half, k + half
        left = -left - 1 if left < 0 else left
        right = 2 * bins - 1 - right if right >= bins else right
        _replace(window, values[left], values[right])
        out[k] = window[half]
