"""Songs with a singer, stem by stem, for the separation's network to learn from:

    python -m tests.benchmarks.make_separation_songs FOLDER --songs 80

Two thirds are in styles of MMA (`band/accompaniment.py`, needs the program mma), one third are composed by
`band`; sound fonts play them, the drums of half of them on kits drawn by chance (`drum_kits`). A synthetic
singer (`singing`) sings most of the leads, some doubled or in thirds, or talks quickly; the other leads stay
instruments and belong to the rest. Each song is one .npy: int16, (4, samples) at 44.1 kHz, drums, vocals,
bass, rest, each stem at a peak of 0.9. What is there is kept. With --apart the songs are in the styles of MMA
that are never trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tests.benchmarks.band.accompaniment import accompany, choose
from tests.benchmarks.band.bank import RATE
from tests.benchmarks.band.render import render
from tests.benchmarks.band.score import Song
from tests.benchmarks.band.styles import STYLES, compose
from tests.benchmarks.drum_kits import Kit
from tests.benchmarks.singing import Notes, sing

STEMS = ("drums", "vocals", "bass", "rest")
RANGE = (43, 79)  # MIDI pitches that people sing


def melody(players: dict[str, Notes], rng: np.random.Generator) -> Notes:
    """What is sung: the lead, or the top notes of the chords, moved into a singer's range."""
    top: list[tuple[float, float, int, int]] = []
    least = rng.uniform(0.12, 0.35)
    for onset, length, pitch, velocity in sorted(players.get("vocals") or players.get("other") or []):
        if top and onset - top[-1][0] < least:
            if onset - top[-1][0] < 0.05 and pitch > top[-1][2]:
                top[-1] = (top[-1][0], max(length, least), pitch, velocity)
            continue
        top.append((onset, max(length, least), pitch, velocity))
    if not top:
        return []
    centre = rng.uniform(RANGE[0] + 9, RANGE[1] - 9)
    shift = 12 * round((centre - np.median([note[2] for note in top])) / 12)
    notes, gap = [], rng.uniform(0.0, 0.35)
    silent_until = 0.0
    for k, (onset, length, pitch, velocity) in enumerate(top):
        if rng.random() < 0.04:
            silent_until = onset + rng.uniform(1, 5)
        if onset < silent_until:
            continue
        end = top[k + 1][0] if k + 1 < len(top) else onset + length
        held = min(end - onset, max(length, least), 4.0) * (1 - gap * rng.uniform(0, 1))
        moved = int(np.clip(pitch + shift, *RANGE))
        notes.append((onset, held, moved, int(np.clip(velocity * rng.uniform(0.6, 1.2), 20, 127))))
    return notes


def talk(seconds: float, rng: np.random.Generator) -> Notes:
    """Quick syllables of falling pitch in phrases, as of somebody who raps."""
    notes, at, base = [], rng.uniform(0, 2), rng.uniform(44, 58)
    while at < seconds - 3:
        count = int(rng.integers(4, 14))
        for k in range(count):
            length = rng.uniform(0.1, 0.24)
            pitch = int(base + rng.normal(0, 1.5) + 4 * (1 - k / count))
            notes.append((at, length * 0.95, pitch, int(rng.integers(60, 120))))
            at += length
        at += rng.uniform(0.2, 1.5)
    return notes


def voices(notes: Notes, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A singer, at times with a second one in unison or in harmony."""
    out = sing(notes, samples, rng)
    if rng.random() < 0.3:
        interval = int(rng.choice([0, 3, 4, 5, 7, -12, 12]))
        other = [(o + rng.normal(0, 0.015), n, p + interval, v) for o, n, p, v in notes]
        out += sing([(max(0.0, o), n, p, v) for o, n, p, v in other], samples, rng) * rng.uniform(0.3, 0.9)
    return out


def composed_song(seed: int, apart: bool, rng: np.random.Generator) -> Song:
    """A song of MMA's or of our own band; only MMA's have styles that are kept apart."""
    if apart or rng.random() < 2 / 3:
        return accompany(choose(rng, apart), seed)
    names = list(STYLES)
    chance = np.array([STYLES[name].weight for name in names])
    return compose(str(rng.choice(names, p=chance / chance.sum())), seed)


def song_stems(seed: int, apart: bool) -> np.ndarray:
    """(4, samples) float32 of one song: drums, vocals, bass, rest."""
    rng = np.random.default_rng([41, seed])
    return sung(composed_song(seed, apart, rng), rng)


def sung(song: Song, rng: np.random.Generator) -> np.ndarray:
    """Its stems as above, half of the time on a kit drawn by chance, most with a singer."""
    waves = render(song)
    samples = len(next(iter(waves.values())))
    players: dict[str, list[tuple[float, float, int, int]]] = {}
    struck: list[tuple[float, float, int, int]] = []
    for player in song.players:
        (struck if player.drums else players.setdefault(player.stem, [])).extend(song.timed_notes(player))
    silent = np.zeros(samples, np.float32)
    drums, lead, other = (waves.get(stem, silent) for stem in ("drums", "vocals", "other"))
    if struck and rng.random() < 0.5:
        drums = Kit(rng).play(sorted(struck), samples)[0]
    kind = rng.random()
    vocals = silent
    if kind < 0.85:
        notes = talk(samples / RATE, rng) if kind < 0.1 else melody(players, rng)
        vocals = voices(notes, samples, rng)
    if kind > 0.7 and lead.any():
        power = np.sqrt(np.mean(other**2) / max(np.mean(lead**2), 1e-12)) if other.any() else 1.0
        other = other + lead * power * rng.uniform(0.4, 1.5)
    return np.stack([drums, vocals, waves.get("bass", silent), other])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=80)
    parser.add_argument("--first", type=int, default=0, help="number of the first song")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apart", action="store_true", help="in styles that are never trained on")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.first, options.first + options.songs):
        path = options.folder / f"{index:04d}.npy"
        if path.exists():
            continue
        stems = song_stems(options.seed * 100_000 + index, options.apart)
        peaks = np.maximum(np.abs(stems).max(axis=1, keepdims=True), 1e-6)
        np.save(path, (stems / peaks * 0.9 * 32767 * (peaks > 1e-5)).astype(np.int16))


if __name__ == "__main__":
    main()
