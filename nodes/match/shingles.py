"""Shingles: some seconds of chroma as one short vector, so that nearest neighbours find what sounds alike.

A shingle is cut into cells, the chroma of each is averaged, and the whole is normalised (Grosche and Mueller,
ICASSP 2012; Zalkow and Mueller, Appl. Sci. 2020). 20 cells of 12 classes are projected to few dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Share of the cells' length below which a shingle is mostly silence or even chroma, and not indexed.
LEAST = 0.5


def shingles(frames: Array, ends: Array, length: float, cells: int) -> Array:
    """The stretches of `length` frames before each of `ends`, as unit vectors (ends, cells * 12) float32.

    frames : (n, 12) smoothed chroma, each of L2 norm 1 or 0 (int8: 127 for 1).
    ends : frames behind the last one of each stretch, may be fractional.

    A vector is 0 if fewer than LEAST of its frames say anything, or if it does not lie within the frames.
    """
    scale = 127.0 if frames.dtype == np.int8 else 1.0
    sums = np.zeros((len(frames) + 1, 12))
    np.cumsum(frames, axis=0, dtype=np.float64, out=sums[1:])
    bounds = np.asarray(ends, np.float64)[:, None] + length * (np.arange(cells + 1) / cells - 1.0)
    inside = (bounds[:, 0] >= -1e-6) & (bounds[:, -1] <= len(frames) + 1e-6)
    bounds = np.clip(bounds, 0.0, len(frames))
    below = np.minimum(bounds.astype(np.int64), len(frames) - 1)
    share = (bounds - below)[:, :, None]
    at = sums[below] * (1.0 - share) + sums[below + 1] * share
    flat = np.diff(at, axis=1).reshape(len(bounds), -1) * (cells / length / scale)
    norm = np.linalg.norm(flat, axis=1)
    says = inside & (norm >= LEAST * np.sqrt(cells))
    return np.where(says[:, None], flat / np.maximum(norm, 1e-9)[:, None], 0.0).astype(np.float32)


@dataclass(frozen=True)
class Projection:
    """Shingles to fewer dimensions.

    Parameters
    ----------
    mean : (D,) taken off first.
    axes : (d, D) orthonormal rows.
    """

    mean: Array
    axes: Array

    def __call__(self, vectors: Array) -> Array:
        """Vectors (n, D) to (n, d) float32."""
        return ((vectors - self.mean) @ self.axes.T).astype(np.float32)


def principal(vectors: Array, dimensions: int) -> Projection:
    """The projection that keeps most of the variance of `vectors` (n, D): principal component analysis."""
    mean = vectors.mean(axis=0)
    away = vectors - mean
    _, axes = np.linalg.eigh(away.T @ away)
    return Projection(
        mean.astype(np.float32), np.ascontiguousarray(axes[:, ::-1][:, :dimensions].T, np.float32)
    )


def time_pitch(cells: int, orders: int) -> Projection:
    """A projection that needs no training: cosines over time, harmonics over the circle of semitones.

    The axes on which chroma is uncorrelated if no moment and no key is special. Of `cells` cosines the
    slowest `orders` are kept, of the circle all but its mean: orders * 11 dimensions.
    """
    at = np.arange(cells) + 0.5
    time = np.stack([np.cos(np.pi * k * at / cells) for k in range(orders)])
    angles = 2.0 * np.pi * np.arange(12) / 12.0
    pitch = np.stack([f(k * angles) for k in range(1, 6) for f in (np.cos, np.sin)] + [np.cos(6.0 * angles)])
    time /= np.linalg.norm(time, axis=1, keepdims=True)
    pitch /= np.linalg.norm(pitch, axis=1, keepdims=True)
    axes = np.einsum("tc,ps->tpcs", time, pitch).reshape(orders * 11, cells * 12)
    return Projection(np.zeros(cells * 12, np.float32), axes.astype(np.float32))
