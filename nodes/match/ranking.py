"""Which document the music is most likely to be: evidence first, then the courses of the pitch classes.

The scan's evidence knows within seconds the key and what chords there are, and so a handful of documents.
Among those the details decide: when each pitch class comes and goes. No static difference in balance, timbre
or interference between the music and the reference changes that.
"""

from __future__ import annotations

import numpy as np

from nodes.match.layers import Layers
from nodes.match.pool import Pool
from nodes.match.scan import Peak, Scan
from nodes.match.witness import SPAN, Witness

#: Documents with the most evidence that are looked at.
FIRST = 8
#: What equal courses are worth in evidence once `SPAN` frames were heard; of fewer, by the square of their
#: share: there are fewer, and what is static in them is less well known. Chosen on made-up pieces (1,200
#: queries at 3 to 10 s): 60 to 100 are within 0.005.
WORTH = 80.0


def best_peak(scan: Scan | Pool | Layers, witness: Witness) -> Peak | None:
    """Where the music most likely is; None: nothing has evidence."""
    scores = scan.document_scores()
    first = np.argsort(-scores, kind="stable")[:FIRST]
    peaks = [scan.peak(int(document)) for document in first if scores[document] > 0.0]
    return max(peaks, key=lambda peak: rank(peak, scan, witness), default=None)


def rank(peak: Peak, scan: Scan | Pool | Layers, witness: Witness) -> float:
    """Evidence of a place and what the courses there are worth."""
    frames = scan.frames_of(peak.document)
    alike, count = witness.follows(frames, peak.key, peak.frame, peak.tempo)
    return peak.score + WORTH * (count / SPAN) ** 2 * alike
