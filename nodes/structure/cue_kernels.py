"""Kernels of `nodes.structure.cues`: features of the last seconds, their references, the state machine."""

from __future__ import annotations

import numba as nb
import numpy as np

NONE, BREAKDOWN, BUILD_UP, DROP, SILENCE, SOUND = range(6)

# Places in `state`.
REF_LOW, REF_ALL, REF_FLUX_LOW, REF_FLUX_HIGH, SLOW_HIGH, SLOW_ALL = range(6)
THIN_FOR, FULL_FOR, RISE_FOR, QUIET_FOR, SINCE, HEARD, MODE, SILENT, BACK_FOR, PLAYED = range(6, 16)
BASS_GONE, FLUX_THIN = 16, 17
STATE = 18

DEEPEST = 12.0  # dB below a reference; what is deeper draws it down no faster

FULL, THIN, RISING = 0.0, 1.0, 2.0  # MODE


@nb.njit("float64(float64, float64, float64)", nogil=True, cache=True)
def ramp(x, zero, one):
    """0 at `zero`, 1 at `one`, straight between, held beyond."""
    return min(1.0, max(0.0, (x - zero) / (one - zero)))


@nb.njit("void(float64[::1], int64, float64, float64, float64)", nogil=True, cache=True)
def follow(state, k, value, up, down):
    """A reference: `up` and `down` are its one-pole coefficients."""
    state[k] += (up if value > state[k] else down) * (value - state[k])


@nb.njit("float64(float64, float64, float64)", nogil=True, cache=True)
def thinness(lost, share_low, share_high):
    """0 to 1 from the low band's loss in dB and the shares of the usual onsets in the low and high bands."""
    bass = ramp(lost, 3.0, 11.0)
    drums = 0.5 * ramp(-share_low, -0.9, -0.4) + 0.5 * ramp(-share_high, -0.85, -0.35)
    return min(1.0, max(bass, 0.6 * bass + 0.9 * drums))


@nb.njit("int64(float64, float64, float64[::1], float64[::1])", nogil=True, cache=True)
def follow_silence(everything, dt, state, out):
    """SILENCE after 0.8 s 30 dB below the reference, SOUND at once 24 dB below it."""
    reference = state[REF_ALL]
    out[1] = 0.0
    if state[SILENT] == 1.0:
        if everything > max(-72.0, reference - 24.0):
            state[SILENT] = state[QUIET_FOR] = 0.0
            state[MODE], state[SINCE], state[THIN_FOR], state[HEARD] = FULL, 0.0, 0.0, 0.0
            out[0] = 0.5 + 0.5 * ramp(everything, max(-72.0, reference - 24.0), max(-60.0, reference))
            return SOUND
        return NONE
    state[QUIET_FOR] = state[QUIET_FOR] + dt if everything < max(-78.0, reference - 30.0) else 0.0
    if state[QUIET_FOR] > 0.8:
        state[SILENT] = 1.0
        out[0] = 0.5 + 0.5 * ramp(reference - everything, 30.0, 60.0)
        out[1] = 0.8 / dt
        return SILENCE
    return NONE


