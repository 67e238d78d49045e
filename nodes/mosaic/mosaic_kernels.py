"""Kernels of the live mosaic: one column of diagonal NMF from the past alone, and its sound."""

from __future__ import annotations

import numba as nb
import numpy as np

TINY = np.float32(1e-12)
INERTIA = np.float32(0.1)  # share of what has just sounded that speaks for the frames that follow it


@nb.njit("void(float32[::1], float32[::1], int64, float64, uint8[::1])", nogil=True, cache=True)
def keep_strongest(activations, loudness, most, kept, chosen):
    """Scale all but the `most` largest activations * loudness by `kept`; chosen (frames,) is scratch."""
    chosen[:] = 0
    for _ in range(min(most, len(activations))):
        best, at = np.float32(0.0), -1
        for k in range(len(activations)):
            contribution = activations[k] * loudness[k]
            if contribution > best and chosen[k] == 0:
                best, at = contribution, k
        if at < 0:
            break
        chosen[at] = 1
    for k in range(len(activations)):
        if chosen[k] == 0:
            activations[k] *= np.float32(kept)


@nb.njit(
    "void(float32[:, ::1], float32[::1], float32[::1], float32[:, ::1], int64, int64, int64, int64, "
    "float32[::1], uint8[::1], float32[::1])",
    nogil=True,
    cache=True,
    fastmath={"reassoc", "contract"},
)
def causal_activations(
    templates, loudness, frame, past, repetition, polyphony, continuity, iterations, gradient, chosen,
    activations,
):  # fmt: skip
    """Activations (frames,) of one frame of the target (rows,), at most `polyphony` of them above 0.

    templates (rows, frames), loudness their sums; past (reach, frames) the activations of the frames before,
    the newest first. `gradient` and `chosen` (frames,) are scratch. The steps of
    `nodes.mosaic.diagonal_nmf`, where repetition sees the past only, and continuity is where the updates
    start: frames begin higher by INERTIA times the diagonal sum over the last `continuity` frames. Added in
    every iteration, as in the paper, the past would play on whatever comes, because it is not updated itself.
    """
    rows, frames = templates.shape
    total, loud = np.float32(0.0), TINY
    for r in range(rows):
        total += frame[r]
    for k in range(frames):
        loud += loudness[k]
    for k in range(frames):
        activations[k] = total / loud if loudness[k] > 0 else np.float32(0.0)
    for n in range(continuity):
        for k in range(n + 1, frames):
            activations[k] += INERTIA * past[n, k - n - 1]
    for iteration in range(1, iterations + 1):
        kept = np.float32(1.0 - iteration / iterations)
        for k in range(frames):
            for n in range(repetition):
                if past[n, k] > activations[k]:
                    activations[k] *= kept
                    break
        keep_strongest(activations, loudness, polyphony, kept, chosen)
        gradient[:] = np.float32(0.0)
        for r in range(rows):
            row = templates[r]
            model = TINY
            for k in range(frames):
                model += row[k] * activations[k]
            ratio = frame[r] / model
            for k in range(frames):
                gradient[k] += ratio * row[k]
        for k in range(frames):
            activations[k] *= gradient[k] / (loudness[k] + TINY)
    keep_strongest(activations, loudness, polyphony, 0.0, chosen)


@nb.njit("void(float32[:, ::1], float32[::1])", nogil=True, cache=True)
def remember(past, activations):
    """`activations` becomes the newest row of `past`."""
    for n in range(past.shape[0] - 1, 0, -1):
        past[n, :] = past[n - 1]
    past[0, :] = activations


@nb.njit(
    "void(float32[:, ::1], float32[::1], float32[::1], int64, int64, float32[:, ::1])", nogil=True, cache=True
)
def add_frames(samples, activations, weight, hop, at, line):
    """line[:, at : at + window] += weight * the frames of `samples` (channels, n) that sound."""
    for k in range(len(activations)):
        if activations[k] > 0:
            for c in range(samples.shape[0]):
                for n in range(len(weight)):
                    line[c, at + n] += activations[k] * weight[n] * samples[c, k * hop + n]
