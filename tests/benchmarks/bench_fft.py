"""The real transform of `nodes.spectral.fft` against numpy and scipy, windowed and with magnitudes.

    python -m tests.benchmarks.bench_fft

Microseconds of one frame, the least of several rounds. Writes build/benchmarks/fft.json.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.fft

from nodes.spectral.fft import RealFft
from nodes.spectral.tapers import taper


def least(work: Callable[[], object], rounds: int = 15, times: int = 1000) -> float:
    """Microseconds of one call."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter() - start) / times)
    return best * 1e6


def measure(length: int) -> dict[str, float]:
    """One row of the table."""
    x = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    window = taper("hann", length)
    fft = RealFft(length)
    tapered, spectrum = np.empty_like(x), np.empty(fft.bins, np.complex64)
    magnitude = np.empty(fft.bins, np.float32)

    def with_numpy() -> None:
        np.multiply(x, window, out=tapered)
        np.fft.rfft(tapered, out=spectrum)
        np.abs(spectrum, out=magnitude)

    def with_scipy() -> None:
        np.multiply(x, window, out=tapered)
        np.abs(scipy.fft.rfft(tapered), out=magnitude)

    return {
        "length": length,
        "numpy": least(with_numpy),
        "scipy": least(with_scipy),
        "ours": least(lambda: fft.forward(x, window, spectrum, magnitude)),
    }


def main() -> None:
    """Measure, print the table, write the file."""
    rows = [measure(length) for length in (512, 1024, 2048, 4096)]
    print("windowed real transform with magnitudes, microseconds a frame")
    print(f"{'length':>8}{'numpy':>10}{'scipy':>10}{'ours':>10}")
    for row in rows:
        print(f"{row['length']:8}{row['numpy']:10.1f}{row['scipy']:10.1f}{row['ours']:10.1f}")
    folder = Path("build/benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fft.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
