"""Which document the music is most likely to be: evidence first, then the details of a few.

The scan's evidence knows within seconds the key and what chords there are, and so a handful of documents.
Among those decides when each pitch class comes and goes, which no static difference in balance, timbre or
interference between the music and the reference changes; and whether anything sounds that the reference does
not have there, while notes that are missing are no reason to doubt.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from nodes.match.layers import Layers
from nodes.match.pool import Pool
from nodes.match.scan import Peak, Scan
from nodes.match.witness import SPAN, Witness

#: Documents with the most evidence that are looked at.
FIRST = 8
#: What equal courses are worth in evidence once `SPAN` frames were heard; of fewer, by the square of their
#: share: there are fewer, and what is static in them is less well known. And what sound that does not belong
#: there costs, by the share. Chosen on made-up pieces (1,200 queries; 65 to 100 are within 0.01).
COURSES, EXTRA = 80.0, 80.0
#: A class of the reference below this (frames have no mean) does not sound.
ABSENT = -0.1


def best_peak(scan: Scan | Pool | Layers, witness: Witness) -> Peak | None:
    """Where the music most likely is; None: nothing has evidence."""
    scores = scan.document_scores()
    first = np.argsort(-scores, kind="stable")[:FIRST]
    peaks = [scan.peak(int(document)) for document in first if scores[document] > 0.0]
    return max(peaks, key=lambda peak: rank(peak, scan, witness), default=None)


def rank(peak: Peak, scan: Scan | Pool | Layers, witness: Witness) -> float:
    """Evidence of a place and what its details are worth."""
    frames = scan.frames_of(peak.document)
    music, along = witness.side_by_side(frames, peak.key, peak.frame, peak.tempo)
    share = len(music) / SPAN
    return peak.score + COURSES * share**2 * courses(music, along) - EXTRA * share * extra(music, along)


@nb.njit("float64(float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def courses(music, along):  # type: ignore[no-untyped-def]
    """How alike the courses of the 12 pitch classes over time are, -1 to 1.

    The correlation over time of each class in `music` (N, 12) with the same in `along` (N, 12), weighted by
    how much the latter moves.
    """
    total = moves = 0.0
    for c in range(12):
        mean, other = music[:, c].mean(), along[:, c].mean()
        both = own = others = 0.0
        for n in range(len(music)):
            a, b = music[n, c] - mean, along[n, c] - other
            both += a * b
            own += a * a
            others += b * b
        if own > 0.0:
            total += both / np.sqrt(own)
        moves += np.sqrt(others)
    return total / max(moves, 1e-9)


@nb.njit("float64(float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def extra(music, along):  # type: ignore[no-untyped-def]
    """How much of `music` (N, 12) sounds in classes that do not sound in `along` (N, 12), a frame."""
    total = 0.0
    for n in range(len(music)):
        for c in range(12):
            if along[n, c] < ABSENT:
                total += max(music[n, c], np.float32(0.0))
    return total / max(len(music), 1)
