"""Kernels of `nodes.structure.band_energy`."""

from __future__ import annotations

import numba as nb
import numpy as np

FLOOR = 1e-14  # power: -140 dBFS
QUIET = 1e-4  # share of a band's ceiling below which a bin's changes do not count


@nb.njit(
    "void(float32[::1], int64[::1], float64, float64[::1], float64[:, ::1], float64[::1], float32[::1],"
    "float32[::1], float32[::1])",
    nogil=True,
    cache=True,
)
def follow_bands(magnitude, edges, scale, coefficients, state, before, level, relative, flux):
    """One frame.

    `coefficients`: of attack, release, the ceiling's fall and the floor's rise (dB a frame). `state` rows:
    envelope (amplitude), ceiling (dB), floor (dB), ceiling power a bin. `before` (bins,): power of each bin
    a frame ago. `flux` is the mean rise of the logarithm over a band's bins, against its ceiling, so that it
    does not depend on the level.
    """
    attack, release, fall, rise = coefficients
    for b in range(len(edges) - 1):
        first, stop = edges[b], edges[b + 1]
        power = 0.0
        for k in range(first, stop):
            power += magnitude[k] * magnitude[k]
        power *= scale
        amplitude = np.sqrt(power)
        envelope = state[0, b]
        envelope += (attack if amplitude > envelope else release) * (amplitude - envelope)
        state[0, b] = envelope
        now = 10.0 * np.log10(max(envelope * envelope, FLOOR))
        top, bottom = state[1, b], state[2, b]
        top = now if now > top else top - fall
        bottom = now if now < bottom else bottom + rise
        top = max(top, -90.0)
        bottom = max(bottom, top - 40.0)
        state[1, b], state[2, b] = top, min(bottom, top)
        level[b] = now
        span = max(top - bottom, 12.0)
        relative[b] = min(1.0, max(0.0, 1.0 - (top - now) / span))
        # The mean power of a bin at the ceiling; what is 40 dB below it is nothing.
        quiet = QUIET * 10.0 ** (top / 10.0) / (scale * (stop - first))
        # The sum of logarithms of ratios is the logarithm of their product: one for 16 bins.
        total, product = 0.0, 1.0
        for k in range(first, stop):
            here = float(magnitude[k]) * magnitude[k]
            product *= max(1.0, (quiet + here) / (quiet + before[k]))
            before[k] = here
            if k & 15 == 15:
                total += np.log(product)
                product = 1.0
        total += np.log(product)
        flux[b] = total / (stop - first)


@nb.njit("int64(float32, float64, float64, float64[::1], float64[::1], int64[::1])", nogil=True, cache=True)
def pick_onset(flux, factor, least, past, state, counts):
    """Whether an onset begins with this frame: flux above `factor` times its recent mean plus `least`.

    `past`: ring of the last values. `state`: the strength (flux over threshold) of an onset that was found.
    `counts`: place in `past`, frames until the next onset may come, 1 while the last one has not let go.
    """
    total = 0.0
    for value in past:
        total += value
    threshold = factor * total / len(past) + least
    past[counts[0]] = flux
    counts[0] = (counts[0] + 1) % len(past)
    if counts[1] > 0:
        counts[1] -= 1
    if counts[2] == 1:
        if flux < 0.5 * threshold:
            counts[2] = 0
        return 0
    if flux <= threshold or counts[1] > 0:
        return 0
    state[0] = flux / threshold
    counts[2] = 1
    return 1
