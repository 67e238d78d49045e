"""Kernel of the incremental scan: one query frame against every reference frame, all keys and tempi."""

from __future__ import annotations

import numba as nb
import numpy as np

#: Reference frames handled at a time, small enough for the first-level cache.
BLOCK = 1024

#: Evidence is kept in steps of 1 / SCALE, in 16 bits: twice as many lanes in a register, half the memory.
SCALE = 128

_ZERO = np.int16(0)
_SHIFT = np.uint32(16)


_VECTOR = {"nogil": True, "cache": True, "fastmath": {"nnan", "nsz", "reassoc"}}


@nb.njit(nb.void(nb.types.Array(nb.int8, 1, "C", readonly=True), nb.int16, nb.int16[::1]), **_VECTOR)
def _weigh(row, weight, dots):  # type: ignore[no-untyped-def]
    for i in range(len(dots)):
        dots[i] += np.int16(weight * np.int16(row[i]))


@nb.njit("void(int16[::1], int16, int16, int16, int16, int16[::1])", **_VECTOR)
def _evidence(dots, slope, offset, least, most, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        part = np.int16((np.int32(dots[i]) * np.int32(slope)) >> np.int32(16))
        out[i] = min(most, max(least, np.int16(part + offset)))


@nb.njit("int16(int16[::1], int16[::1], uint16, int16[::1])", **_VECTOR)
def _step(past, evidence, keep, out):  # type: ignore[no-untyped-def]
    top = _ZERO
    for i in range(len(out)):
        kept = np.int16((np.uint32(np.uint16(past[i + 1])) * np.uint32(keep)) >> _SHIFT)
        value = max(_ZERO, np.int16(kept + evidence[i]))
        out[i] = value
        top = max(top, value)
    return top


@nb.njit("int16(int16[::1], int16[::1], uint16, int16, int16[::1])", **_VECTOR)
def _drift(past, evidence, keep, price, out):  # type: ignore[no-untyped-def]
    top = _ZERO
    for i in range(len(out)):
        beside = np.int16(max(past[i], past[i + 2]) - price)
        best = max(past[i + 1], beside)
        kept = np.int16((np.uint32(np.uint16(best)) * np.uint32(keep)) >> _SHIFT)
        value = max(_ZERO, np.int16(kept + evidence[i]))
        out[i] = value
        top = max(top, value)
    return top


@nb.njit(
    nb.void(
        nb.types.Array(nb.int8, 2, "C", readonly=True),  # mapped from disk
        nb.int64[::1],
        nb.int64[::1],
        nb.int16[:, ::1],
        nb.int64[::1],
        nb.float32[::1],
        nb.int16[::1],
        nb.int16[:, ::1],
        nb.int16[:, ::1],
    ),
    nogil=True,
    cache=True,
)
def scan(reference, starts, lengths, queries, steps, law, prices, score, best):  # type: ignore[no-untyped-def]
    """Advance the score of every (key, tempo, reference frame) by one query frame, in place.

    score[k * R + r, m] = max(0, keep * predecessor + evidence(<queries[k], reference[:, m]>)), where the
    predecessor lies `steps[r]` frames back (or one frame beside, at a price, where drift is allowed), and
    evidence is slope * dot + offset between `least` and `most`. It is the local alignment score of Smith and
    Waterman on fixed slopes, with a leak: evidence adds up while reference and music agree, and what does
    not agree falls back to 0 instead of dragging its past along.

    Parameters
    ----------
    reference : (12, frames) int8, the frames of document d at starts[d] : starts[d] + lengths[d].
    queries : (keys, 12) int16, entries within +-127 and L2 norm about 127, so that a dot fits in 16 bits.
    steps : (R,) frames to go back.
    law : slope, offset, least, most, keep, drift price (negative: no drift in this update), in units of
        evidence; most / (1 - keep) must stay below 32768 / SCALE.
    prices : (R,) what is taken off each tempo before documents are compared, in steps of 1 / SCALE.
    score : (keys * R, frames) state, in steps of 1 / SCALE.
    best : (documents, keys * R) written: highest score in each document less the price, 0 at least.
    """
    keys, tempi = queries.shape[0], len(steps)
    slope = np.int16(min(32767.0, np.rint(law[0] * SCALE * 65536.0)))
    offset = np.int16(np.rint(law[1] * SCALE))
    least, most = np.int16(np.rint(law[2] * SCALE)), np.int16(np.rint(law[3] * SCALE))
    keep = np.uint16(min(65535.0, np.rint(law[4] * 65536.0)))
    drifts = law[5] >= 0.0
    price = np.int16(np.rint(law[5] * SCALE))
    all_dots = np.empty(BLOCK, np.int16)
    all_evidence = np.empty(BLOCK, np.int16)
    all_past = np.empty(BLOCK + 2, np.int16)
    above = np.empty(keys * tempi, np.int16)  # what stood in the first frame of the block before
    best[:] = _ZERO
    for d in range(len(starts)):
        start, length = starts[d], lengths[d]
        stop = length
        while stop > 0:  # from the end, because every frame looks back
            begin = max(0, stop - BLOCK)
            n = stop - begin
            here = slice(start + begin, start + stop)
            dots, evidence, past = all_dots[:n], all_evidence[:n], all_past[: n + 2]
            for k in range(keys):
                dots[:] = 0
                for c in range(12):
                    _weigh(reference[c, here], queries[k, c], dots)
                _evidence(dots, slope, offset, least, most, evidence)
                for r in range(tempi):
                    lane = k * tempi + r
                    # past[i + 1] is the predecessor of frame begin + i; one more on either side for drift.
                    back = begin - steps[r] - 1
                    low = min(n + 2, max(0, -back))
                    high = max(low, min(n + 2, length - back))
                    past[:low] = _ZERO
                    past[low:high] = score[lane, start + back + low : start + back + high]
                    past[high:] = _ZERO
                    if steps[r] == 0 and stop < length:  # the only look ahead: that frame is new already
                        past[n + 1] = above[lane]
                    above[lane] = score[lane, start + begin]
                    row = score[lane, here]
                    if drifts:
                        top = _drift(past, evidence, keep, price, row)
                    else:
                        top = _step(past, evidence, keep, row)
                    best[d, lane] = max(best[d, lane], np.int16(top - prices[r]))
            stop = begin
