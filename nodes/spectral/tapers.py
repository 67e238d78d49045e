"""Window functions, periodic (the one after the last sample would equal the first)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TAPERS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "sine": (),
}


def taper(name: str, length: int) -> npt.NDArray[np.float32]:
    """The window function `name` over `length` samples; "sine" is the square root of "hann"."""
    phase = 2 * np.pi * np.arange(length) / length
    if name == "sine":
        return np.sin(phase / 2).astype(np.float32)
    shape = sum((-1) ** k * a * np.cos(k * phase) for k, a in enumerate(TAPERS[name]))
    return np.asarray(shape, np.float32)
