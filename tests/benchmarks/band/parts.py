"""Bass, chord and melody parts: functions that write one section of notes for a player."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .score import Player


@dataclass
class Chord:
    """Root as MIDI pitch class with octave (bass register), intervals above it."""

    root: int
    tones: tuple[int, ...]


@dataclass
class Bar:
    """One bar of a song: where it starts, how long, its chord and the song's riff rhythm."""

    start: float
    beats: int
    division: int
    chord: Chord
    following: Chord
    riff: list[tuple[float, float, int]]  # (position, length, interval above the root)
    kicks: list[float]
    rng: np.random.Generator


def rhythm(
    beats: int, division: int, density: float, syncopation: float, rng: np.random.Generator
) -> list[float]:
    """Onset positions in a bar; `syncopation` moves weight from beats to off-beats."""
    per_beat = division if division == 3 else int(rng.choice([2, 2, 4]))
    out = []
    for step in range(beats * per_beat):
        on_beat = step % per_beat == 0
        eighth = per_beat == 4 and step % 2 == 0
        weight = (1.0 - syncopation) if on_beat else syncopation * (0.9 if eighth or per_beat < 4 else 0.55)
        if rng.random() < np.clip(2.0 * density * weight, 0, 1):
            out.append(step / per_beat)
    return out


def make_riff(beats: int, division: int, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    """A riff of one bar that may mask the pulse: random syncopation, or groups of three steps across it."""
    per_beat = division if division == 3 else int(rng.choice([2, 4, 4]))
    if division != 3 and rng.random() < 0.4:
        places = [step / per_beat for step in range(0, beats * per_beat, 3)]
        if rng.random() < 0.5:
            places = sorted({*places, *(p for p in (1 / per_beat, 2.0) if rng.random() < 0.4)})
    else:
        places = rhythm(beats, division, rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.7), rng) or [0.0]
    shift = [0, 0, 0, 1][rng.integers(4)] / per_beat
    places = sorted({(p + shift) % beats for p in places})
    ends = [*places[1:], float(beats)]
    steps = [0, 0, 3, 5, 7, 10, 12]
    return [(p, (e - p) * 0.9, steps[rng.integers(len(steps))]) for p, e in zip(places, ends, strict=True)]


# --- bass -----------------------------------------------------------------------------------------


