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

# Belief.window, whole numbers: cell index of column 0, then the live rectangle.
ORIGIN, LEFT, RIGHT, SLOW, FAST = range(5)
# Belief.state: the estimate, tempo there, log of the slow mean of the tempo, distance and duration that mean
# is made of (leaky sums), mass near the estimate, log of the evidence of this frame, share that waits.
POSITION, TEMPO, SLOW_LOG_TEMPO, DISTANCE, DURATION, MASS, EVIDENCE, WAITING = range(8)


@njit(nogil=True, cache=True)
def place(grid, window, state, tempi, cell, position, width, tempo, spread, settle):  # type: ignore[no-untyped-def]
    """Start afresh: a Gaussian of `width` seconds round `position`, log-normal `spread` round `tempo`.

    settle : seconds that `tempo` weighs in the slow mean of the tempo.
    """
    rows, columns = grid.shape[1], grid.shape[2]
    window[ORIGIN] = int(np.round(position / cell)) - columns // 3
    middle = columns // 3
    radius = min(int(4.0 * width / cell) + 2, middle)
    left, right = middle - radius, middle + radius + 1
    profile = grid[1, 0]
    for j in range(left, right):
        distance = ((window[ORIGIN] + j) * cell - position) / width
        profile[j] = np.exp(-0.5 * distance * distance)
    slow, fast = rows, 0
    for k in range(rows):
        off = np.log(tempi[k] / tempo) / spread
        if abs(off) > 3.0:
            continue
        slow, fast = min(slow, k), k + 1
        weight = np.float32(np.exp(-0.5 * off * off))
        for j in range(left, right):
            grid[0, k, j] = weight * profile[j]
            grid[2, k, j] = 0.0
            grid[3, k, j] = 0.0
    window[LEFT], window[RIGHT], window[SLOW], window[FAST] = left, right, slow, fast
    state[POSITION], state[TEMPO] = position, tempo
    state[SLOW_LOG_TEMPO] = np.log(tempo)
    state[DISTANCE], state[DURATION] = tempo * settle, settle
    state[MASS], state[EVIDENCE], state[WAITING] = 0.0, 0.0, 0.0


@njit(nogil=True, cache=True)
def recentre(grid, window, state, cell):  # type: ignore[no-untyped-def]
    """Move the columns along once the estimate has gone 64 cells from the first third."""
    rows, columns = grid.shape[1], grid.shape[2]
    off = int(np.round(state[POSITION] / cell)) - window[ORIGIN] - columns // 3
    if abs(off) <= 64:
        return
    for layer in (0, 2, 3):
        belief = grid[layer]
        for k in range(rows):
            if off > 0:
                for j in range(columns - off):
                    belief[k, j] = belief[k, j + off]
                for j in range(max(0, columns - off), columns):
                    belief[k, j] = 0.0
            else:
                for j in range(columns - 1, -off - 1, -1):
                    belief[k, j] = belief[k, j + off]
                for j in range(min(-off, columns)):
                    belief[k, j] = 0.0
    window[ORIGIN] += off
    window[LEFT] = min(max(window[LEFT] - off, 0), columns - 1)
    window[RIGHT] = max(min(window[RIGHT] - off, columns), window[LEFT] + 1)


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
    far = min(columns, right + int(np.ceil(tempi[fast - 1] * seconds / cell)) + 2)
    for k in range(low, high):
        if k < slow or k >= fast:
            for j in range(left, far):
                moved[k, j] = 0.0
            continue
        step = tempi[k] * seconds / cell
        whole = int(np.floor(step))
        part = np.float32(step - whole)
        rest = np.float32(1.0) - part
        for j in range(left, min(far, left + whole + 1)):
            moved[k, j] = 0.0
        if left + whole < far:
            moved[k, left + whole] = rest * belief[k, left]
        for j in range(left + whole + 1, far):
            source = belief[k, j - whole] if j - whole < right else np.float32(0.0)
            behind = belief[k, j - whole - 1] if j - whole - 1 < right else np.float32(0.0)
            moved[k, j] = rest * source + part * behind
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
        for j in range(left, far):
            belief[k, j] = stay * moved[k, j] + up * moved[below, j] + down * moved[above, j]
    side = np.float32(jitter)
    keep = np.float32(1.0 - 2.0 * jitter)
    for k in range(low, high):
        last = np.float32(0.0)
        for j in range(left, far):
            now = belief[k, j]
            after = belief[k, j + 1] if j + 1 < far else np.float32(0.0)
            belief[k, j] = keep * now + side * (last + after)
            last = now
    for k in range(low, high):
        fresh = left if k < slow or k >= fast else right
        for j in range(fresh, far):
            grid[2, k, j] = 0.0
            grid[3, k, j] = 0.0
    window[RIGHT], window[SLOW], window[FAST] = far, low, high


