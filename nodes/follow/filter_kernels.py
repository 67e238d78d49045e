"""Kernels of the score follower's filter: belief over position and tempo on a grid.

The belief is a forward filter like the bar-pointer model (Whiteley, Cemgil, Godsill 2006), with a line
instead of a bar: cell (k, j) is tempo `tempi[k]` (seconds of the reference per second) and position
(origin + j) * cell. Only the rectangle that holds mass is computed, so a frame costs what is uncertain.

grid[0] is the belief in those that move, grid[1] scratch. grid[2] and grid[3] hold those that wait and those
that have halted in front of an onset (rubato; a fermata, a breath, a page being turned): mass lies only in
the last cell before an onset, in the row of the tempo to go on with.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Belief.window, whole numbers: cell index of column 0, the live rectangle, and how many onsets lie in it.
ORIGIN, LEFT, RIGHT, SLOW, FAST, STOPS = range(6)
# Belief.state: the estimate, tempo there, log of the slow mean of the tempo, distance and duration that mean
# is made of (leaky sums), mass near the estimate, log of the evidence of this frame, mass that waits and that
# has halted, what the belief is to be multiplied by so that it sums to one (done in passing with the next
# frame); share of the notes that are played softly, and for its next estimate the belief in notes just
# struck, and in soft ones.
POSITION, TEMPO, SLOW_LOG_TEMPO, DISTANCE, DURATION, MASS, EVIDENCE, WAITING, HALTED, SCALE = range(10)
SOFT, STRUCK, STRUCK_SOFTLY = range(10, 13)
STATES = 13
#: Share of the time that may be left out of the slow tempo as waiting: a tempo that is far too fast waits in
#: front of every note, and would otherwise confirm itself.
WAITING_LEFT_OUT = 0.5
#: Columns at either end of the grid that stay free, for the neighbours of the outermost cells.
MARGIN = 4
#: Cells the estimate may go from the first third of the grid before the columns are moved along.
DRIFT = 128


@njit(nogil=True, cache=True)
def place(grid, window, state, tempi, cell, position, width, tempo, spread, settle):  # type: ignore[no-untyped-def]
    """Start afresh: a Gaussian of `width` seconds round `position`, log-normal `spread` round `tempo`.

    settle : seconds that `tempo` weighs in the slow mean of the tempo.
    """
    rows, columns = grid.shape[1], grid.shape[2]
    window[ORIGIN] = int(np.round(position / cell)) - columns // 3
    middle = columns // 3
    radius = min(int(4.0 * width / cell) + 2, middle - MARGIN)
    left, right = middle - radius, middle + radius + 1
    profile = grid[1, 0]
    for j in range(left, right):
        distance = ((window[ORIGIN] + j) * cell - position) / width
        profile[j] = np.exp(-0.5 * distance * distance)
    slow, fast = rows, 0
    total = 0.0
    for k in range(rows):
        off = np.log(tempi[k] / tempo) / spread
        if abs(off) > 3.0:
            continue
        slow, fast = min(slow, k), k + 1
        weight = np.float32(np.exp(-0.5 * off * off))
        for j in range(left, right):
            grid[0, k, j] = weight * profile[j]
            total += grid[0, k, j]
            grid[2, k, j] = 0.0
            grid[3, k, j] = 0.0
    window[LEFT], window[RIGHT], window[SLOW], window[FAST] = left, right, slow, fast
    state[POSITION], state[TEMPO] = position, tempo
    state[SLOW_LOG_TEMPO] = np.log(tempo)
    state[DISTANCE], state[DURATION] = tempo * settle, settle
    state[MASS], state[EVIDENCE], state[SCALE] = 0.0, 0.0, 1.0 / total
    state[WAITING], state[HALTED] = 0.0, 0.0


@njit(nogil=True, cache=True)
def recentre(grid, window, state, cell):  # type: ignore[no-untyped-def]
    """Move the live rectangle along once the estimate has gone DRIFT cells from the first third."""
    columns = grid.shape[2]
    off = int(np.round(state[POSITION] / cell)) - window[ORIGIN] - columns // 3
    if abs(off) <= DRIFT:
        return
    left = max(window[LEFT], MARGIN + off)
    right = min(window[RIGHT], columns - MARGIN + off)
    if right <= left:
        left, right = window[LEFT], window[LEFT]
    for layer in (0, 2, 3):
        for k in range(window[SLOW], window[FAST]):
            row = grid[layer, k]
            if off > 0:
                for j in range(left, right):
                    row[j - off] = row[j]
            else:
                for j in range(right - 1, left - 1, -1):
                    row[j - off] = row[j]
    window[ORIGIN] += off
    window[LEFT] = min(max(left - off, MARGIN), columns - MARGIN - 1)
    window[RIGHT] = max(right - off, window[LEFT] + 1)


@njit(nogil=True, cache=True)
def advance(grid, window, state, tempi, cell, seconds, walk, pull, jitter):  # type: ignore[no-untyped-def]
    """Move every cell on by its tempo and let tempo and position wander.

    walk : chance per frame to change to either neighbouring tempo; pull : 1/s, strength of the return to the
    slow mean of the tempo; jitter : chance per frame to slip one cell either way.
    """
    belief, moved = grid[0], grid[1]
    rows, columns = belief.shape
    left, right = window[LEFT], window[RIGHT]
    slow, fast = window[SLOW], window[FAST]
    low, high = max(slow - 1, 0), min(fast + 1, rows)
    far = min(columns - MARGIN, right + int(np.ceil(tempi[fast - 1] * seconds / cell)) + 2)
    for k in range(low, high):
        moved[k, left:far] = 0.0
        if k < slow or k >= fast:
            continue
        belief[k, left - 3 : left] = 0.0
        belief[k, right : right + 3] = 0.0
        step = tempi[k] * seconds / cell
        whole = int(np.floor(step))
        part = step - whole
        # Moving on by a part of a cell and slipping by one, in one go: where a cell's mass comes from.
        ahead = np.float32(jitter * (1.0 - part))
        same = np.float32((1.0 - 2.0 * jitter) * (1.0 - part) + jitter * part)
        behind = np.float32((1.0 - 2.0 * jitter) * part + jitter * (1.0 - part))
        last = np.float32(jitter * part)
        begin = max(left + whole - 1, left)
        stop = min(right + whole + 2, far)
        count = stop - begin
        if count <= 0:
            continue
        source = belief[k, begin - whole - 2 :]
        target = moved[k, begin:stop]
        for j in range(count):
            target[j] = (
                last * source[j] + behind * source[j + 1] + same * source[j + 2] + ahead * source[j + 3]
            )
    centre = (state[SLOW_LOG_TEMPO] - np.log(tempi[0])) / np.log(tempi[1] / tempi[0])
    gain = 0.5 * pull * seconds
    for k in range(low, high):
        below, above = max(k - 1, low), min(k + 1, high - 1)
        up = np.float32(walk + min(max(gain * (centre - below), -0.9 * walk), 0.9 * walk))
        here = min(max(gain * (centre - k), -0.9 * walk), 0.9 * walk)
        down = np.float32(walk - min(max(gain * (centre - above), -0.9 * walk), 0.9 * walk))
        stay = np.float32(1.0 - 2.0 * walk)
        if k == low:
            up = np.float32(0.0)
            stay += np.float32(walk - here)
        if k == high - 1:
            down = np.float32(0.0)
            stay += np.float32(walk + here)
        target = belief[k, left:far]
        own, slower, faster = moved[k, left:far], moved[below, left:far], moved[above, left:far]
        for j in range(far - left):
            target[j] = stay * own[j] + up * slower[j] + down * faster[j]
        fresh = left if k < slow or k >= fast else right
        grid[2, k, fresh:far] = 0.0
        grid[3, k, fresh:far] = 0.0
    window[RIGHT], window[SLOW], window[FAST] = far, low, high


@njit(nogil=True, cache=True)
def wait(  # type: ignore[no-untyped-def]
    grid, window, tempi, cell, seconds, time, is_onset, enter, leave, linger, resume, stops
):
    """Stop some of what has just come to an onset in front of it, and let some that waits go on.

    enter : chance to wait at an onset; leave : chance per frame to play it then; linger : chance per frame of
    waiting to halt; resume : chance per frame to end that; stops : the columns where something may wait,
    filled, as many as window[STOPS] says.
    """
    moving, waiting, halted = grid[0], grid[2], grid[3]
    left, right = window[LEFT], window[RIGHT]
    slow, fast = window[SLOW], window[FAST]
    origin = window[ORIGIN]
    share = np.float32(enter)
    go = np.float32(leave)
    begin = np.searchsorted(time, (origin + left) * cell)
    last = np.searchsorted(time, (origin + right) * cell)
    count = 0
    for e in range(begin, last):
        if not is_onset[e]:
            continue
        a = int(np.ceil(time[e] / cell)) - origin
        if a <= left or a >= right:
            continue
        if count == 0 or stops[count - 1] < a - 1:
            stops[count] = a - 1
            count += 1
        for k in range(slow, fast):
            step = tempi[k] * seconds / cell
            whole = int(np.floor(step))
            held = np.float32(0.0)
            for j in range(a, min(a + whole, right)):
                part = share * moving[k, j]
                moving[k, j] -= part
                held += part
            if a + whole < right:
                part = share * np.float32(step - whole) * moving[k, a + whole]
                moving[k, a + whole] -= part
                held += part
            gone = go * waiting[k, a - 1]
            slower = np.float32(linger) * waiting[k, a - 1]
            late = np.float32(resume) * halted[k, a - 1]
            waiting[k, a - 1] += held - gone - slower
            halted[k, a - 1] += slower - late
            moving[k, a] += gone + late
    window[STOPS] = count


@njit(nogil=True, cache=True)
def weigh(  # type: ignore[no-untyped-def]
    grid,
    window,
    state,
    tempi,
    cell,
    seconds,
    time,
    is_onset,
    flux_of,
    power_of,
    pitches_of,
    response,
    flux,
    pitches,
    sharpness,
    floor,
    tolerance,
    softness,
    miss,
    pitch_weight,
    pitch_delay,
    stops,
    factors,
    column,
):
    """Multiply the belief by the likelihood of what is heard, and add it up by columns into `column`.

    Onsets: the flux is a template times `response[lag]` (frames since the note) plus an error whose power
    grows with what is heard and expected; the log-likelihood is
    -sharpness * |flux - expected|^2 / (floor + tolerance / 2 * (|flux|^2 + |expected|^2)), less the same for
    nothing expected, but at least `miss`. A share state[SOFT] of the notes is played softly: with `softness`
    times the flux of the template.
    Pitches: exp(pitch_weight * (cosine - 1)), heard `pitch_delay` seconds late.
    """
    belief, waiting, halted = grid[0], grid[2], grid[3]
    left, right = window[LEFT], window[RIGHT]
    slow, fast = window[SLOW], window[FAST]
    origin = window[ORIGIN]
    events = time.shape[0]
    heard = 0.0
    for b in range(flux.shape[0]):
        heard += flux[b] * flux[b]
    begin = (origin + left) * cell
    nothing = -sharpness * heard / (floor + 0.5 * tolerance * heard)
    lags = response.shape[0]
    share = state[SOFT]
    struck, struck_softly = 0.0, 0.0
    last = min(np.searchsorted(time, (origin + right) * cell), events)
    for e in range(np.searchsorted(time, begin - tempi[fast - 1] * seconds * lags), last):
        if not is_onset[e]:
            continue
        common = 0.0
        for b in range(flux.shape[0]):
            common += flux[b] * flux_of[e, b]
        for lag in range(lags):
            factor, part = np.float32(0.0), np.float32(0.0)
            for scale, chance in ((response[lag], 1.0 - share), (softness * response[lag], share)):
                expected = scale * scale * power_of[e]
                error = heard - 2.0 * scale * common + expected
                gain = -sharpness * error / (floor + 0.5 * tolerance * (heard + expected)) - nothing
                part = np.float32(
                    chance * np.exp(min(max(gain, miss), 20.0))
                )  # at last that of the soft ones
                factor += part
            mass = np.float32(0.0)
            for k in range(slow, fast):
                width = tempi[k] * seconds
                a = max(int(np.ceil((time[e] + width * lag) / cell)) - origin, left)
                b = min(int(np.ceil((time[e] + width * (lag + 1)) / cell)) - origin, right)
                for j in range(a, b):
                    belief[k, j] *= factor
                    mass += belief[k, j]
            struck += mass
            struck_softly += mass * part / factor
    state[STRUCK], state[STRUCK_SOFTLY] = state[SCALE] * struck, state[SCALE] * struck_softly
    length = 0.0
    for b in range(pitches.shape[0]):
        length += pitches[b] * pitches[b]
    length = np.sqrt(length) + 1e-9
    late = state[TEMPO] * pitch_delay
    first = np.searchsorted(time, begin - late) - 1
    last = np.searchsorted(time, (origin + right) * cell)
    j = left
    for e in range(first, min(last, events - 1) + 1):
        if e < 0:
            factor = np.exp(-0.5 * pitch_weight)
        else:
            cosine = 0.0
            for b in range(pitches.shape[0]):
                cosine += pitches[b] * pitches_of[e, b]
            factor = np.exp(pitch_weight * (cosine / length - 1.0))
        stop = right
        if e + 1 < events:
            stop = min(max(int(np.ceil((time[e + 1] + late) / cell)) - origin, left), right)
        factors[j:stop] = np.float32(state[SCALE] * factor)
        j = max(j, stop)
    factor_of, total = factors[left:right], column[left:right]
    total[:] = 0.0
    for k in range(slow, fast):
        row = belief[k, left:right]
        for j in range(right - left):
            row[j] *= factor_of[j]
            total[j] += row[j]
    stopped, halt = 0.0, 0.0
    for i in range(window[STOPS]):
        j = stops[i]
        part, late = np.float32(0.0), np.float32(0.0)
        for k in range(slow, fast):
            waiting[k, j] *= factors[j]
            halted[k, j] *= factors[j]
            part += waiting[k, j]
            late += halted[k, j]
        column[j] += part + late
        stopped += part
        halt += late
    state[WAITING], state[HALTED] = stopped, halt


@njit(nogil=True, cache=True)
def read(  # type: ignore[no-untyped-def]
    grid, window, state, tempi, cell, seconds, reach, memory, prune, soft_rate, soft_shares, stops, column
):
    """Shrink the rectangle; read position (local mean round the mode), tempo, mass and share of soft notes.

    reach : seconds either side of the mode that are averaged; memory : seconds of the slow tempo mean;
    prune : mass below which an edge row or column is dropped; soft_rate : weight of a frame in which a note
    is struck in the share of soft ones; soft_shares : its least and most; column : the belief added up by
    columns.
    False: nothing is left of the belief.
    """
    left, right = window[LEFT], window[RIGHT]
    slow, fast = window[SLOW], window[FAST]
    total = 0.0
    for j in range(left, right):
        total += column[j]
    if not total > 1e-30:
        state[EVIDENCE] = -70.0
        return False
    state[EVIDENCE] = np.log(total)
    if state[STRUCK] > 0.0:
        sure = min(1.0, state[STRUCK] / total)
        state[SOFT] += soft_rate * sure * (state[STRUCK_SOFTLY] / state[STRUCK] - state[SOFT])
        state[SOFT] = min(max(state[SOFT], soft_shares[0]), soft_shares[1])
    state[SCALE] = 1.0 / total
    radius = max(1, int(reach * state[TEMPO] / cell))
    best = -1.0
    mode = left
    mass = 0.0
    for j in range(left, right + radius):
        if j < right:
            mass += column[j]
        if j - 2 * radius - 1 >= left:
            mass -= column[j - 2 * radius - 1]
        if mass > best:
            best = mass
            mode = j - radius
    low, high = max(left, mode - radius), min(right, mode + radius + 1)
    mass = 1e-300
    moment = 0.0
    for j in range(low, high):
        mass += column[j]
        moment += column[j] * j
    earlier = state[POSITION]
    state[POSITION] = (window[ORIGIN] + moment / mass) * cell
    state[MASS] = mass / total
    moment = 0.0
    weight = 1e-300
    for k in range(slow, fast):
        part = _mass(grid, stops[: window[STOPS]], k, low, high)
        weight += part
        moment += part * np.log(tempi[k])
    state[TEMPO] = np.exp(moment / weight)
    # The slow tempo is distance over time, not the mean of the tempo belief: between two notes that belief
    # leans to the slow side, because what would already have played the next note has been ruled out.
    keep = np.exp(-seconds / memory)
    moved = state[POSITION] - earlier
    if abs(moved) < 1.0:
        state[DISTANCE] = keep * state[DISTANCE] + moved
        left_out = min(state[WAITING] / total, WAITING_LEFT_OUT) + state[HALTED] / total
        state[DURATION] = keep * state[DURATION] + seconds * (1.0 - min(left_out, 1.0))
        ratio = max(state[DISTANCE], 1e-3) / state[DURATION]
        state[SLOW_LOG_TEMPO] = np.log(min(max(ratio, tempi[0]), tempi[-1]))
    least = prune * total
    while left < right - 1 and column[left] < least:
        left += 1
    while right > left + 1 and column[right - 1] < least:
        right -= 1
    while slow < fast - 1 and _mass(grid, stops[: window[STOPS]], slow, left, right) < least:
        slow += 1
    while fast > slow + 1 and _mass(grid, stops[: window[STOPS]], fast - 1, left, right) < least:
        fast -= 1
    window[LEFT], window[RIGHT], window[SLOW], window[FAST] = left, right, slow, fast
    return True


@njit("UniTuple(float64, 2)(float64, float64[::1], float64[::1])", nogil=True, cache=True)
def straight(x, xs, ys):  # type: ignore[no-untyped-def]
    """Value and slope at `x` of the straight lines through (xs, ys), going on with slope 1 beyond them."""
    k = np.searchsorted(xs, x, "right")
    if k == 0:
        return ys[0] + x - xs[0], 1.0
    if k == len(xs):
        return ys[-1] + x - xs[-1], 1.0
    slope = (ys[k] - ys[k - 1]) / (xs[k] - xs[k - 1])
    return ys[k - 1] + slope * (x - xs[k - 1]), slope


@njit(nogil=True, cache=True)
def _mass(grid, stops, k, left, right):  # type: ignore[no-untyped-def]
    """Of row `k` in columns [left, right), waiting or not."""
    mass = 0.0
    for j in range(left, right):
        mass += grid[0, k, j]
    for i in range(stops.shape[0]):
        if left <= stops[i] < right:
            mass += grid[2, k, stops[i]] + grid[3, k, stops[i]]
    return mass
