"""Kernels of the landmark lane: peaks of the spectrogram, their hashes, and the votes of a query."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

#: Steps an octave on the logarithmic frequency axis.
STEPS = 24
#: Frequency of step 0 in Hz.
BASE_HZ = 200.0
#: Largest distance of two peaks of a pair: steps of frequency either way, frames of time.
MAX_STEPS, MAX_FRAMES = 31, 63
#: Bits of a hash that name the pair of peaks, and the third peak.
PAIR_BITS, THIRD_BITS = 19, 12


def _mapped(kind):  # type: ignore[no-untyped-def]
    """The type of an array on disk, mapped read-only."""
    return nb.types.Array(kind, 1, "C", readonly=True)


@nb.njit("void(float32[::1], int64, float32[::1])", nogil=True, cache=True)
def spread(row, reach, out):  # type: ignore[no-untyped-def]
    """Maximum of `row` over +-reach bins (van Herk: three comparisons a bin, whatever the reach)."""
    n = len(row)
    width = 2 * reach + 1
    ahead = np.empty(n + 2 * reach, np.float32)
    behind = np.empty(n + 2 * reach, np.float32)
    low = np.float32(-1e30)
    for i in range(n + 2 * reach):
        value = row[i - reach] if reach <= i < n + reach else low
        ahead[i] = value if i % width == 0 else max(ahead[i - 1], value)
    for i in range(n + 2 * reach - 1, -1, -1):
        value = row[i - reach] if reach <= i < n + reach else low
        last = i % width == width - 1 or i == n + 2 * reach - 1
        behind[i] = value if last else max(behind[i + 1], value)
    for k in range(n):
        out[k] = max(behind[k], ahead[k + width - 1])


@nb.njit(
    "int64(float32[:, ::1], float32[:, ::1], int64, int64, float32, int64, float32, float32[::1], "
    "float32[::1])",
    nogil=True,
    cache=True,
)
def peaks_of_frame(log_power, most, middle, first_bin, floor, limit, bin_hz, steps, heights):  # type: ignore[no-untyped-def]
    """Peaks of row `middle` that nothing around exceeds, strongest `limit` of them, by rising frequency.

    log_power, most : (rows, bins) natural logarithms, and the same spread over neighbouring bins.
    steps, heights : written: frequency in steps above BASE_HZ (fractional), log power. Returns the count.
    """
    rows, bins = log_power.shape
    count = 0
    for k in range(1, bins - 1):
        value = log_power[middle, k]
        if value <= floor or value < most[middle, k]:
            continue
        alone = True
        for row in range(rows):
            if (row < middle and most[row, k] >= value) or (row > middle and most[row, k] > value):
                alone = False
                break
        if not alone:
            continue
        a, c = log_power[middle, k - 1], log_power[middle, k + 1]
        shift = 0.5 * (a - c) / (a - 2.0 * value + c - 1e-9)
        step = STEPS * math.log2((first_bin + k + shift) * bin_hz / BASE_HZ)
        if count < limit:
            place = count
            count += 1
        else:  # in place of the weakest, if it is weaker
            place = 0
            for j in range(1, count):
                if heights[j] < heights[place]:
                    place = j
            if heights[place] >= value:
                continue
            for j in range(place, count - 1):
                steps[j], heights[j] = steps[j + 1], heights[j + 1]
            place = count - 1
        steps[place], heights[place] = step, value
    return count


@nb.njit(nogil=True, cache=True)
def _hash(step, change, frames, next_change, next_frames):  # type: ignore[no-untyped-def]
    """Pair (7 + 6 + 6 bits) and third peak (6 + 6 bits), or -1 if out of range."""
    if step < 0 or step > 127 or abs(change) > MAX_STEPS or frames < 0 or frames > MAX_FRAMES:
        return -1
    if abs(next_change) > MAX_STEPS or next_frames < 0 or next_frames > MAX_FRAMES:
        third = (1 << THIRD_BITS) - 1
    else:
        third = ((next_change + MAX_STEPS) << 6) | next_frames
    return (((step << 12) | ((change + MAX_STEPS) << 6) | frames) << THIRD_BITS) | third


@nb.njit(
    "int64(int64[::1], float32[::1], int64, int64, int64, int64[::1], int64[::1])", nogil=True, cache=True
)
def hashes(times, steps, fan, least, reach, out, places):  # type: ignore[no-untyped-def]
    """Hashes of a constellation for the index, each with the frame of its first peak.

    times, steps : peaks by rising time, in frames and (fractional) steps.
    fan : pairs from each peak; `least` frames apart at least, `reach` at most.
    Returns how many were written.
    """
    count = 0
    n = len(times)
    for i in range(n):
        made = 0
        for j in range(i + 1, n):
            if made == fan or count == len(out) or times[j] - times[i] > reach:
                break
            if times[j] - times[i] < least or abs(steps[j] - steps[i]) > MAX_STEPS:
                continue
            third_steps, third_frames = 1000, -1
            for l in range(j + 1, n):
                if times[l] - times[j] > reach:
                    break
                if times[l] - times[j] >= least and abs(steps[l] - steps[j]) <= MAX_STEPS:
                    third_steps = round(steps[l] - steps[j])
                    third_frames = times[l] - times[j]
                    break
            code = _hash(
                round(steps[i]),
                round(steps[j] - steps[i]),
                times[j] - times[i],
                third_steps,
                third_frames,
            )
            if code >= 0:
                out[count] = code
                places[count] = times[i]
                count += 1
                made += 1
    return count


@nb.njit(nogil=True, cache=True)
def _first(rests, low, high, value):  # type: ignore[no-untyped-def]
    """First index in rests[low:high] (rising) that is not below `value`."""
    while low < high:
        middle = (low + high) // 2
        if rests[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@nb.njit(
    nb.int64(
        nb.float64[::1],
        nb.float32[::1],
        nb.int64,
        nb.int64,
        nb.int64,
        nb.float64,
        nb.float64,
        nb.float64,
        nb.int64,
        nb.int64,
        _mapped(nb.uint32),
        _mapped(nb.uint16),
        _mapped(nb.uint32),
        nb.int64,
        nb.int64[::1],
        nb.float32[::1],
    ),
    nogil=True,
    cache=True,
)
def votes(
    times,
    steps,
    fan,
    least,
    reach,
    pitch,
    speed,
    rounding,
    low,
    high,
    buckets,
    rests,
    places,
    count,
    offsets,
    weights,
):  # type: ignore[no-untyped-def]
    """Look the pairs of a query up and write the votes: where the query's frame 0 would lie in the index.

    times, steps : peaks of the query by rising time (frames, fractional where taken between frames).
    pitch, speed : the query as a variant: `pitch` steps are added to every peak, times multiplied by `speed`.
    rounding : how near (0 to 0.5) to the edge of a step a value may lie before both sides are tried.
    low, high : only pairs whose first peak lies on the steps from low to high - 1 are looked up.
    buckets, rests, places : the index: hash >> 16 -> range, hash & 0xffff (rising), frame.
    offsets, weights : written from `count` on: place - time * speed in frames; 1 for a pair, 3 for a triple.
    Returns the new count.
    """
    n = len(times)
    for i in range(n):
        made = 0
        for j in range(i + 1, n):
            frames = times[j] - times[i]
            if made == fan or frames > reach:
                break
            if frames < least or abs(steps[j] - steps[i]) > MAX_STEPS:
                continue
            made += 1
            third = -1
            for l in range(j + 1, n):
                gap = times[l] - times[j]
                if gap > reach:
                    break
                if gap >= least and abs(steps[l] - steps[j]) <= MAX_STEPS:
                    third = ((round(steps[l] - steps[j]) + MAX_STEPS) << 6) | round(gap * speed)
                    break
            exact_step = steps[i] + pitch
            exact_change = steps[j] - steps[i]
            dt = round(frames * speed)
            for a in range(2):
                step = round(exact_step)
                if a == 1:
                    rest_step = exact_step - step
                    if abs(rest_step) < 0.5 - rounding:
                        continue
                    step += 1 if rest_step > 0 else -1
                if step < low or step >= high:
                    continue
                for b in range(2):
                    change = round(exact_change)
                    if b == 1:
                        rest_change = exact_change - change
                        if abs(rest_change) < 0.5 - rounding:
                            continue
                        change += 1 if rest_change > 0 else -1
                    code = _hash(step, change, dt, 1000, -1)
                    if code < 0:
                        continue
                    pair = code >> THIRD_BITS
                    bucket = pair >> (PAIR_BITS - 15)
                    low_rest = (pair & ((1 << (PAIR_BITS - 15)) - 1)) << THIRD_BITS
                    begin, end = np.int64(buckets[bucket]), np.int64(buckets[bucket + 1])
                    position = _first(rests, begin, end, low_rest)
                    while position < end and rests[position] < low_rest + (1 << THIRD_BITS):
                        if count == len(offsets):
                            return count
                        same = third >= 0 and (rests[position] & ((1 << THIRD_BITS) - 1)) == third
                        offsets[count] = round(places[position] - times[i] * speed)
                        weights[count] = 3.0 if same else 1.0
                        count += 1
                        position += 1
    return count


@nb.njit("int64(int64[::1], float32[::1], int64, int64[::1], float32[::1])", nogil=True, cache=True)
def strongest(offsets, weights, width, best_offsets, best_weights):  # type: ignore[no-untyped-def]
    """The alignments with most votes: windows of `width` frames over the sorted offsets, best first.

    best_offsets, best_weights : written; windows that touch a better one are left out. Returns the count.
    """
    n = len(offsets)
    order = np.argsort(offsets)
    found = 0
    for slot in range(len(best_offsets)):
        low = 0
        total = np.float32(0.0)
        top, at = np.float32(0.0), np.int64(0)
        for high in range(n):
            total += weights[order[high]]
            while offsets[order[high]] - offsets[order[low]] >= width:
                total -= weights[order[low]]
                low += 1
            if total > top:
                offset = (offsets[order[high]] + offsets[order[low]]) // 2
                near = False
                for s in range(slot):
                    near = near or abs(best_offsets[s] - offset) < 2 * width
                if not near:
                    top, at = total, offset
        if top <= 0.0:
            break
        best_offsets[slot], best_weights[slot] = at, top
        found += 1
    return found
