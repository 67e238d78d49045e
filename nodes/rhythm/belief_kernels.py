"""Kernels of the tempo and phase belief: a bar-pointer filter in which nothing moves.

Every tempo is a ring of `period` cells, one per tick; the probability that the
next beat falls k ticks ahead lies in the cell k places after the ring's
pointer. Time passes by moving the pointers, so that a frame touches only the
cells around the beat: the mass that arrives there changes tempo, and the
evidence multiplies the few cells near it (every other cell gets the neutral
factor 1). After Whiteley, Cemgil and Godsill (ISMIR 2006) and Krebs, Boeck and
Widmer (ISMIR 2015), as a causal forward filter.
"""

from __future__ import annotations

import numba as nb
import numpy as np

FAST = {"reassoc", "contract"}
TICKS = 4  # a spectral frame
HALF_WINDOW = 8  # ticks
SEPARATION = 0.5  # periods


@nb.njit(nogil=True, cache=True)
def advance(
    cells, offset, period, pointer, arrivals, moved, spread, restart, pull, slower, faster, jumps, mass
):  # type: ignore[no-untyped-def]
    """One tick: the mass that arrives at the beat is spread over neighbouring tempi.

    `jumps`: shares that go to half or double the tempo (`slower`, `faster`: that tempo's place, or its
    own) and
    that turn round by half a beat. `spread` (2 B + 1,) weights of a tempo change by -B..B places;
    `restart` (tempi,) the share of all
    arriving mass that starts afresh at each tempo, `pull` (tempi,)
    what a beat at that tempo is multiplied with. `mass` (tempi,) is kept up to date.
    """
    tempi = len(period)
    reach = len(spread) // 2
    total = np.float32(0.0)
    for i in range(tempi):
        p = pointer[i] + 1
        if p == period[i]:
            p = 0
        pointer[i] = p
        arriving = cells[offset[i] + p]
        arrivals[i + reach] = arriving
        total += arriving
    for i in range(tempi):
        moved[i] = restart[i] * total
    for d in range(2 * reach + 1):
        weight, shifted = spread[d], arrivals[d:]
        for i in range(tempi):
            moved[i] += weight * shifted[i]
    middle = arrivals[reach:]
    for i in range(tempi):
        arriving = middle[i]
        moved[slower[i]] += jumps[0] * arriving
        moved[faster[i]] += jumps[0] * arriving
    for i in range(tempi):
        staying = moved[i] * pull[i]
        turned = jumps[1] * staying
        mass[i] += staying - middle[i]
        cells[offset[i] + pointer[i]] = staying - turned
        across = pointer[i] + period[i] // 2
        cells[offset[i] + (across if across < period[i] else across - period[i])] += turned


