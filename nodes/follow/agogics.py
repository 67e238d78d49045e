"""How performers time what a score says: what lasts long there is held longer still."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Lengthening per octave that an interval is longer than LONG times its surroundings, up to OCTAVES.
HELD, LONG, OCTAVES = 0.05, 1.5, 2.0
AROUND = 3.0  # s of the score on either side that are its surroundings


def drawn_out(onsets: Floats) -> Floats:
    """When to expect `onsets` (seconds of a score, rising) at a steady tempo, in seconds from the first.

    An interval between two onsets that is long beside those around it (their geometric mean) takes 1 to 1.1
    times its length: long notes, rests and the ends of phrases are lengthened (duration contrast and final
    lengthening: Friberg, Bresin, Sundberg 2006, "Overview of the KTH rule system for musical performance").
    """
    intervals = np.diff(onsets)
    octaves = np.log2(np.maximum(intervals, 1e-6))
    total = np.concatenate([[0.0], np.cumsum(octaves)])
    first = np.searchsorted(onsets[:-1], onsets[:-1] - AROUND)
    stop = np.searchsorted(onsets[:-1], onsets[1:] + AROUND)
    usual = (total[stop] - total[first]) / np.maximum(stop - first, 1)
    longer = np.clip(octaves - usual - np.log2(LONG), 0.0, OCTAVES)
    return np.concatenate([[0.0], np.cumsum(intervals * (1.0 + HELD * longer))])
