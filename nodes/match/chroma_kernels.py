"""Kernels of the matcher's chroma: spectral peaks -> 120 pitch classes -> 12, and the CENS quantiser."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

#: Pitch classes of the fine chroma: 10 a semitone.
FINE = 120
#: Fine classes a semitone.
CENTS10 = 10
#: A class that has 1 / COMPRESSION of the sound counts with log 2, one that has all with 5 times as much.
COMPRESSION = 30.0


@nb.njit(
    "void(complex64[::1], float32, float32, float32, float32, float32, float32[::1])", nogil=True, cache=True
)
def peak_chroma(spectrum, bin_hz, low_hz, high_hz, floor, exponent, out):  # type: ignore[no-untyped-def]
    """Spectral peaks of one frame, deposited on 120 pitch classes (10 a semitone, class 0 is C).

    A peak's frequency is refined by a parabola through the logarithms of three bins, so that a window of
    0.19 s tells semitones apart from about 80 Hz on. Its weight is magnitude ** exponent; peaks more than
    60 dB below the strongest, or below `floor` (power), do not count.
    """
    out[:] = 0.0
    first = max(2, int(low_hz / bin_hz))
    last = min(len(spectrum) - 2, int(high_hz / bin_hz) + 1)
    most = np.float32(0.0)
    for k in range(first, last):
        z = spectrum[k]
        power = z.real * z.real + z.imag * z.imag
        most = max(most, power)
    least = max(np.float32(1e-6) * most, floor)
    if most <= least:
        return
    below = spectrum[first - 1].real ** 2 + spectrum[first - 1].imag ** 2
    here = spectrum[first].real ** 2 + spectrum[first].imag ** 2
    for k in range(first, last):
        z = spectrum[k + 1]
        above = z.real * z.real + z.imag * z.imag
        if here > least and here > below and here >= above:
            a, b, c = math.log(below + 1e-20), math.log(here), math.log(above + 1e-20)
            shift = 0.5 * (a - c) / (a - 2.0 * b + c - 1e-12)
            pitch = 12.0 * math.log2((k + shift) * bin_hz / 261.6255653)
            position = (pitch - 12.0 * math.floor(pitch / 12.0)) * CENTS10
            lower = int(position)
            part = position - lower
            weight = math.exp(0.5 * exponent * b)
            out[lower % FINE] += (1.0 - part) * weight
            out[(lower + 1) % FINE] += part * weight
        below, here = here, above


@nb.njit("void(float32[::1], float64, float32[::1])", nogil=True, cache=True)
def fold(fine, tuning, out):  # type: ignore[no-untyped-def]
    """120 classes to 12 under a cosine of +-1 semitone around each; `tuning` in tenths of a semitone."""
    for pitch in range(12):
        centre = pitch * CENTS10 + tuning
        start = math.ceil(centre - CENTS10)
        total = 0.0
        for k in range(start, start + 2 * CENTS10):
            distance = (k - centre) / CENTS10
            total += fine[k % FINE] * (0.5 + 0.5 * math.cos(math.pi * distance))
        out[pitch] = total


@nb.njit("void(float32[::1], float64[::1], float64)", nogil=True, cache=True)
def tune(fine, state, keep):  # type: ignore[no-untyped-def]
    """Update the circular mean (re, im) of where within a semitone the peaks lie; `keep` of it is kept."""
    re = im = 0.0
    for k in range(FINE):
        angle = 2.0 * math.pi * k / CENTS10
        re += fine[k] * math.cos(angle)
        im += fine[k] * math.sin(angle)
    state[0] = keep * state[0] + re
    state[1] = keep * state[1] + im


@nb.njit("void(float32[:, ::1], int64, float32[::1], boolean, float32[::1])", nogil=True, cache=True)
def smooth(frames, first, window, quantised, out):  # type: ignore[no-untyped-def]
    """One smoothed frame: L1 norm, weighted mean over `window`, logarithm, less its mean, L2 norm.

    frames : (n, 12) chroma; rows first ... first + len(window) - 1 are used, those outside are silent.
    quantised : CENS instead: steps at 0.05, 0.1, 0.2, 0.4 -> 0 to 4 before the mean, and no logarithm. The
        top step is closed: a frame of one class only gives 4 there (Mueller, FMP, 7.2.1; libfmp 1.3.0 leaves
        it unset).

    The logarithm of 1 + COMPRESSION times the share: players differ in balance by factors. Without its mean
    the dot product of two frames is their correlation: what differs between the classes counts, what is
    common to all music does not. The result is 0 where nothing sounds or all classes sound alike (a hundredth
    of the power): such a frame says nothing.
    """
    out[:] = 0.0
    weight = np.float32(0.0)
    for i in range(len(window)):
        row = first + i
        if row < 0 or row >= frames.shape[0]:
            continue
        total = np.float32(0.0)
        for k in range(12):
            total += frames[row, k]
        if total <= 0.0:
            continue
        weight += window[i]
        for k in range(12):
            share = frames[row, k] / total
            if quantised:
                level = 0.0
                if share >= 0.05:
                    level += 1.0
                if share >= 0.1:
                    level += 1.0
                if share >= 0.2:
                    level += 1.0
                if share >= 0.4:
                    level += 1.0
                out[k] += window[i] * level
            else:
                out[k] += window[i] * share
    if not quantised and weight > 0.0:
        for k in range(12):
            out[k] = math.log1p(COMPRESSION * out[k] / weight)
    mean = squares = np.float32(0.0)
    for k in range(12):
        mean += out[k] / np.float32(12.0)
        squares += out[k] * out[k]
    variance = squares - 12.0 * mean * mean
    if variance <= 0.01 * squares:
        out[:] = 0.0
        return
    norm = np.float32(math.sqrt(variance))
    for k in range(12):
        out[k] = (out[k] - mean) / norm
