"""Kernels of the Fourier tempogram and of PLP."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True)
def fourier_coefficient(novelty, newest, taper, turn):  # type: ignore[no-untyped-def]
    """sum over n of novelty[n] taper[n] exp(-i turn n), n from the oldest of the last len(taper) frames.

    `novelty` is a ring of len(taper) values, `newest` the place of the last one, `turn` in radians a frame.
    """
    size = len(taper)
    step = complex(np.cos(turn), -np.sin(turn))
    wheel = complex(1.0, 0.0)
    total = complex(0.0, 0.0)
    at = newest + 1
    for n in range(size):
        if at >= size:
            at = 0
        total += novelty[at] * taper[n] * wheel
        wheel *= step
        at += 1
    return total


@nb.njit(nogil=True, cache=True)
def tempogram_column(novelty, newest, taper, turns, out):  # type: ignore[no-untyped-def]
    """Magnitudes of the coefficients of all `turns` (radians a frame), divided by the taper's sum."""
    scale = 0.0
    for n in range(len(taper)):
        scale += taper[n]
    for k in range(len(turns)):
        out[k] = abs(fourier_coefficient(novelty, newest, taper, turns[k])) / scale


@nb.njit(nogil=True, cache=True)
def add_pulse(pulse, start, taper, turn, phase):  # type: ignore[no-untyped-def]
    """Overlap-add of the analytic kernel taper[n] exp(i (turn n + phase)) to the ring `pulse` from
    `start`."""
    size = len(taper)
    step = complex(np.cos(turn), np.sin(turn))
    wheel = complex(np.cos(phase), np.sin(phase))
    at = start
    for n in range(size):
        pulse[at] += taper[n] * wheel
        wheel *= step
        at += 1
        if at == size:
            at = 0