@nb.njit(
    "int64(float32[::1], float32[::1], float64[:, ::1], float64[:, ::1], int64, float64, float64,"
    "float64[::1], float64[::1])",
    nogil=True,
    cache=True,
)
def follow_structure(level, flux, levels, slow, place, frame_rate, hold, state, out):
    """One frame; returns NONE or what begins. `out`: confidence, frames ago that it began, thinness, rise.

    `levels` (frames, 5): ring of low level, level of all (dB), low flux, high flux, 1 where it is of silence.
    `slow` (frames, 2): ring of the slow levels (dB) of the high band and of all, 4 s long.
    `hold`: seconds that a breakdown must last.
    """
    dt = 1.0 / frame_rate
    power = 0.0
    for b in range(3):
        power += 10.0 ** (level[b] / 10.0)
    everything = 10.0 * np.log10(power + 1e-14)
    n = len(levels)
    at = place % n
    levels[at, 0], levels[at, 1], levels[at, 2], levels[at, 3] = level[0], everything, flux[0], flux[2]
    state[HEARD] += 1.0
    heard = min(state[HEARD], float(n))

    # The last 1.6 s, and of them the last 0.6 s.
    low, top, flux_low, flux_high = -140.0, -140.0, 0.0, 0.0
    short = int(0.6 * frame_rate)
    near_low, near_flux_low, near_flux_high = -140.0, 0.0, 0.0
    for k in range(int(heard)):
        i = (at - k) % n
        low = max(low, levels[i, 0])
        top = max(top, levels[i, 1])
        flux_low += levels[i, 2]
        flux_high += levels[i, 3]
        if k < short:
            near_low = max(near_low, levels[i, 0])
            near_flux_low += levels[i, 2]
            near_flux_high += levels[i, 3]
    flux_low /= heard
    flux_high /= heard
    near = min(heard, float(short))
    near_flux_low /= near
    near_flux_high /= near

    began = NONE
    began = follow_silence(everything, dt, state, out)
    if state[SILENT] == 1.0:
        state[THIN_FOR] = state[RISE_FOR] = 0.0
        return began

    # References: what is usual where everybody plays. They rise within a second or two and sink in a minute.
    if state[SLOW_ALL] < -139.0:
        state[SLOW_HIGH], state[SLOW_ALL] = level[2], everything
    state[PLAYED] += 1.0
    least = 1.0 / state[PLAYED] if state[PLAYED] * dt < 6.0 else 0.0  # at first, the plain mean
    follow(state, REF_LOW, max(low, state[REF_LOW] - DEEPEST), max(least, dt / 1.5), max(least, dt / 90.0))
    follow(state, REF_ALL, max(top, state[REF_ALL] - DEEPEST), max(least, dt / 1.5), max(least, dt / 90.0))
    if state[MODE] == FULL or state[PLAYED] * dt < 8.0:  # a roll or a pad is no reference
        follow(state, REF_FLUX_LOW, flux_low, max(least, dt / 6.0), max(least, dt / 30.0))
        follow(state, REF_FLUX_HIGH, flux_high, max(least, dt / 6.0), max(least, dt / 30.0))

    # The engineer's fader takes all bands down alike: half of the common loss is not counted.
    lost = state[REF_LOW] - low - 0.5 * max(0.0, state[REF_ALL] - top)
    missing = lost
    thin = thinness(
        lost, flux_low / max(1e-3, state[REF_FLUX_LOW]), flux_high / max(1e-3, state[REF_FLUX_HIGH])
    )
    lost = state[REF_LOW] - near_low - 0.5 * max(0.0, state[REF_ALL] - top)
    near_thin = thinness(
        lost, near_flux_low / max(1e-3, state[REF_FLUX_LOW]), near_flux_high / max(1e-3, state[REF_FLUX_HIGH])
    )

    # Rise over four seconds of the slow levels, and of the onsets' density since the breakdown began.
    state[SLOW_HIGH] += dt * (max(level[2], everything - 50.0) - state[SLOW_HIGH])
    state[SLOW_ALL] += dt * (everything - state[SLOW_ALL])
    m = len(slow)
    here = place % m
    rise_high = state[SLOW_HIGH] - slow[here, 0]
    rise_all = state[SLOW_ALL] - slow[here, 1]
    slow[here, 0], slow[here, 1] = state[SLOW_HIGH], state[SLOW_ALL]
    denser = flux_high / max(0.02, state[FLUX_THIN])
    rising = (
        0.35 * ramp(rise_high, 2.0, 8.0) + 0.3 * ramp(rise_all, 0.5, 4.0) + 0.35 * ramp(denser, 1.15, 2.0)
    )
    if state[HEARD] < m or state[MODE] == FULL:
        rising = 0.0
    out[2], out[3] = thin, rising
    state[SINCE] += dt

    if began != NONE or state[QUIET_FOR] > 0.0:  # it may be a stop
        return began
    if state[MODE] == FULL:
        state[THIN_FOR] = state[THIN_FOR] + dt if thin > 0.55 else max(0.0, state[THIN_FOR] - 2.0 * dt)
        if state[THIN_FOR] > hold and state[HEARD] * dt > 4.0:
            state[MODE], state[SINCE], state[THIN_FOR], state[RISE_FOR] = THIN, 0.0, 0.0, 0.0
            state[FULL_FOR] = state[BACK_FOR] = state[BASS_GONE] = 0.0
            state[FLUX_THIN] = flux_high
            out[0] = 0.5 + 0.5 * ramp(thin, 0.55, 1.0)
            out[1] = (hold + 1.6) * frame_rate
            return BREAKDOWN
        return NONE
    if state[MODE] == THIN:
        if state[SINCE] < 1.5:
            state[FLUX_THIN] = flux_high  # the window still holds what was before
        else:
            follow(state, FLUX_THIN, flux_high, dt / 12.0, dt / 2.0)
        state[RISE_FOR] = (
            state[RISE_FOR] + dt
            if rising > 0.5 and state[SINCE] > 1.5
            else max(0.0, state[RISE_FOR] - 2.0 * dt)
        )
        if state[RISE_FOR] > 0.6:
            state[MODE] = RISING
            out[0] = 0.5 + 0.5 * ramp(rising, 0.5, 1.0)
            out[1] = 1.5 * frame_rate
            return BUILD_UP
    # The beat comes back: at once where the bass was gone, in half a second where only the drums were. The
    # bass is back where it has its usual share of the whole; a snare roll is loud in the low band, too.
    state[BASS_GONE] = max(state[BASS_GONE], ramp(missing, 3.0, 11.0)) if state[SINCE] > 0.5 else 0.0
    gone = state[BASS_GONE] > 0.6
    loud = level[0] > state[REF_LOW] - 5.0 and level[0] - everything > state[REF_LOW] - state[REF_ALL] - 4.0
    state[BACK_FOR] = state[BACK_FOR] + dt if loud else 0.0
    state[FULL_FOR] = state[FULL_FOR] + dt if near_thin < 0.3 else 0.0
    if state[SINCE] > 0.5 and (state[BACK_FOR] > 0.04 if gone else state[FULL_FOR] > 0.4):
        out[0] = 0.4 + 0.3 * ramp(state[SINCE], 1.0, 6.0) + (0.3 if state[MODE] == RISING else 0.0)
        out[1] = state[BACK_FOR] * frame_rate if gone else 0.6 * frame_rate
        state[MODE], state[SINCE], state[THIN_FOR] = FULL, 0.0, -1.0
        return DROP
    return NONE
