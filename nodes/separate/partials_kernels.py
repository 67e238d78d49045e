"""Kernels of `nodes.separate.part_sounds`: the notes of a score as partials in one frame of sound.

Sounding notes are the rows of `notes` (most, 2): part and MIDI pitch. Frequencies are in bins.
"""

from __future__ import annotations

import numba as nb
import numpy as np

REACH = 2  # bins on each side of its own that the main lobe of a partial reaches
#: Cents: how far a note may be from where it is written, and from where it was a frame ago; step of search.
FAR, NEAR, STEP = 60.0, 16.0, 4.0
STAY = 2.0  # share of the salience that a note 100 cents from where it is expected would lose
HEARD_PARTIALS, DAMPING = 15, -0.25  # what the pitch is heard by: so many, weighted with number ** DAMPING
SLIDE = 0.002  # per frame, of the tuning of a part towards its notes
STIFFNESS = 2.0  # of a partial towards what its part sounds like, against the sound of this frame (about 2)
FLOOR = 0.01  # of the mean magnitude: what no note explains
LEARN, LEARN_ALL = 0.05, 0.015  # per frame, of one pitch of a part and of all
SETTLED = 20.0  # frames after which a pitch is known as well as its part
AWAY = 20  # frames after which a note is sought afresh


@nb.njit(
    "int64(float64[::1], float64[::1], int64[::1], int64[::1], float64, float64, float64, int64[:, ::1])",
    nogil=True,
    cache=True,
)
def sounding(onset, end, part, pitch, here, before, after, notes):
    """Fill `notes` with what the score lets sound at `here` (s), and `before` early and `after` late.

    onset, end (s), part, pitch: (all notes,). Returns the number; each part has a pitch once.
    """
    count = 0
    for n in range(len(onset)):
        if onset[n] > here + before:
            break
        if end[n] < here - after or count == len(notes):
            continue
        known = False
        for row in range(count):
            known |= notes[row, 0] == part[n] and notes[row, 1] == pitch[n]
        if not known:
            notes[count, 0], notes[count, 1] = part[n], pitch[n]
            count += 1
    return count


@nb.njit(nogil=True, cache=True, inline="always")
def _bin(pitch, cents, scale):
    """Bin of a fundamental; `scale` bins a Hz."""
    return 440.0 * 2.0 ** ((pitch - 69 + cents / 100.0) / 12.0) * scale


@nb.njit(
    "void(float32[::1], float64, int64[:, ::1], int64, int64, float64[:, ::1], float64[::1], int64[:, ::1], "
    "float64[::1])",
    nogil=True,
    cache=True,
)
def tune(magnitude, scale, notes, count, frame, cents, tuning, last, root):
    """Where each note's pitch really is: the most salient within reach of where it was, or of its part.

    cents, last (parts, 128): deviation of a pitch and the frame of its last sound; tuning (parts,) the slow
    mean of a part; root (bins,) scratch.
    """
    bins = len(magnitude)
    for k in range(bins):
        root[k] = np.sqrt(magnitude[k])
    for row in range(count):
        part, pitch = notes[row, 0], notes[row, 1]
        fresh = frame - last[part, pitch] > AWAY
        start = tuning[part] if fresh else cents[part, pitch]
        reach = FAR if fresh else NEAR
        best, found = -1.0, start
        for step in range(-int(reach / STEP), int(reach / STEP) + 1):
            tried = start + step * STEP
            if abs(tried) > FAR:
                continue
            fundamental, salience = _bin(pitch, tried, scale), 0.0
            for number in range(1, HEARD_PARTIALS + 1):
                place = fundamental * number
                k = int(place)
                if k + 1 >= bins:
                    break
                between = root[k] + (place - k) * (root[k + 1] - root[k])
                salience += between * number**DAMPING
            salience *= 1.0 - STAY * ((tried - start) / 100.0) ** 2
            if salience > best:
                best, found = salience, tried
        cents[part, pitch] = found
        tuning[part] += SLIDE * (found - tuning[part])
        last[part, pitch] = frame


@nb.njit(
    "void(float64, int64, int64[:, ::1], int64, float64[:, ::1], int64[::1], int64[:, ::1], "
    "float64[:, :, ::1], float64[:, ::1])",
    nogil=True,
    cache=True,
)
def place(scale, bins, notes, count, cents, partials, first, lobes, weight):
    """Lay out the partials: how many of each note (most,), the first bin and the lobe of each.

    first, weight (most, numbers), weight the sum of the lobe; lobes (most, numbers, 2 REACH + 1): main
    lobe of a Hann window.
    """
    for row in range(count):
        fundamental = _bin(notes[row, 1], cents[notes[row, 0], notes[row, 1]], scale)
        partials[row] = 0
        for h in range(first.shape[1]):
            centre = fundamental * (h + 1)
            k = int(centre + 0.5) - REACH
            if k < 0 or k + 2 * REACH >= bins:
                break
            partials[row], first[row, h], weight[row, h] = h + 1, k, 0.0
            for j in range(2 * REACH + 1):
                away = abs(k + j - centre)
                height = 0.0
                if away < 1e-4:
                    height = 1.0
                elif abs(away - 1.0) < 1e-4:
                    height = 0.5
                elif away < 2.0:
                    height = np.sin(np.pi * away) / (np.pi * away * (1.0 - away * away))
                lobes[row, h, j] = height
                weight[row, h] += height