@njit(nogil=True, cache=True)
def wait(grid, window, tempi, cell, seconds, time, is_onset, enter, leave, linger, resume):  # type: ignore[no-untyped-def]
    """Stop some of what has just come to an onset in front of it, and let some that waits go on.

    enter : chance to wait at an onset; leave : chance per frame to play it then; linger : chance per frame of
    waiting to halt; resume : chance per frame to end that.
    """
    moving, waiting, halted = grid[0], grid[2], grid[3]
    left, right = window[LEFT], window[RIGHT]
    slow, fast = window[SLOW], window[FAST]
    origin = window[ORIGIN]
    share = np.float32(enter)
    go = np.float32(leave)
    begin = np.searchsorted(time, (origin + left) * cell)
    last = np.searchsorted(time, (origin + right) * cell)
    for e in range(begin, last):
        if not is_onset[e]:
            continue
        a = int(np.ceil(time[e] / cell)) - origin
        if a <= left or a >= right:
            continue
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
    miss,
    pitch_weight,
    pitch_delay,
    column,
):
    """Multiply the belief by the likelihood of what is heard.

    Onsets: the flux is a template times `response[lag]` (frames since the note) plus an error whose power
    grows with what is heard and expected; the log-likelihood is
    -sharpness * |flux - expected|^2 / (floor + tolerance / 2 * (|flux|^2 + |expected|^2)), less the same for
    nothing expected, but at least `miss`.
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
    length = 0.0
    for b in range(pitches.shape[0]):
        length += pitches[b] * pitches[b]
    length = np.sqrt(length) + 1e-9
    begin = (origin + left) * cell
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
        while j < stop:
            column[j] = factor
            j += 1
    for k in range(slow, fast):
        for j in range(left, right):
            belief[k, j] *= column[j]
            waiting[k, j] *= column[j]
            halted[k, j] *= column[j]
    nothing = -sharpness * heard / (floor + 0.5 * tolerance * heard)
    lags = response.shape[0]
    first = max(np.searchsorted(time, begin - tempi[fast - 1] * seconds * lags), 0)
    for e in range(first, min(last, events)):
        if not is_onset[e]:
            continue
        common = 0.0
        for b in range(flux.shape[0]):
            common += flux[b] * flux_of[e, b]
        for lag in range(lags):
            scale = response[lag]
            expected = scale * scale * power_of[e]
            error = heard - 2.0 * scale * common + expected
            gain = -sharpness * error / (floor + 0.5 * tolerance * (heard + expected)) - nothing
            factor = np.float32(np.exp(min(max(gain, miss), 20.0)))
            for k in range(slow, fast):
                width = tempi[k] * seconds
                a = max(int(np.ceil((time[e] + width * lag) / cell)) - origin, left)
                b = min(int(np.ceil((time[e] + width * (lag + 1)) / cell)) - origin, right)
                for j in range(a, b):
                    belief[k, j] *= factor


@njit(nogil=True, cache=True)
def read(grid, window, state, tempi, cell, seconds, reach, memory, prune, column):  # type: ignore[no-untyped-def]
    """Normalise, shrink the rectangle, and read position (local mean round the mode), tempo and mass.

    reach : seconds either side of the mode that are averaged; memory : seconds of the slow tempo mean;
    prune : mass below which an edge row or column is dropped. False: nothing is left of the belief.
    """
    belief, waiting, halted = grid[0], grid[2], grid[3]
    left, right = window[LEFT], window[RIGHT]
    slow, fast = window[SLOW], window[FAST]
    stopped = 0.0
    for j in range(left, right):
        column[j] = 0.0
    for k in range(slow, fast):
        for j in range(left, right):
            column[j] += belief[k, j] + waiting[k, j] + halted[k, j]
            stopped += waiting[k, j] + halted[k, j]
    total = 0.0
    for j in range(left, right):
        total += column[j]
    if not total > 1e-30:
        state[EVIDENCE] = -70.0
        return False
    state[EVIDENCE] = np.log(total)
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
    state[WAITING] = stopped / total
    weight = 1e-300
    moment = 0.0
    for k in range(slow, fast):
        part = 0.0
        for j in range(low, high):
            part += belief[k, j] + waiting[k, j] + halted[k, j]
        weight += part
        moment += part * np.log(tempi[k])
    state[TEMPO] = np.exp(moment / weight)
    # The slow tempo is distance over time, not the mean of the tempo belief: between two notes that belief
    # leans to the slow side, because what would already have played the next note has been ruled out.
    keep = np.exp(-seconds / memory)
    moved = state[POSITION] - earlier
    if abs(moved) < 1.0:
        state[DISTANCE] = keep * state[DISTANCE] + moved
        state[DURATION] = keep * state[DURATION] + seconds * (1.0 - state[WAITING])
        ratio = max(state[DISTANCE], 1e-3) / state[DURATION]
        state[SLOW_LOG_TEMPO] = np.log(min(max(ratio, tempi[0]), tempi[-1]))
    least = prune * total
    while left < right - 1 and column[left] < least:
        left += 1
    while right > left + 1 and column[right - 1] < least:
        right -= 1
    while slow < fast - 1:
        part = 0.0
        for j in range(left, right):
            part += belief[slow, j] + waiting[slow, j] + halted[slow, j]
        if part >= least:
            break
        slow += 1
    while fast > slow + 1:
        part = 0.0
        for j in range(left, right):
            part += belief[fast - 1, j] + waiting[fast - 1, j] + halted[fast - 1, j]
        if part >= least:
            break
        fast -= 1
    inverse = np.float32(1.0 / total)
    for k in range(slow, fast):
        for j in range(left, right):
            belief[k, j] *= inverse
            waiting[k, j] *= inverse
            halted[k, j] *= inverse
    window[LEFT], window[RIGHT], window[SLOW], window[FAST] = left, right, slow, fast
    return True
