"""Kernels of `nodes.separate.melody`: salience of pitches, belief over them, a comb on the masks."""

from __future__ import annotations

import numba as nb
import numpy as np

HARMONICS, DAMPING = 10, -0.3  # a harmonic weighs number ** DAMPING
SHARPNESS = 6.0  # nats from the most salient pitch to one without salience
JUMP, GLIDE = 0.02, 6  # chance of a new pitch anywhere, and bins that a voice may glide, a frame
BESIDE = 3  # bins beside the best pitch whose belief counts for it
LEAN = 0.7  # of the logit of the voice towards its harmonics, and away from what lies between
WITHIN, SLOPE = 1.5, 1.6  # bins around a harmonic: all of it up to 0.8, nothing beyond 2.4


@nb.njit("float64(float32[::1], int64, int64, float64[::1], float64[::1])", nogil=True, cache=True)
def find_pitches(root, first, stop, fundamentals, salience):
    """Weighted mean of `root` (bins,) at the harmonics of `fundamentals` (bins), less that between them.

    Returns the mean of `root` from bin `first` to `stop`.
    """
    last = len(root) - 1
    for b in range(len(fundamentals)):
        at, between, weights = 0.0, 0.0, 0.0
        for number in range(1, HARMONICS + 1):
            place = fundamentals[b] * number
            if place >= last:
                break
            weight = number**DAMPING
            k = int(place)
            at += weight * (root[k] + (place - k) * (root[k + 1] - root[k]))
            place -= 0.5 * fundamentals[b]
            k = int(place)
            between += weight * (root[k] + (place - k) * (root[k + 1] - root[k]))
            weights += weight
        salience[b] = (at - between) / weights
    total = 0.0
    for k in range(first, stop):
        total += root[k]
    return total / (stop - first)


@nb.njit("float64(float64[::1], float64, float64[::1], float64[::1])", nogil=True, cache=True)
def follow_pitch(salience, level, belief, scratch):
    """One step of a forward filter over pitches: best pitch plus the belief that it is that.

    salience, belief, scratch (pitches,); `level`: mean of the spectrum that the salience is of. The belief is
    less than 1 and may be 0; the number's whole part is the index of the best pitch.
    """
    size = len(belief)
    most = 0.0
    for b in range(size):
        most = max(most, salience[b])
    total = 0.0
    for b in range(size):
        near = 0.0
        for step in range(-GLIDE, GLIDE + 1):
            if 0 <= b + step < size:
                near += belief[b + step] * (GLIDE + 1 - abs(step))
        near /= (GLIDE + 1) ** 2
        fit = np.exp(SHARPNESS * max(-1.0, (salience[b] - most) / (most + 1e-3 * level + 1e-12)))
        scratch[b] = ((1.0 - JUMP) * near + JUMP / size) * fit
        total += scratch[b]
    best = 0
    for b in range(size):
        belief[b] = scratch[b] / total
        if belief[b] > belief[best]:
            best = b
    sure = 0.0
    for b in range(max(0, best - BESIDE), min(size, best + BESIDE + 1)):
        sure += belief[b]
    clarity = min(1.0, max(0.0, salience[best] / (level + 1e-12)))
    return best + min(0.999, sure * clarity)


@nb.njit("void(float64, float64, int64, int64, boolean[::1], float32[:, ::1])", nogil=True, cache=True)
def comb(fundamental, belief, top, voice, kept, masks):
    """Lean the row `voice` of the masks (stems, bins) to the harmonics of `fundamental` (bins), below `top`.

    Stems that are `kept` stay as they are; the others keep their shares of what is left.
    """
    for k in range(min(top, masks.shape[1])):
        number = max(1.0, np.floor(k / fundamental + 0.5))
        inside = min(1.0, max(0.0, WITHIN - abs(k - number * fundamental) / SLOPE))
        odds = np.exp(belief * LEAN * (2.0 * inside - 1.0))
        whole = 1.0 + 1e-9
        for stem in range(masks.shape[0]):
            whole -= masks[stem, k] if kept[stem] else 0.0
        before = masks[voice, k] / whole
        after = before * odds / (before * odds + 1.0 - before + 1e-9)
        left = (1.0 - after) / (1.0 - before + 1e-9)
        for stem in range(masks.shape[0]):
            if stem == voice:
                masks[stem, k] = after * whole
            elif not kept[stem]:
                masks[stem, k] = min(1.0, masks[stem, k] * left)
