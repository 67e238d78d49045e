"""Styles that nobody wrote: metre, tempo, groove and parts drawn by chance.

What is kept is what tells the beat in most music: strong places are struck more often than weak ones, the
snare answers the kick, patterns return bar by bar.
"""

from __future__ import annotations

import numpy as np

from . import grooves as G

BASS = (
    "eighths", "kick", "kick", "walk", "two", "one", "boom", "octaves", "funk", "dub", "off", "riff", "riff",
)  # fmt: skip
CHORDS = (
    "pad", "strum", "strum", "strum16", "skank", "backbeat", "chug", "riff", "riff", "arpeggio", "comp",
    "stabs", "charleston", "four", "oompah",
)  # fmt: skip
TIMEKEEPERS = (G.HAT, G.HAT, G.HAT, G.RIDE, G.OPEN, G.CRASH, G.TAMB, G.SHAKER, G.BELL, G.COWBELL, 41, G.SNARE)
COLOURS = (G.TAMB, G.SHAKER, G.CLAP, G.CONGA_HIGH, G.CONGA_OPEN, G.CONGA_LOW, G.CLAVE, G.COWBELL, G.RIM)


def metre(rng: np.random.Generator) -> tuple[int, int, float]:
    """Beats in a bar, parts of a beat, and BPM: usual ones more often, as the beat is what people tap to."""
    kind = rng.choice(5, p=[0.66, 0.12, 0.1, 0.09, 0.03])
    beats, division, low, usual, high = [
        (4, 2, 58, 110, 200),
        (4, 3, 55, 98, 165),
        (3, 2, 80, 125, 190),
        (2, 3, 44, 66, 96),
        (3, 3, 60, 95, 150),
    ][kind]
    return beats, division, float(np.clip(usual * 2 ** rng.normal(0, 0.4), low, high))


def weights(beats: int, per_beat: int) -> np.ndarray:
    """How strong each step is: the first of a bar 1, its middle, beats, halves, the rest 0.1."""
    strong = np.full(beats * per_beat, 0.1)
    if per_beat % 2 == 0:
        strong[per_beat // 2 :: per_beat] = 0.3
    strong[::per_beat] = 0.5
    if beats % 2 == 0:
        strong[beats // 2 * per_beat] = 0.75
    strong[0] = 1.0
    return strong


def written(struck: np.ndarray, loud: np.ndarray | None = None) -> str:
    """A pattern of `grooves`: `struck` (steps,) of bool, accents where `loud`."""
    accents = loud if loud is not None else np.zeros(len(struck), bool)
    return "".join("X" if s and a else "x" if s else "." for s, a in zip(struck, accents, strict=True))


def kick(beats: int, per_beat: int, rng: np.random.Generator) -> np.ndarray:
    """Free, halves alike, on every beat, or not on the first at all."""
    strong = weights(beats, per_beat)
    kind = rng.choice(4, p=[0.5, 0.25, 0.17, 0.08])
    if kind == 2:
        return np.arange(beats * per_beat) % per_beat == 0
    struck = rng.random(len(strong)) < np.clip(strong * rng.uniform(0.5, 1.3), 0, 0.97)
    struck[0] = kind != 3
    if kind == 3:
        struck[beats // 2 * per_beat] = True
    if kind == 1 and beats % 2 == 0:
        struck[len(struck) // 2 :] = struck[: len(struck) // 2]
    return np.asarray(struck)


def snare(beats: int, per_beat: int, bpm: float, rng: np.random.Generator) -> np.ndarray:
    """Back beat, half as often (where that is not the beat itself), twice as often (likewise), on every beat,
    off the beat, or none."""
    struck = np.zeros(beats * per_beat, bool)
    slow, fast = (0.14, 0.0) if bpm > 105 else (0.0, 0.1) if bpm < 125 else (0.1, 0.1)
    kind = rng.choice(6, p=[0.84 - slow - fast, slow, fast, 0.05, 0.06, 0.05])
    if kind == 0:
        struck[per_beat :: 2 * per_beat] = True
    elif kind == 1:
        struck[beats // 2 * per_beat] = True
    elif kind == 2:
        struck[per_beat // 2 :: per_beat] = True
    elif kind == 3:
        struck[::per_beat] = True
    elif kind == 4:
        struck[:] = rng.random(len(struck)) < 0.5 * weights(beats, per_beat)[::-1]
    if kind < 3 and rng.random() < 0.3:
        struck |= rng.random(len(struck)) < 0.08
    return struck


def timekeeping(beats: int, per_beat: int, rng: np.random.Generator) -> str:
    """Steps of one length through the bar, or a cell of one or two beats that returns."""
    steps = beats * per_beat
    kind = rng.choice(5, p=[0.35, 0.15, 0.15, 0.1, 0.25])
    place = np.arange(steps)
    half = per_beat // 2 if per_beat % 2 == 0 else 1
    if kind == 0:
        struck = place % half == 0
    elif kind == 1:
        struck = place % per_beat == 0
    elif kind == 2:
        struck = np.ones(steps, bool)
    elif kind == 3:
        struck = place % per_beat == half
    else:
        cell = per_beat * (2 if beats % 2 == 0 and rng.random() < 0.5 else 1)
        one = rng.random(cell) < rng.uniform(0.35, 0.8)
        one[0] |= rng.random() < 0.8
        struck = np.tile(one, steps // cell)
    accent = rng.choice(3, p=[0.45, 0.4, 0.15])
    loud = [np.zeros(steps, bool), place % per_beat == 0, place % per_beat == half][accent]
    return written(struck, loud)


def groove(beats: int, division: int, bpm: float, rng: np.random.Generator) -> G.Groove:
    """Kick, snare and time, and perhaps one or two colours."""
    per_beat = 3 if division == 3 else int(rng.choice([2, 4, 4])) if bpm < 150 else 2
    played: G.Groove = [(G.KICK, written(kick(beats, per_beat, rng)))]
    loud = np.ones(beats * per_beat, bool) if rng.random() < 0.6 else None
    back = int(rng.choice([G.SNARE, G.SNARE, G.SNARE, G.RIM, G.CLAP]))
    played.append((back, written(snare(beats, per_beat, bpm, rng), loud)))
    if rng.random() < 0.93:
        played.append((int(rng.choice(TIMEKEEPERS)), timekeeping(beats, per_beat, rng)))
    if rng.random() < 0.15:
        played.append((G.PEDAL, written(np.arange(beats * per_beat) % (2 * per_beat) == per_beat)))
    if per_beat == 4 and rng.random() < 0.2:  # ghost notes
        played.append((G.SNARE, "".join("o" if rng.random() < 0.25 else "." for _ in range(4 * beats))))
    for _ in range(rng.choice(3, p=[0.65, 0.25, 0.1])):
        played.append((int(rng.choice(COLOURS)), timekeeping(beats, per_beat, rng)))
    return played