@nb.njit(
    "void(int64[:, ::1], int64, int64[::1], float64[:, :, ::1], float64[:, ::1], float64[:, ::1], "
    "float64[:, ::1])",
    nogil=True,
    cache=True,
)
def expect(notes, count, partials, envelope, heard, general, expected):
    """What each note should sound like, in sum 1: its pitch as far as it is known, else its part.

    envelope (parts, 128, numbers) seen `heard` (parts, 128) times, general (parts, numbers).
    """
    for row in range(count):
        part, pitch = notes[row, 0], notes[row, 1]
        known = heard[part, pitch] / (heard[part, pitch] + SETTLED)
        total = 1e-12
        for h in range(partials[row]):
            expected[row, h] = known * envelope[part, pitch, h] + (1.0 - known) * general[part, h]
            total += expected[row, h]
        for h in range(partials[row]):
            expected[row, h] /= total


@nb.njit(
    "float64(float32[::1], int64, int64, int64[::1], int64[:, ::1], float64[:, :, ::1], float64[:, ::1], "
    "float64[:, ::1], float64[:, ::1], float64[::1], float64[::1])",
    nogil=True,
    cache=True,
)
def explain(magnitude, iterations, count, partials, first, lobes, weight, expected, amplitude, level, model):
    """Amplitudes (most, numbers) of all partials, the level (most,) of each note, the model (bins,).

    Multiplicative updates for the KL divergence with a gamma prior on every partial, whose mean is the note's
    level times `expected`. Source: Cemgil, Computational Intelligence and Neuroscience 2009, sec. 2.
    """
    total = 0.0
    for k in range(len(magnitude)):
        total += magnitude[k]
    floor = FLOOR * total / len(magnitude)
    for row in range(count):
        level[row] = total / count
        for h in range(partials[row]):
            amplitude[row, h] = 0.5 * level[row] * expected[row, h]
    for turn in range(iterations + 1):
        for k in range(len(model)):
            model[k] = floor + 1e-12
        for row in range(count):
            for h in range(partials[row]):
                for j in range(2 * REACH + 1):
                    model[first[row, h] + j] += amplitude[row, h] * lobes[row, h, j]
        if turn == iterations:
            break
        for row in range(count):
            whole = 0.0
            for h in range(partials[row]):
                fit = 0.0
                for j in range(2 * REACH + 1):
                    fit += lobes[row, h, j] * magnitude[first[row, h] + j] / model[first[row, h] + j]
                hoped = STIFFNESS * level[row] * expected[row, h]
                amplitude[row, h] = (amplitude[row, h] * fit + hoped) / (weight[row, h] + STIFFNESS)
                whole += amplitude[row, h]
            level[row] = whole
    return floor


@nb.njit(
    "void(int64[:, ::1], int64, int64[::1], int64[:, ::1], float64[:, :, ::1], float64[:, ::1], float64, "
    "float32[:, ::1])",
    nogil=True,
    cache=True,
)
def share(notes, count, partials, first, lobes, amplitude, floor, masks):
    """Masks (parts, bins): the share of each part in the model, to the power 1.5."""
    masks[:, :] = 0.0
    for row in range(count):
        for h in range(partials[row]):
            for j in range(2 * REACH + 1):
                masks[notes[row, 0], first[row, h] + j] += amplitude[row, h] * lobes[row, h, j]
    for k in range(masks.shape[1]):
        total = floor**1.5 + 1e-20
        for part in range(masks.shape[0]):
            masks[part, k] *= np.sqrt(masks[part, k])
            total += masks[part, k]
        for part in range(masks.shape[0]):
            masks[part, k] /= total


@nb.njit(
    "void(int64[:, ::1], int64, int64[::1], int64[:, ::1], float64[:, ::1], float64[::1], float64[::1], "
    "float64[:, :, ::1], float64[:, ::1], float64[:, ::1])",
    nogil=True,
    cache=True,
)
def learn(notes, count, partials, first, amplitude, level, model, envelope, heard, general):
    """Move what is known of each pitch and part towards what was heard, where nothing else sounded there."""
    loudest = 0.0
    for row in range(count):
        loudest = max(loudest, level[row])
    for row in range(count):
        if level[row] < 0.03 * loudest or level[row] < 1e-9:
            continue
        part, pitch = notes[row, 0], notes[row, 1]
        for h in range(partials[row]):
            own = min(1.0, amplitude[row, h] / model[first[row, h] + REACH]) ** 4
            now = amplitude[row, h] / level[row]
            if heard[part, pitch] == 0.0:
                envelope[part, pitch, h] = own * now + (1.0 - own) * general[part, h]
            else:
                envelope[part, pitch, h] += LEARN * own * (now - envelope[part, pitch, h])
            general[part, h] += LEARN_ALL * own * (now - general[part, h])
        heard[part, pitch] += 1.0
