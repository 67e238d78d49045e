"""A real Fourier transform for streaming: float32, no allocation, the same bits on every machine.

Stockham's autosort algorithm in radix 4 (Van Loan, Computational Frameworks for the FFT, 1992, sec. 1.7) on
the even and odd samples as one complex signal of half the length, real and imaginary parts apart. The length
is a constant of the compiled kernel: only so can the compiler prove that reads and writes never overlap, and
use vector instructions. Strict float math in a fixed order, no library that picks its own code path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.spectral.fft_kernels import make_forward, make_inverse

SHORTEST, LONGEST = 32, 32768  # samples

Real = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]


class RealFft:
    """Transform of `length` real samples to length // 2 + 1 complex bins and back.

    Parameters
    ----------
    length : a power of two from 32 to 32768; ValueError otherwise.
    inverse : also make the transform back (kernels are compiled here, once per length, and cached).
    """

    def __init__(self, length: int, *, inverse: bool = False) -> None:
        if length & (length - 1) or not SHORTEST <= length <= LONGEST:
            near = min(max(1 << (max(1, length) - 1).bit_length(), SHORTEST), LONGEST)
            raise ValueError(
                f"window {length} is not a power of two from {SHORTEST} to {LONGEST}; take {near}"
            )
        self.length = length
        self.bins = length // 2 + 1
        self._forward = _compiled(make_forward, length // 2)
        self._inverse = _compiled(make_inverse, length // 2) if inverse else None
        self._tables = (np.zeros(2 * length, np.float32), *_tables(length // 2))

    def forward(self, samples: Real, taper: Real, spectrum: Complex, magnitude: Real) -> None:
        """spectrum[k] = sum_n samples[n] taper[n] exp(-2 pi i k n / length), and its absolute value."""
        self._forward(samples, taper, *self._tables, spectrum, magnitude)

    def inverse(self, spectrum: Complex, taper: Real, samples: Real) -> None:
        """samples[n] += taper[n] * (inverse transform of spectrum)[n]: added, ready for overlap-add."""
        self._inverse(spectrum, taper, *self._tables, samples)


@lru_cache(maxsize=32)
def _compiled(make: Callable[[int], Any], half: int) -> Any:
    return make(half)


def _tables(half: int) -> tuple[Real, Real]:
    """Twiddle factors of all stages, and those that take the half-length transform apart."""
    stages = []
    n = half
    while n >= 4:
        angles = np.outer((1, 2, 3), np.arange(n // 4)) * (2 * np.pi / n)
        stages += [np.cos(angles).ravel(), -np.sin(angles).ravel()]
        n //= 4
    angles = np.arange(half // 2 + 1) * (np.pi / half)
    turn = np.concatenate([np.cos(angles), -np.sin(angles)])
    return np.concatenate(stages).astype(np.float32), turn.astype(np.float32)
