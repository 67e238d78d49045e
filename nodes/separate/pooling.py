"""Groups of bins: fine where pitches lie close together, coarse above."""

from __future__ import annotations

import numpy as np

DENSE = 3000.0  # Hz up to which every bin counts alone; above, groups that widen with frequency


def pooling_edges(window: int, rate: int) -> np.ndarray:
    """Bounds of groups of bins: single up to DENSE, then wider by a sixteenth of an octave."""
    bins = window // 2 + 1
    edges, at = list(range(min(bins, int(DENSE * window / rate)))), min(bins, int(DENSE * window / rate))
    while at < bins:
        edges.append(at)
        at = max(at + 1, round(at * 2 ** (1 / 16)))
    return np.array([*edges, bins], np.int64)
