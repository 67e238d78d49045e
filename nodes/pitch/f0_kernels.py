"""Kernels of `nodes.pitch.f0`: normalised square difference, its peaks as candidates, and the belief."""

from __future__ import annotations

import numba as nb
import numpy as np

LEAST, MOST, STEPS = 0.70, 0.97, 10  # thresholds of the first peak, as parts of the highest


@nb.njit("void(float32[::1], float32[::1], int64, float32[::1])", nogil=True, cache=True)
def square_difference(window, correlation, longest, out):
    """out[lag] = 2 r(lag) / m(lag), -1 to 1 (McLeod and Wyvill, 2005, eq. 9), for lags up to `longest`.

    `correlation`: r(lag) of `window`. m(lag) is the energy of both overlapping parts.
    """
    size = len(window)
    energy = np.float64(0.0)
    for i in range(size):
        energy += np.float64(window[i]) * window[i]
    both = 2.0 * energy
    floor = 1e-9 * size
    for lag in range(longest + 1):
        if lag > 0:
            first, last = np.float64(window[lag - 1]), np.float64(window[size - lag])
            both -= first * first + last * last
        out[lag] = 2.0 * correlation[lag] / max(both, floor)


@nb.njit(
    "float64(float32[::1], int64, int64, float64, float64, float64, float64, float32[::1])",
    nogil=True,
    cache=True,
)
def add_candidates(nsdf, shortest, longest, rate, lowest, per_octave, weight, observation):
    """Add the pitch candidates of one window to `observation`, by bin; returns the highest peak.

    A candidate's weight is the share of thresholds for which it is the first peak that passes (McLeod's
    choice read as a probability, after Mauch and Dixon, pYIN, ICASSP 2014), times its height.
    Only candidates with lags in [shortest, longest] are added. `lowest`: Hz of bin 0.
    """
    limit = len(nsdf) - 2
    highest = 0.0
    lag = 1
    while lag < limit and nsdf[lag] > 0.0:  # the peak at lag 0 goes first
        lag += 1
    begin = lag
    while lag < limit:
        if nsdf[lag] > highest and nsdf[lag] >= nsdf[lag - 1] and nsdf[lag] > nsdf[lag + 1]:
            highest = float(nsdf[lag])
        lag += 1
    if highest < 0.3:
        return highest
    passed = 0  # thresholds that an earlier peak has taken
    lag = begin
    while lag < limit and passed < STEPS:
        if nsdf[lag] > 0.3 and nsdf[lag] >= nsdf[lag - 1] and nsdf[lag] > nsdf[lag + 1]:
            share = nsdf[lag] / highest
            now = int(np.floor((share - LEAST) / (MOST - LEAST) * (STEPS - 1) + 1.0))
            now = min(STEPS, max(0, now))
            if now > passed:
                a, b, c = float(nsdf[lag - 1]), float(nsdf[lag]), float(nsdf[lag + 1])
                at = lag + 0.5 * (a - c) / min(-1e-9, a - 2.0 * b + c)
                if shortest <= at <= longest:
                    place = per_octave * np.log2(rate / (at * lowest))
                    bin = int(np.floor(place + 0.5))
                    if 0 <= bin < len(observation):
                        observation[bin] += weight * b * (now - passed) / STEPS
                passed = now
        lag += 1
    return highest


@nb.njit("float64(float32[::1], float64, float32[::1], float32[::1], float64[::1])", nogil=True, cache=True)
def follow_pitch(observation, glide, belief, scratch, values):
    """One step of the forward algorithm over pitch bins and, last, "no pitch"; returns the belief in a pitch.

    `values`: probability to lose a pitch, to find one, to jump to any other, likelihood of no candidate,
    likelihood of noise. `glide`: neighbour weight of the random walk in pitch.
    """
    bins = len(observation)
    lose, find, jump, missed, noise = values
    voiced = np.float64(0.0)
    for b in range(bins):
        voiced += belief[b]
    silent = np.float64(belief[bins])
    stay = 1.0 - lose - jump
    base = (voiced * jump + silent * find) / bins
    total = np.float64(0.0)
    sum_of_observation = np.float64(0.0)
    for b in range(bins):
        low, high = max(0, b - 1), min(bins - 1, b + 1)
        lower, higher = max(0, b - 2), min(bins - 1, b + 2)
        beside, beyond = belief[low] + belief[high], belief[lower] + belief[higher]
        near = (1.0 - 3.0 * glide) * belief[b] + glide * (beside + 0.5 * beyond)
        beside, beyond = observation[low] + observation[high], observation[lower] + observation[higher]
        blurred = observation[b] + 0.6 * beside + 0.15 * beyond
        scratch[b] = (stay * near + base) * (missed + blurred)
        total += scratch[b]
        sum_of_observation += observation[b]
    still = (voiced * lose + silent * (1.0 - find)) * (noise + 0.5 * max(0.0, 1.0 - sum_of_observation))
    total += still
    scale = 1.0 / max(total, 1e-30)
    for b in range(bins):
        belief[b] = scratch[b] * scale
    belief[bins] = still * scale
    return 1.0 - still * scale
