"""How sure the drum network must be of each drum of a kit, from takes of each drum alone.

The strokes of the takes make a groove in which each is known; the threshold of a drum goes towards that which
finds its strokes best there, and drums that there is no take of are never named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nodes.pitch.drum_notes import LABELS

DRUMS = LABELS[:-1]  # what can be named
LEAD, LENGTH, RISE, FALL = 0.02, 0.4, 0.005, 0.05  # seconds of a stroke that is cut out
SECONDS = 60.0
OFTEN = dict(zip(LABELS, (0.3, 0.2, 0.5, 0.1, 0.15, 0.15), strict=True))  # strokes a sixteenth
SOFTEST = 14.0  # dB below the take
LOOSE = 0.004  # seconds that a stroke misses its place by
NEAR = 0.025  # seconds within which a class is that of a stroke
THRESHOLDS = np.arange(-5.0, 4.01, 0.2)  # logits
PLATEAU = 0.01  # of F, within which thresholds are as good as the best
WAY = 1 / 3  # of the way to what was best in the groove: music is not that groove

Array = npt.NDArray[np.float32]


def cut(take: Array, times: Sequence[int], rate: int) -> list[Array]:
    """The strokes of a take that begin at the samples `times`, each until the next, `LENGTH` at most."""
    rise = np.linspace(0.0, 1.0, round(RISE * rate), dtype=np.float32)
    fall = np.linspace(1.0, 0.0, round(FALL * rate), dtype=np.float32)
    lead, stops = round(LEAD * rate), [*times, len(take)][1:]
    strokes = []
    for start, stop in zip(times, stops, strict=True):
        first = max(0, start - lead)
        stroke = take[first : min(start + round(LENGTH * rate), stop - lead)].copy()
        if len(stroke) < len(rise) + len(fall):
            continue
        stroke[: len(rise)] *= rise
        stroke[-len(fall) :] *= fall
        strokes.append(np.pad(stroke, (lead - (start - first), 0)))
    return strokes


def groove(strokes: Mapping[str, Sequence[Array]], rate: int) -> tuple[Array, dict[str, Array]]:
    """A minute of the strokes by chance, on sixteenths of changing tempi, and the seconds of each drum's."""
    random = np.random.default_rng(0)
    audio = np.zeros(round((SECONDS + 1.0) * rate), np.float32)
    times: dict[str, list[float]] = {name: [] for name in strokes}
    at, sixteenth = 0.5, 0.0
    for place in range(10_000):
        if place % 32 == 0:
            sixteenth = 15.0 / random.uniform(70.0, 170.0)
        at += sixteenth
        if at > SECONDS:
            break
        for name, own in strokes.items():
            if random.random() >= OFTEN[name]:
                continue
            stroke = own[random.integers(len(own))]
            gain = np.float32(10.0 ** (-random.uniform(0.0, SOFTEST) / 20.0))
            begins = at + random.normal(0.0, LOOSE)
            first = round((begins - LEAD) * rate)
            audio[first : first + len(stroke)] += gain * stroke
            times[name].append(begins)
    return audio, {name: np.sort(np.array(rows, np.float32)) for name, rows in times.items()}


def certainties(
    heard: npt.NDArray[np.float64],
    seconds: npt.NDArray[np.float64],
    times: Mapping[str, Array],
    certainty: float,
) -> dict[str, float]:
    """The probability that makes each drum, 0.02..0.98; 1 (never) for a drum that has no times.

    Parameters
    ----------
    heard : logits of the classes in the groove, shape (frames, classes).
    seconds : of the stroke that each frame would tell, shape (frames,).
    times : seconds of the strokes of each drum in the groove.
    certainty : the probability that made each drum before, in (0, 1).
    """
    before = math.log(certainty / (1.0 - certainty))
    made = dict.fromkeys(DRUMS, 1.0)
    for name in DRUMS:
        if len(times.get(name, ())):
            best = best_threshold(heard[:, LABELS.index(name)], seconds, times[name])
            logit = before + WAY * (best - before)
            made[name] = min(0.98, max(0.02, 1.0 / (1.0 + math.exp(-logit))))
    return made


def best_threshold(logits: npt.NDArray[np.float64], seconds: npt.NDArray[np.float64], times: Array) -> float:
    """The middle of the thresholds whose peaks find the strokes at `times` best (F)."""
    peaks = np.flatnonzero((logits[:-2] < logits[1:-1]) & (logits[1:-1] >= logits[2:])) + 1
    stroke = np.abs(seconds[peaks, None] - times[None, :]).argmin(axis=1)
    hit = np.abs(seconds[peaks] - times[stroke]) <= NEAR
    scores = []
    for threshold in THRESHOLDS:
        said = logits[peaks] >= threshold
        found = len(np.unique(stroke[said & hit]))
        scores.append(2.0 * found / (np.count_nonzero(said) + len(times)))
    return float(THRESHOLDS[np.array(scores) >= max(scores) - PLATEAU].mean())
