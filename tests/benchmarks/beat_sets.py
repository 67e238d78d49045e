"""Music with annotated beats for bench_beats, each set as clips: name, audio at 44.1 kHz, beats.

Beats are rows of (seconds, place in the bar from 1). The folders are those of FOLLOWSPOT_DATA
(default ../shared/data).
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

RATE = 44100
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.25)
DATA = Path(os.environ.get("FOLLOWSPOT_DATA", "../shared/data"))
Clip = tuple[str, np.ndarray, np.ndarray]


def songs(count: int, stems: str = "*.flac") -> Iterator[Clip]:
    """real songs at five speeds"""
    for folder in sorted((DATA / "mdb").iterdir())[:count]:
        mix = np.sum([sf.read(f, dtype="float32")[0] for f in sorted(folder.glob(stems))], axis=0)
        rows = np.array(
            [[float(v) for v in line.split()] for line in (folder / "beats.txt").read_text().splitlines()]
        )
        for speed in SPEEDS:
            audio = mix if speed == 1.0 else soxr.resample(mix, RATE, RATE / speed)
            yield f"{folder.name} x{speed}", audio.astype(np.float32), rows / [speed, 1.0]


def drums(count: int) -> Iterator[Clip]:
    """their drum stems at five speeds"""
    return songs(count, "drums.flac")


def grid(count: int, divide: int = 1) -> Iterator[Clip]:
    """produced electronic tracks of constant tempo"""
    for folder in sorted((DATA / "grid").iterdir())[:count]:
        (file,) = folder.glob("mix.*")
        audio, rate = sf.read(file, dtype="float32", always_2d=True)
        mono = soxr.resample(audio.mean(axis=1), rate, RATE)
        about = json.loads((folder / "grid.json").read_text())
        times = np.arange(about["first_beat_seconds"], len(mono) / RATE, 60 / about["bpm"])[::divide]
        yield folder.name, mono, np.stack([times, np.arange(len(times)) % 4 + 1], axis=1)


def grid_half(count: int) -> Iterator[Clip]:
    """the same, with every other beat as the truth"""
    return grid(count, 2)


def piano(count: int, seconds: float = 60.0) -> Iterator[Clip]:
    """expressive piano, one pianist a piece, the first minute (needs FluidSynth)"""
    from tests.benchmarks.follow_data import render

    for turn, folder in enumerate(sorted((DATA / "asap").iterdir())[:count]):
        midi = sorted(path for path in folder.glob("*.mid") if path.stem != "score")[0]
        audio, _ = sf.read(
            render(midi, f"asap-{folder.name}-{midi.stem}", turn),
            frames=round(seconds * RATE),
            dtype="float32",
        )
        lines = [line.split("\t") for line in (folder / f"{midi.stem}_beats.txt").read_text().splitlines()]
        place, rows = 0, []
        for start, _, label in lines:
            place = 1 if label.startswith("db") else place + 1
            rows.append((float(start), float(place)))
        beats = np.array(rows)
        yield folder.name, audio, beats[beats[:, 0] < len(audio) / RATE - 0.1]


def synthetic(count: int) -> Iterator[Clip]:
    """composed songs that nothing was trained on (needs FluidSynth)"""
    from tests.benchmarks.band.mix import mix
    from tests.benchmarks.band.render import render
    from tests.benchmarks.band.styles import STYLES, compose

    for index in range(count):
        style = list(STYLES)[index % len(STYLES)]
        song = compose(style, 9_000_000 + index)
        yield style, mix(render(song), np.random.default_rng(index)), song.beat_times()


def apart(count: int) -> Iterator[Clip]:
    """songs in styles of MMA that nothing was trained on (needs FluidSynth and mma)"""
    from tests.benchmarks.make_beat_songs import accompanied

    return (accompanied(7, index, "apart", late=0.15) for index in range(count))


def sung(count: int) -> Iterator[Clip]:
    """sung songs not trained on, half in styles drawn by chance (needs FluidSynth, mma, `sampled_kits`)"""
    from tests.benchmarks.make_beat_songs import sung_song

    return (sung_song(5, index, late=0.15) for index in range(count))


def games(count: int) -> Iterator[Clip]:
    """songs written for free games, the first minute (needs FluidSynth and `game_songs`)"""
    from tests.benchmarks.follow_data import BUILD, render
    from tests.benchmarks.game_songs import SECONDS, files, written

    sure = ((name, content, song) for name, content in files() if (song := written(content)) is not None)
    for turn, (name, content, (beats, begins)) in enumerate(itertools.islice(sure, count)):
        BUILD.mkdir(parents=True, exist_ok=True)
        midi = BUILD / f"game-{name}.mid"
        midi.write_bytes(content)
        audio, _ = sf.read(render(midi, midi.stem, turn), dtype="float32")
        start = max(0, round((begins - 0.3) * RATE))
        audio = audio[start : start + round(SECONDS * RATE)]
        beats = beats - [start / RATE, 0.0]
        yield name, audio, beats[beats[:, 0] < len(audio) / RATE - 0.1]


SETS: dict[str, Callable[[int], Iterator[Clip]]] = {
    each.__name__: each for each in (songs, drums, grid, grid_half, piano, synthetic, apart, sung, games)
}
