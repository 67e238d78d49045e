"""Kernels of `nodes.separate.evidence`."""

from __future__ import annotations

import numba as nb
import numpy as np

FLOOR = np.float32(1e-12)  # of the level, about -120 dBFS
FAINT = np.float32(1e-6)  # of the level: what is below it tells nothing
LIMIT = np.float32(6.0)
TINY = np.float32(1e-4)


@nb.njit("float32(float32[::1], float32[::1], float64)", nogil=True, cache=True)
def follow_level(power, state, frames):
    """Mean power of a bin: plain mean at first, exponential over `frames` later. state: (level, count)."""
    total = np.float32(0.0)
    for k in range(len(power)):
        total += power[k]
    total /= nb.float32(len(power))
    # Silence does not count: the level is that of the music.
    if total > FAINT * state[0]:
        state[1] = min(state[1] + np.float32(1.0), nb.float32(frames))
        state[0] += (total - state[0]) / state[1]
    return max(state[0], FLOOR)


@nb.njit(
    "void(float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32, float32, "
    "float32[::1], float32[::1], float32[::1])",
    nogil=True,
    cache=True,
)
def bin_evidence(
    power, harmonic, percussive, background, usual, pace, level, out_percussive, out_repeats, out_fresh
):
    """Log ratios of each bin, see `Evidence`; `usual` (bins,) then moves by `pace` towards the power."""
    faint = FAINT * level
    for k in range(len(power)):
        ratio = np.log((percussive[k] + faint) / (harmonic[k] + faint))
        out_percussive[k] = min(max(ratio, -LIMIT), LIMIT)
        ratio = np.log((background[k] * background[k] + faint) / (power[k] + faint))
        out_repeats[k] = min(max(ratio, -LIMIT), np.float32(2.0))
        ratio = np.log((power[k] + faint) / (usual[k] + faint))
        out_fresh[k] = min(max(ratio, -LIMIT), LIMIT)
        usual[k] += pace * (power[k] - usual[k])


@nb.njit(
    "void(float32[::1], float32[::1], float32[::1], int64[::1], int64[::1], float32[:, ::1], float32, "
    "float32[:, ::1])",
    nogil=True,
    cache=True,
)
def pool_bands(power, percussive, repeats, first, count, weights, level, out):
    """Bands (3, BANDS): log power over the level, share that is percussive, share that repeats."""
    one = np.float32(1.0)
    for band in range(len(first)):
        total, strokes, again = TINY * level, TINY * level * np.float32(0.5), TINY * level * np.float32(0.5)
        for i in range(count[band]):
            k = first[band] + i
            part = weights[band, i] * power[k]
            total += part
            strokes += part / (one + np.exp(-percussive[k]))
            again += part * min(one, np.exp(repeats[k]))
        out[0, band] = np.log(total / level)
        out[1, band] = strokes / total
        out[2, band] = again / total