@nb.njit(nogil=True, cache=True, fastmath=FAST)
def observe(cells, offset, period, pointer, band, on_beats, off_beats, mass):  # type: ignore[no-untyped-def]
    """Multiply the cells around the beat by `on_beats` and those around the half beat by `off_beats`.

    Both (tempo bands, 2 Z + 1), for -Z..Z ticks; `band` (tempi,) is each tempo's row.
    Returns the total mass, which the caller divides out when it leaves a comfortable range.
    """
    zone = on_beats.shape[1] // 2
    total = np.float32(0.0)
    for i in range(len(period)):
        base, turn = offset[i], period[i]
        gained = np.float32(0.0)
        for place in range(2):
            factor = on_beats[band[i]] if place == 0 else off_beats[band[i]]
            start = pointer[i] - zone + place * (turn // 2)
            if start >= turn:
                start -= turn
            if start >= 0 and start + 2 * zone < turn:
                near = cells[base + start : base + start + 2 * zone + 1]  # a slice: indices from 0 vectorise
                for k in range(2 * zone + 1):
                    old = near[k]
                    new = old * factor[k]
                    near[k] = new
                    gained += new - old
            else:
                for k in range(2 * zone + 1):
                    cell = start + k
                    if cell < 0:
                        cell += turn
                    elif cell >= turn:
                        cell -= turn
                    old = cells[base + cell]
                    new = old * factor[k]
                    cells[base + cell] = new
                    gained += new - old
        mass[i] = max(mass[i] + gained, np.float32(0.0))
        total += mass[i]
    return total


@nb.njit(nogil=True, cache=True)
def regrid(cells, offset, period, pointer, mass, target, later, spare):  # type: ignore[no-untyped-def]
    """All mass of tempo i goes to tempo `target[i]` (-1: is lost), its next beat `later` old periods later.

    Returns the mass that is left. `spare`: scratch as large as `cells`.
    """
    spare[:] = 0.0
    for i in range(len(period)):
        mass[i] = 0.0
    total = np.float32(0.0)
    for i in range(len(period)):
        j = target[i]
        if j < 0:
            continue
        turn, place = period[i], pointer[i]
        for k in range(turn):
            at = place + k
            held = cells[offset[i] + (at if at < turn else at - turn)]
            to = (pointer[j] + k + later * turn) % period[j]
            spare[offset[j] + to] += held
            mass[j] += held
            total += held
    cells[:] = spare
    return total


@nb.njit(nogil=True, cache=True)
def favour(cells, offset, period, pointer, mass, ahead, turn, octaves, share, rest):  # type: ignore[no-untyped-def]
    """Multiply by `rest` all but the cells of one pulse. Returns the mass that is left.

    Its next beat is `ahead` ticks from now, give or take `share` of a period, and its tempo within `octaves`
    of the period `turn`.
    """
    total = np.float32(0.0)
    for i in range(len(period)):
        near = abs(np.log2(period[i] / turn)) <= octaves
        width = share * period[i]
        own = np.float32(0.0)
        for k in range(period[i]):
            at = pointer[i] + k
            cell = offset[i] + (at if at < period[i] else at - period[i])
            away = abs(k - ahead)
            if not (near and (away <= width or period[i] - away <= width)):
                cells[cell] *= rest
            own += cells[cell]
        mass[i] = own
        total += own
    return total


@nb.njit(nogil=True, cache=True, fastmath=FAST)
def rescale(cells, mass, offset, period, total):  # type: ignore[no-untyped-def]
    """Divide everything by the total mass; sums are taken afresh so that rounding does not add up."""
    again = np.float32(0.0)
    for i in range(len(period)):
        own = np.float32(0.0)
        ring = cells[offset[i] : offset[i] + period[i]]
        for k in range(len(ring)):
            ring[k] /= total
            own += ring[k]
        mass[i] = own
        again += own
    return again


@nb.njit(nogil=True, cache=True)
def next_beat_density(cells, offset, period, pointer, mass, least, density):  # type: ignore[no-untyped-def]
    """density[k]: probability that the next beat falls k ticks ahead; tempi with less mass than `least`
    are left out."""
    density[:] = 0.0
    for i in range(len(period)):
        if mass[i] < least:
            continue
        middle = offset[i] + pointer[i]
        ahead, behind = cells[middle : offset[i] + period[i]], cells[offset[i] : middle]
        for k in range(len(ahead)):
            density[k] += ahead[k]
        later = density[len(ahead) :]
        for k in range(len(behind)):
            later[k] += behind[k]


@nb.njit(nogil=True, cache=True)
def window_peak(density, half, first, last):  # type: ignore[no-untyped-def]
    """The place in [first, last) around which `density`, within +-half ticks, holds most, that much,
    and its centroid."""
    size = len(density)
    total = np.float32(0.0)
    best, place = np.float32(-1.0), first
    for k in range(max(0, first - half), min(size, first + half)):
        total += density[k]
    for k in range(first, last):
        if k + half < size:
            total += density[k + half]
        if k - half - 1 >= 0:
            total -= density[k - half - 1]
        if total > best:
            best, place = total, k
    weight, moment = np.float32(0.0), np.float32(0.0)
    for k in range(max(0, place - half), min(size, place + half + 1)):
        weight += density[k]
        moment += density[k] * np.float32(k - place)
    centre = np.float32(place)
    if weight > 1e-9:
        centre += moment / weight
    return place, best, centre


@nb.njit(nogil=True, cache=True)
def belief_step(  # type: ignore[no-untyped-def]
    logits,
    table,
    band,
    cells,
    offset,
    period,
    pointer,
    spread,
    restart,
    pull,
    slower,
    faster,
    jumps,
    mass,
    density,
    scratch,
    clock,
    out,
):
    """Two frames: time passes, evidence is taken in, the next beat is looked for. See `belief.Belief`."""
    tempi = len(period)
    reach = len(spread) // 2
    bands, zone = table.shape[2], table.shape[3]
    arrivals = scratch[: tempi + 2 * reach]
    moved = scratch[tempi + 2 * reach : 2 * tempi + 2 * reach]
    factors = scratch[2 * (tempi + reach) : 2 * (tempi + reach + bands * zone)].reshape(2, bands, zone)
    on_beats, off_beats = factors[0], factors[1]
    for i in range(reach):
        arrivals[i] = 0.0
        arrivals[tempi + reach + i] = 0.0
    bins_a_unit = np.float32((len(table) - 1) / 11)  # logits from -9 to 2
    total = np.float32(1.0)
    for frame in range(2):
        for _ in range(TICKS):
            advance(
                cells,
                offset,
                period,
                pointer,
                arrivals,
                moved,
                spread,
                restart,
                pull,
                slower,
                faster,
                jumps,
                mass,
            )
        at = (min(np.float32(1.9), max(np.float32(-8.9), logits[frame])) + np.float32(9.0)) * bins_a_unit
        low = int(at)
        part = at - np.float32(low)
        below, above = table[low], table[low + 1]
        for row in range(bands):
            for k in range(zone):
                on_beats[row, k] = below[0, row, k] * (1 - part) + above[0, row, k] * part
                off_beats[row, k] = below[1, row, k] * (1 - part) + above[1, row, k] * part
        total = observe(cells, offset, period, pointer, band, on_beats, off_beats, mass)
    clock[0] += 2 * TICKS
    if total < 1e-4 or total > 1e4 or clock[0] % 512 == 0:
        total = rescale(cells, mass, offset, period, total)
    next_beat_density(cells, offset, period, pointer, mass, np.float32(0.002) * total, density)
    best = 0
    for i in range(tempi):
        if mass[i] > mass[best]:
            best = i
    # The mean of the tempi around the best: finer than the grid.
    weight, moment = np.float32(0.0), np.float32(0.0)
    for i in range(max(0, best - 2), min(tempi, best + 3)):
        weight += mass[i]
        moment += mass[i] * np.float32(period[i])
    turn = moment / max(weight, np.float32(1e-20))
    first = int(max(0.0, clock[1] + SEPARATION * turn - clock[0]))
    longest = len(density) - 1
    if first >= longest - 2:
        first = 0
    _, share, centre = window_peak(density, HALF_WINDOW, first, min(longest, first + int(1.25 * turn)))
    out[0] = centre
    out[1] = share / total
    out[2] = turn
    out[3] = 1.0 / (1.0 + np.exp(-max(logits[0], logits[1])))
