"""Render a set of songs: python -m tests.benchmarks.band FOLDER --songs 200 --seed 1

Every song becomes a folder with one FLAC per stem, `beats.txt` (seconds, position
in the bar), `notes.txt` (stem, onset, length, pitch, velocity) and `song.json`. With --accompanied the songs
are those of `accompaniment` (needs mma), not the band's own.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

from .accompaniment import accompany, choose
from .bank import RATE
from .render import render
from .score import Song
from .styles import STYLES, compose


def write_song(folder: Path, song: Song) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, wave in render(song).items():
        sf.write(folder / f"{name}.flac", np.clip(wave, -1, 1), RATE, subtype="PCM_16")
    np.savetxt(folder / "beats.txt", song.beat_times(), fmt=["%.4f", "%d"], delimiter="\t")
    with open(folder / "notes.txt", "w") as out:
        for player in song.players:
            for onset, length, pitch, velocity in song.timed_notes(player):
                out.write(f"{player.stem}\t{onset:.4f}\t{length:.4f}\t{pitch}\t{velocity}\n")
    about = {
        "style": song.style,
        "seed": song.seed,
        "meter": song.meter,
        "division": song.division,
        "swing": round(song.swing, 3),
    }
    (folder / "song.json").write_text(json.dumps(about))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument(
        "--seed", type=int, default=1, help="songs of different seeds never share a composition"
    )
    parser.add_argument("--accompanied", action="store_true", help="styles of MMA, but those kept apart")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    names = list(STYLES)
    weights = np.array([STYLES[n].weight for n in names])
    for index in range(options.songs):
        if options.accompanied:
            style = choose(rng, apart=False)
        elif index < len(names):
            style = names[index]
        else:
            style = str(rng.choice(names, p=weights / weights.sum()))
        folder, seed = (
            options.folder / f"{index:04d}_{style.replace('/', '-')}",
            options.seed * 100_000 + index,
        )
        if not (folder / "song.json").exists():
            write_song(folder, accompany(style, seed) if options.accompanied else compose(style, seed))
        print(f"\r{index + 1}/{options.songs} {style:12s}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
