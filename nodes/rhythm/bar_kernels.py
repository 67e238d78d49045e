"""Kernels of the bar network: what a beat sounds like beside the ones before it, and a gated recurrent unit.

A step is two spectral frames: 32 accent bands and 12 chroma values (`COLOURS`). At each beat they are summed
up in FEATURES numbers that do not depend on key or level, and the network says how much the beat sounds
like a downbeat, and whether these are the beats at all: PULSES.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from nodes.rhythm.accent_kernels import BANDS

CLASSES = 12
COLOURS = BANDS + CLASSES
GROUPS = 8  # of neighbouring bands
LAGS = 8  # beats back that a beat is compared with
AFTER = 2  # steps after the beat that must be there
FEATURES = 6 * GROUPS + 2 * LAGS + 3
HIDDEN = 64
#: What the pulse that is followed may be: the beat; half way between beats; twice as fast, now on a beat or
#: now between beats; every second beat.
PULSES = ("beat", "off beat", "double, on", "double, between", "half")
OUTPUTS = 1 + len(PULSES)
ACCENT = 5 * GROUPS  # numbers that describe the strokes of a beat

Array = npt.NDArray[np.float32]


class BarWeights(NamedTuple):
    """Gates in the order reset, update, new; output index before input index; float32."""

    mean: Array  # (FEATURES,), taken off first
    scale: Array  # (FEATURES,), multiplied with
    inner: Array  # (3 * HIDDEN, FEATURES)
    inner_bias: Array  # (3 * HIDDEN,)
    hidden: Array  # (3 * HIDDEN, HIDDEN)
    hidden_bias: Array  # (3 * HIDDEN,)
    last: Array  # (OUTPUTS, HIDDEN), the downbeat first
    last_bias: Array  # (OUTPUTS,)


@nb.njit(nogil=True, cache=True)
def mean_over(ring, first, stop, low, high, out):  # type: ignore[no-untyped-def]
    """out[c] = mean of the ring's columns [low, high) over steps [first, stop), at least one step."""
    mask = len(ring) - 1
    stop = max(stop, first + 1)
    for c in range(high - low):
        out[c] = 0.0
    for step in range(first, stop):
        row = ring[step & mask]
        for c in range(high - low):
            out[c] += row[low + c]
    for c in range(high - low):
        out[c] /= stop - first


@nb.njit(nogil=True, cache=True)
def centred(vector):  # type: ignore[no-untyped-def]
    """Takes off the mean and divides by the length, in place."""
    mean, size = np.float32(0.0), np.float32(0.0)
    for c in range(len(vector)):
        mean += vector[c]
    mean /= len(vector)
    for c in range(len(vector)):
        vector[c] -= mean
        size += vector[c] * vector[c]
    size = np.sqrt(size) + np.float32(1e-6)
    for c in range(len(vector)):
        vector[c] /= size


@nb.njit(nogil=True, cache=True)
def likeness(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for c in range(len(a)):
        total += a[c] * b[c]
    return total


@nb.njit(nogil=True, cache=True)
def rises(ring, at, scratch, out):  # type: ignore[no-untyped-def]
    """out[g]: how much louder the bands of group g are from step `at` on than just before."""
    before, after = scratch[:BANDS], scratch[BANDS : 2 * BANDS]
    mean_over(ring, at - 3, at - 1, 0, BANDS, before)
    mean_over(ring, at, at + 1 + AFTER, 0, BANDS, after)
    width = BANDS // GROUPS
    for g in range(GROUPS):
        total = np.float32(0.0)
        for b in range(g * width, (g + 1) * width):
            total += after[b] - before[b]
        out[g] = total / width


@nb.njit(nogil=True, cache=True)
def bar_features(ring, at, period, chromas, accents, count, scratch, out):  # type: ignore[no-untyped-def]
    """The FEATURES of the beat at step `at` (float), `period` steps after the one before it.

    `ring` (a power of two, COLOURS) holds steps up to round(at) + AFTER. State: `chromas` (LAGS + 1, CLASSES)
    and `accents` (LAGS + 1, ACCENT), rings over beats; `count` (1,) beats so far.
    """
    beat = int(np.round(at))
    last = int(np.round(at - period))
    width = BANDS // GROUPS
    now = count[0] % (LAGS + 1)
    count[0] += 1
    for quarter in range(4):
        place = int(np.round(at - 0.25 * quarter * period))
        rises(ring, place, scratch, out[quarter * GROUPS : (quarter + 1) * GROUPS])
    mean_over(ring, beat, beat + 1 + AFTER, 0, BANDS, scratch)
    mean_over(ring, last + 1, beat - 1, 0, BANDS, scratch[BANDS:])
    for g in range(GROUPS):
        here, between = np.float32(0.0), np.float32(0.0)
        for b in range(g * width, (g + 1) * width):
            here += scratch[b]
            between += scratch[BANDS + b]
        out[4 * GROUPS + g] = here / width
        out[5 * GROUPS + g] = between / width
    accent, chroma = accents[now], chromas[now]
    for k in range(ACCENT):
        accent[k] = out[k]
    centred(accent)
    mean_over(ring, last + 1, beat - 1, BANDS, COLOURS, chroma)
    centred(chroma)
    arriving = scratch[:CLASSES]
    mean_over(ring, beat + 1, beat + 1 + AFTER, BANDS, COLOURS, arriving)
    centred(arriving)
    k = 6 * GROUPS
    for lag in range(1, LAGS + 1):
        then = (now - lag) % (LAGS + 1)
        known = lag < count[0]
        out[k] = likeness(chroma, chromas[then]) if known else 0.0
        out[k + LAGS] = likeness(accent, accents[then]) if known else 0.0
        k += 1
    k += LAGS
    out[k] = likeness(arriving, chroma)
    out[k + 1] = likeness(arriving, chromas[(now - 3) % (LAGS + 1)]) if count[0] > 3 else 0.0
    out[k + 2] = np.log(period)


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def bar_step(  # type: ignore[no-untyped-def]
    mean, scale, inner, inner_bias, from_hidden, from_hidden_bias, last, last_bias,
    features, hidden, scratch, out,
):  # fmt: skip
    """One beat through the gated recurrent unit; out (OUTPUTS,): logits. State: `hidden` (HIDDEN,).

    Weights one by one, in the order of `BarWeights`: a call with a tuple of arrays allocates.
    """
    fresh, old = scratch[: 3 * HIDDEN], scratch[3 * HIDDEN : 6 * HIDDEN]
    for k in range(FEATURES):
        features[k] = (features[k] - mean[k]) * scale[k]
    for j in range(3 * HIDDEN):
        a, b = inner_bias[j], from_hidden_bias[j]
        for k in range(FEATURES):
            a += inner[j, k] * features[k]
        for k in range(HIDDEN):
            b += from_hidden[j, k] * hidden[k]
        fresh[j], old[j] = a, b
    one = np.float32(1.0)
    for k in range(HIDDEN):
        reset = one / (one + np.exp(-(fresh[k] + old[k])))
        update = one / (one + np.exp(-(fresh[HIDDEN + k] + old[HIDDEN + k])))
        new = np.tanh(fresh[2 * HIDDEN + k] + reset * old[2 * HIDDEN + k])
        hidden[k] = (one - update) * new + update * hidden[k]
    for j in range(OUTPUTS):
        out[j] = last_bias[j]
        for k in range(HIDDEN):
            out[j] += last[j, k] * hidden[k]