def bass_part(mode: str, player: Player, bar: Bar) -> None:
    rng, root = bar.rng, bar.chord.root
    places: list[tuple[float, float, int]]
    halves = bar.beats * 2
    if mode == "eighths":
        per = bar.division
        places = [(i / per, 0.85 / per, 0 if rng.random() < 0.9 else 7) for i in range(bar.beats * per)]
    elif mode == "kick":
        places = [(p, 0.4, [0, 0, 0, 7, 12][rng.integers(5)]) for p in (bar.kicks or [0.0])]
    elif mode == "walk":
        tones = [0, *bar.chord.tones, 12, 5, 9, 2]
        places = [
            (float(b), 0.9, 0 if b == 0 else int(tones[rng.integers(len(tones))])) for b in range(bar.beats)
        ]
        places[-1] = (bar.beats - 1.0, 0.9, bar.following.root - root + int(rng.choice([-1, 1, 2, -2])))
        if rng.random() < 0.25:
            off = 2 / 3 if bar.division == 3 else 0.5
            places.append((int(rng.integers(bar.beats)) + off, 0.3, 7))
    elif mode == "two":
        places = [(float(b), 1.6, 0 if b % 4 == 0 else 7) for b in range(0, bar.beats, 2)]
    elif mode == "one":
        places = [(0.0, bar.beats * 0.9, 0)]
    elif mode == "boom":
        places = [
            (float(b), 0.8, 0 if (b // 2) % 2 == 0 else -5)
            for b in range(0, bar.beats, 2 if bar.beats % 2 == 0 else bar.beats)
        ]
    elif mode == "tumbao":
        places = [(1.5, 1.4, 7), (3.0, 1.0, bar.following.root - root)]
    elif mode == "bossa":
        places = [(0.0, 1.4, 0), (1.5, 0.5, 7), (2.0, 1.4, 7), (3.5, 0.5, 0)]
    elif mode == "off":
        places = [(i / 2, 0.4, 0) for i in range(1, halves, 2)]
    elif mode == "octaves":
        places = [(i / 2, 0.4, 0 if i % 2 == 0 else 12) for i in range(halves)]
    elif mode == "funk":
        places = [(0.0, 0.4, 0)] + [
            (p, 0.25, [0, 10, 12, 7, 3][rng.integers(5)])
            for p in rhythm(bar.beats, 2, 0.4, 0.65, rng)
            if p > 0
        ]
    elif mode == "dub":
        places = [
            (p, 0.6, [0, 7, 12, 3][rng.integers(4)])
            for p in rhythm(bar.beats, 2, 0.4, 0.5, rng)
            if p > 0 or rng.random() < 0.4
        ]
    elif mode == "shuffle":
        line = [0, 4, 7, 9, 10, 9, 7, 4]
        places = [(float(b), 0.6, line[b % 8]) for b in range(bar.beats)] + [
            (b + 2 / 3, 0.3, line[b % 8]) for b in range(bar.beats)
        ]
    else:  # riff
        places = bar.riff
    for place, length, interval in places:
        if place < bar.beats:
            player.play(bar.start + place, root + interval, 96 + rng.normal(0, 7) + 6 * (place == 0), length)


# --- chords ---------------------------------------------------------------------------------------


def chord_part(mode: str, player: Player, bar: Bar) -> None:
    rng = bar.rng
    third = bar.division == 3
    off = 2 / 3 if third else 0.5
    beats = range(bar.beats)
    voicing = [bar.chord.root + 24 + t for t in bar.chord.tones]
    places: list[tuple[float, float, float]]
    if mode == "pad":
        places = [(0.0, bar.beats * 0.97, 70)]
    elif mode == "strum":
        per = bar.division
        places = [
            (b + i / per, 0.8 / per, 92 if i == 0 else 70)
            for b in beats
            for i in range(per)
            if i == 0 or rng.random() < 0.8
        ]
    elif mode == "strum16":
        hits = [
            i / 4
            for i in range(bar.beats * 4)
            if rng.random() < (0.9 if i % 4 == 0 else 0.6 if i % 2 == 0 else 0.35)
        ]
        places = [(p, 0.2, 90 if p % 1 == 0 else 72) for p in hits]
    elif mode == "skank":
        places = [(b + off, 0.25, 104) for b in beats]
    elif mode == "backbeat":
        places = [(float(b), 0.3, 100) for b in beats if b % 2 == 1 or (bar.beats == 3 and b > 0)]
    elif mode == "doubleskank":
        places = [(b + q, 0.15, 100) for b in beats for q in (0.5, 0.75)]
    elif mode == "chug":
        per = 3 if third else (4 if len(bar.riff) % 2 else 2)
        places = [(b + i / per, 0.6 / per, 108 if i == 0 else 88) for b in beats for i in range(per)]
        voicing = [bar.chord.root + 12, bar.chord.root + 19]
    elif mode == "riff":
        for place, length, interval in bar.riff:
            for tone in (12, 19) if rng.random() < 0.7 else (12,):
                player.play(
                    bar.start + place, bar.chord.root + interval + tone, 104 + rng.normal(0, 6), length
                )
        return
    elif mode == "arpeggio":
        per = 3 if third else [2, 4][len(bar.riff) % 2]
        tones = [*voicing, voicing[0] + 12, *voicing[::-1]]
        for i in range(bar.beats * per):
            player.play(bar.start + i / per, tones[i % len(tones)], 78 + 14 * (i % per == 0), 0.9 / per)
        return
    elif mode == "charleston":
        places = [(0.0, 0.7, 92), (1.0 + off, 0.4, 96)] if bar.beats >= 2 else [(0.0, 0.7, 90)]
    elif mode == "comp":
        places = [
            (p, 0.35, 88 + rng.normal(0, 8)) for p in rhythm(bar.beats, 3 if third else 2, 0.28, 0.65, rng)
        ]
    elif mode == "four":
        places = [(float(b), 0.5, 84 + 10 * (b % 2)) for b in beats]
    elif mode == "oompah":
        places = [(float(b), 0.4, 84) for b in beats if b % bar.beats and (bar.beats == 3 or b % 2)]
    elif mode == "montuno":
        cell = (
            [0.0, 1.0, 1.5, 2.5, 3.5] if round(bar.start / bar.beats) % 2 == 0 else [0.5, 1.5, 2.5, 3.0, 3.5]
        )
        for i, p in enumerate(cell):
            for tone in (voicing[i % len(voicing)], voicing[i % len(voicing)] + 12):
                player.play(bar.start + p, tone, 98, 0.35)
        return
    elif mode == "bossa":
        cell = [0.0, 1.0, 2.5] if round(bar.start / bar.beats) % 2 == 0 else [0.5, 1.5, 3.0]
        places = [(p, 0.4, 84) for p in cell]
    else:  # stabs
        places = [
            (p, 0.25, 104)
            for p in rhythm(bar.beats, bar.division, 0.2, 0.75, np.random.default_rng(len(bar.riff)))
        ]
    for place, length, velocity in places:
        if place >= bar.beats:
            continue
        for index, tone in enumerate(voicing):
            player.play(bar.start + place + 0.004 * index, tone, velocity + rng.normal(0, 5), length)


# --- melody ---------------------------------------------------------------------------------------


def melody_part(
    player: Player,
    bar: Bar,
    scale: list[int],
    state: dict[str, float],
    register: int,
    density: float,
    syncopation: float,
) -> None:
    """A line over one bar: random walk on a scale, phrases with rests, motifs kept for a few bars."""
    rng = bar.rng
    if rng.random() < state.get("rest", 0.2):
        return
    places = rhythm(bar.beats, bar.division, density, syncopation, rng)
    degree = state.get("degree", 0.0)
    for index, place in enumerate(places):
        degree += rng.choice(
            [-2, -1, -1, 0, 1, 1, 2, 4, -4], p=[0.1, 0.2, 0.1, 0.1, 0.2, 0.1, 0.1, 0.05, 0.05]
        )
        degree = float(np.clip(degree, -5, 9))
        octave, step = divmod(int(degree), len(scale))
        end = places[index + 1] if index + 1 < len(places) else float(bar.beats)
        length = (end - place) * rng.uniform(0.5, 1.0)
        player.play(bar.start + place, register + 12 * octave + scale[step], 92 + rng.normal(0, 9), length)
    state["degree"] = degree
