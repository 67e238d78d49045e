"""Diagonal NMF: explain a recording by the frames of another, played on for some frames each.

Source: Driedger, Praetzlich and Mueller, "Let it Bee - Towards NMF-inspired audio mosaicing", ISMIR 2015,
sec. 3. As in the authors' NMF toolbox, polyphony is judged by what a frame contributes, not by its
activation, so that a quiet frame does not crowd out loud ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

ITERATIONS = 20
REPETITION, POLYPHONY, CONTINUITY = 3, 10, 3  # frames either side, frames at a time, frames either side
TINY = np.float32(1e-12)
COLUMNS = 512  # of the target that are updated together

Array = npt.NDArray[np.float32]


def diagonal_activations(
    source: Array,
    target: Array,
    repetition: int = REPETITION,
    polyphony: int = POLYPHONY,
    continuity: int = CONTINUITY,
    iterations: int = ITERATIONS,
    progress: Callable[[], None] | None = None,
) -> Array:
    """Activations (source frames, target frames) with source @ activations ~ target (bins, frames).

    Each iteration weakens what repeats within `repetition` frames, all but the `polyphony` strongest frames
    of each instant, adds up diagonals of 2 * continuity + 1 frames, and does one multiplicative update for
    the KL divergence. The weakening grows to all in the last iteration. `progress` is called after each.
    """
    loudness = source.sum(axis=0)
    level = target.mean() / max(loudness.mean() * source.shape[1] / len(source), TINY)
    activations = np.full((source.shape[1], target.shape[1]), level, np.float32)
    activations[loudness == 0] = 0.0
    for iteration in range(1, iterations + 1):
        kept = np.float32(1 - iteration / iterations)
        activations = restrict_repetition(activations, repetition, kept)
        activations = restrict_polyphony(activations, loudness, polyphony, kept)
        activations = sum_diagonals(activations, continuity)
        for first in range(0, target.shape[1], COLUMNS):
            part = activations[:, first : first + COLUMNS]
            ratio = target[:, first : first + COLUMNS] / (source @ part + TINY)
            part *= (source.T @ ratio) / (loudness + TINY)[:, None]
        if progress is not None:
            progress()
    return activations


def restrict_repetition(activations: Array, reach: int, kept: np.float32) -> Array:
    """Eq. (3): what is not the largest of its row within `reach` columns either side is scaled by `kept`."""
    peak = activations.copy()
    for away in range(1, reach + 1):
        np.maximum(peak[:, away:], activations[:, :-away], out=peak[:, away:])
        np.maximum(peak[:, :-away], activations[:, away:], out=peak[:, :-away])
    return np.where(activations < peak, kept * activations, activations)


def restrict_polyphony(activations: Array, loudness: Array, most: int, kept: np.float32) -> Array:
    """Eq. (4): all but the `most` largest contributions of each column are scaled by `kept`."""
    if most >= len(activations):
        return activations
    contributions = activations * loudness[:, None]
    least = np.partition(contributions, -most, axis=0)[-most]
    return np.where(contributions < least, kept * activations, activations)


def sum_diagonals(activations: Array, reach: int) -> Array:
    """Eq. (5): sums along the diagonal, `reach` frames either side."""
    out = activations.copy()
    for away in range(1, min(reach, *(size - 1 for size in activations.shape)) + 1):
        out[away:, away:] += activations[:-away, :-away]
        out[:-away, :-away] += activations[away:, away:]
    return out


def play(samples: Array, activations: Array, taper: Array, hop: int) -> Array:
    """The mosaic (channels, samples): frames of the source, weighted, overlapped and added.

    The inverse transform of a weighted sum of spectra is the weighted sum of the frames themselves, so the
    source's own phases sound. Source: Griffin and Lim 1984, eq. (6).
    """
    channels, window = len(samples), len(taper)
    frames = activations.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(samples, window, axis=1)[:, ::hop]
    out = np.zeros((channels, (frames - 1) * hop + window), np.float32)
    weight = np.full(out.shape[1], TINY)
    for n in range(frames):
        sounding = np.flatnonzero(activations[:, n])
        place = slice(n * hop, n * hop + window)
        out[:, place] += taper**2 * np.einsum("k,ckn->cn", activations[sounding, n], windows[:, sounding])
        weight[place] += taper**2
    return out / np.maximum(weight, np.float32(0.1))
