"""What one frame of the music asks of every reference: how alike, how far to step, how much it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Speeds of the music against a reference: 0.67 to 1.49 in five steps.
TEMPI: Array = np.exp(np.linspace(-0.4, 0.4, 5))

#: Frames of a second.
_SECOND = 5


@dataclass(frozen=True)
class Law:
    """How likeness becomes evidence, per frame of 0.2 s.

    Parameters
    ----------
    threshold : likeness, in standard deviations of what unrelated frames have, that counts for nothing.
    least, most : evidence of one frame lies between them.
    keep : share of the past that is kept from frame to frame.
    price : of one frame off the lane's tempo.
    drift_every : updates between those in which a frame may be won or lost.
    full_change : a query frame counts in full if it differs so much (1 - correlation) from that of a second
        ago, and down to `held_weight` if it does not: a chord held for long says no more than a short one.
    leak_with_change : a frame that counts little makes little be forgotten.
    tempo_prices : evidence that a tempo must have before it counts, one for each of the tempi; empty: none.
    """

    threshold: float = 1.4
    least: float = -1.0
    most: float = 2.0
    keep: float = 0.99
    price: float = 0.1
    drift_every: int = 5
    full_change: float = 0.5
    held_weight: float = 0.2
    leak_with_change: bool = False
    tempo_prices: tuple[float, ...] = ()


#: The law of performances. Pianists seldom play half as fast again as others; and where a reference is
#: stepped through slowly, one of its chords explains more of any music. What strangers reach at each of TEMPI
#: (19.1, 17.7, 16.5, 15.2, 13.8 in evidence) and the odds of the tempo make its price.
PERFORMANCE = Law(tempo_prices=(7.0, 2.7, 0.0, 1.2, 1.2))


@dataclass(frozen=True)
class Update:
    """One frame of the music, as `scan_kernels.scan` takes it.

    Parameters
    ----------
    queries : (keys, 12) int16.
    steps : (R,) frames that each tempo goes on by.
    law : (6,) float32.
    weight : how much the frame counts, 0 to 1.
    """

    queries: Array
    steps: Array
    law: Array
    weight: float


class Updates:
    """Frames of the music in, updates of the scan out.

    Parameters
    ----------
    keys, tempi : what is tried.
    law : how evidence adds up.
    spread : see `scan.unrelated_spread`.
    """

    def __init__(self, keys: Sequence[int], tempi: Array, law: Law, spread: Array) -> None:
        self.keys = tuple(keys)
        self.tempi = np.asarray(tempi, np.float64)
        self.law = law
        self._spread = spread
        self.reset()

    def reset(self) -> None:
        """Forget the music."""
        self._travelled = np.zeros(len(self.tempi))
        self._count = 0
        self._past = np.zeros((_SECOND, 12), np.float32)

    def of(self, frame: Array) -> Update:
        """The update of one query frame (12,), L2 norm 1."""
        # Music `key` semitones above the reference is brought down to it.
        queries = np.stack([np.round(np.roll(frame, -key) * 127.0) for key in self.keys]).astype(np.int16)
        before = np.floor(self._travelled + 0.5)
        self._travelled += self.tempi
        steps = (np.floor(self._travelled + 0.5) - before).astype(np.int64)
        law = self.law
        spread = float(np.sqrt(np.abs(np.fft.rfft(frame)) ** 2 @ self._spread))
        price = law.price if self._count % law.drift_every == 0 else -1.0
        weight = self._weight(frame)
        self._count += 1
        numbers = (
            weight / (127.0 * 127.0 * spread),
            -weight * law.threshold,
            weight * law.least,
            weight * law.most,
            1.0 - weight * (1.0 - law.keep) if law.leak_with_change else law.keep,
            price,
        )
        return Update(queries, steps, np.array(numbers, np.float32), weight)

    def _weight(self, frame: Array) -> float:
        """How much the frame counts, by how much it differs from that of a second ago."""
        change = 1.0 - float(frame @ self._past[0])
        self._past[:-1] = self._past[1:]
        self._past[-1] = frame
        return max(self.law.held_weight, min(1.0, change / self.law.full_change))
