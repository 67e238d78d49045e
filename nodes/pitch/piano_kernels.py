"""Kernels of `nodes.pitch.piano_notes`: a spectrum at thirds of semitones, taken apart into notes."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

LOWEST, NOTES, PER_NOTE, BINS = 21, 88, 3, 330  # MIDI pitch of the first note; thirds of semitones above it


def pitch_bands(rate: int, bins: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Array]:
    """Triangular bands a third of a semitone apart from A0 up, each at least one bin of the spectrum wide.

    Returns first bin (BINS,), number of bins (BINS,) and weights (BINS, most); bands above 0.45 of the rate
    are empty.
    """
    width = rate / 2 / (bins - 1)
    frequency = np.arange(bins) * width
    first, count, rows = np.zeros(BINS, np.int32), np.zeros(BINS, np.int32), []
    for k in range(BINS):
        centre = 440.0 * 2 ** ((LOWEST - 69 + k / PER_NOTE) / 12)
        half = max(width, centre * (2 ** (1 / 12 / PER_NOTE) - 1))
        row = np.clip(1.0 - np.abs(frequency - centre) / half, 0.0, None)
        row = row / max(1e-9, row.sum()) if centre < 0.45 * rate else np.zeros(bins)
        used = np.flatnonzero(row)
        if len(used):
            first[k], count[k] = used[0], used[-1] - used[0] + 1
        rows.append(row)
    weights = np.zeros((BINS, int(count.max())), np.float32)
    for k, row in enumerate(rows):
        weights[k, : count[k]] = row[first[k] : first[k] + count[k]]
    return first, count, weights


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def pitch_spectrum(magnitude, first, count, weights, out):  # type: ignore[no-untyped-def]
    """out[k] = square root of a band's mean magnitude: loud partials do not drown the rest."""
    for k in range(len(out)):
        total = np.float32(0.0)
        for i in range(count[k]):
            total += weights[k, i] * magnitude[first[k] + i]
        out[k] = np.sqrt(max(total, np.float32(0.0)))


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def take_apart(spectrum, templates, sums, iterations, sparsity, activations, model):  # type: ignore[no-untyped-def]
    """Activations (templates,) so that their sum of `templates` (templates, bins) explains `spectrum`.

    Multiplicative updates for the Kullback-Leibler divergence (Lee and Seung, 2001) from where the last frame
    ended. `sums` (templates,): of each template; `sparsity`: a cost of each activation; `model`: scratch.
    """
    size, bins = templates.shape
    floor = np.float32(1e-7)
    for t in range(size):
        activations[t] = max(activations[t], floor)
    for _ in range(iterations):
        for k in range(bins):
            model[k] = floor
        for t in range(size):
            a = activations[t]
            if a > floor:
                for k in range(bins):
                    model[k] += a * templates[t, k]
        for k in range(bins):
            model[k] = spectrum[k] / model[k]
        for t in range(size):
            total = np.float32(0.0)
            for k in range(bins):
                total += templates[t, k] * model[k]
            activations[t] = max(floor, activations[t] * total / (sums[t] + sparsity))
