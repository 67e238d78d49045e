"""Kernels of `nodes.spectral.chroma`."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(
    "int64(float32[::1], float32, float64, int64, int64, float64, float32[::1], float32[::1])",
    nogil=True,
    cache=True,
)
def find_peaks(magnitude, gain, base, first, stop, weakest, pitches, amplitudes):
    """Pitch (semitones above the reference's C) and amplitude of the local maxima in [first, stop).

    A peak counts if it is above `weakest` and above 1e-3 of the largest. Returns how many there are.
    """
    largest = nb.float32(0.0)
    for k in range(first, stop):
        largest = max(largest, magnitude[k])
    largest *= gain
    if largest < weakest:
        return 0
    least = largest * nb.float32(1e-3)
    count = 0
    for k in range(first, stop):
        here = magnitude[k]
        if here <= magnitude[k - 1] or here < magnitude[k + 1] or gain * here < least:
            continue
        tiny = 1e-12 * here
        a, b, c = np.log(magnitude[k - 1] + tiny), np.log(here + tiny), np.log(magnitude[k + 1] + tiny)
        curve = a - 2 * b + c
        shift = 0.5 * (a - c) / curve if curve < -1e-9 else 0.0
        pitches[count] = base + 12 * np.log2(k + shift)
        amplitudes[count] = gain * np.exp(b - 0.25 * (a - c) * shift)
        count += 1
    return count


@nb.njit(
    "float64(float32[::1], float32[::1], int64, float64, float64[::1], float64, int64, float32[::1])",
    nogil=True,
    cache=True,
)
def fold(pitches, amplitudes, count, compression, direction, forget, norm, chroma):
    """Peaks to chroma; returns the tuning in cents. `direction`: its state; forget < 0: not followed."""
    for i in range(count):
        amplitudes[i] = np.log(1 + compression * amplitudes[i])
    tuning = 0.0
    if forget >= 0:
        if count:
            direction[0] *= forget
            direction[1] *= forget
        for i in range(count):
            turn = 2 * np.pi * pitches[i]
            direction[0] += amplitudes[i] * np.cos(turn)
            direction[1] += amplitudes[i] * np.sin(turn)
        tuning = np.arctan2(direction[1], direction[0]) / (2 * np.pi)
    for c in range(12):
        chroma[c] = 0.0
    for i in range(count):
        pitch = pitches[i] - tuning
        below = int(np.floor(pitch))
        upper = np.sin(0.5 * np.pi * (pitch - below)) ** 2
        chroma[below % 12] += amplitudes[i] * (1 - upper)
        chroma[(below + 1) % 12] += amplitudes[i] * upper
    size = 0.0
    for c in range(12):
        if norm == 1:
            size = max(size, chroma[c])
        elif norm == 2:
            size += chroma[c]
        elif norm == 3:
            size += chroma[c] * chroma[c]
    if norm == 3:
        size = np.sqrt(size)
    if size > 0:
        for c in range(12):
            chroma[c] /= size
    return 100 * tuning
