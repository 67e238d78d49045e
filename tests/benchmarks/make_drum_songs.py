"""Make what the drum network learns from: python -m tests.benchmarks.make_drum_songs FOLDER

Composes songs of `tests/benchmarks/band`, plays their drums on kits drawn by chance (`drum_kits`), half of
them alone, a quarter in the mix, a quarter taken out of the mix again by `Separate`, and writes one .npz
each: `x` (frames, BANDS) bands as `DrumNotes` computes them, `hits` rows of (seconds, class, peak). Needs
FluidSynth, its sound fonts and the recorded kits of `sampled_kits`. What is there is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nodes.pitch.drum_kernels import BANDS, HIGHEST, LOWEST, strike_bands, strike_taper
from nodes.rhythm.accent_kernels import band_weights
from nodes.separate.separate import Separate
from tests.benchmarks.band.mix import mix
from tests.benchmarks.band.render import render
from tests.benchmarks.band.score import Song
from tests.benchmarks.band.styles import STYLES, compose
from tests.benchmarks.drum_kits import CLASS_OF, CLASSES, Kit
from tests.benchmarks.separation_data import run_node

RATE, WINDOW, HOP = 44100, 1024, 128
MEMORY = 3.0  # seconds in which the level halves, as in `DrumNotes`
PERCUSSION = (37, 39, 54, 54, 54, 56, 62, 70, 70, 75)  # tambourines and shakers are hi-hats' doubles
PIECES = (*CLASS_OF, *PERCUSSION)
INSTEAD = {(38, 40): (37, 37, 39), (42, 44): (51, 54, 70), (46,): (49, 54)}  # drummers' other habits

Note = tuple[float, float, int, int]


def bands(audio: np.ndarray) -> np.ndarray:
    """(frames, BANDS) as `DrumNotes` computes them; frame i ends at sample (i + 1) * HOP."""
    first, count, weights = band_weights(RATE, WINDOW // 2 + 1, BANDS, LOWEST, HIGHEST)
    taper = strike_taper(WINDOW)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), audio.astype(np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[HOP::HOP]
    out, level = np.zeros((len(windows), BANDS), np.float32), np.zeros(1, np.float32)
    decay, power = np.float32(0.5 ** (HOP / RATE / MEMORY)), np.zeros(BANDS, np.float32)
    for i in range(0, len(windows), 1024):
        magnitudes = np.abs(np.fft.rfft(windows[i : i + 1024] * taper)).astype(np.float32)
        for k, magnitude in enumerate(magnitudes):
            strike_bands(magnitude, first, count, weights, level, decay, power, out[i + k])
    return out


def varied(notes: list[Note], composed: Song, rng: np.random.Generator) -> list[Note]:
    """The drummer's (onset s, length, piece, velocity), with what no groove has: in some songs."""
    if rng.random() < 0.2:  # any piece at any place, so that the sound alone tells the class
        pieces = [int(rng.choice(PIECES)) for _ in notes]
        notes = [(o, n, p, int(rng.integers(40, 127))) for (o, n, _, _), p in zip(notes, pieces, strict=True)]
    if rng.random() < 0.3:  # ghost notes and flams
        extra = [
            (o + rng.uniform(0.02, 0.2), n, p, int(rng.integers(15, 60)))
            for o, n, p, _ in notes
            if rng.random() < 0.2
        ]
        notes = notes + extra
    for old, others in INSTEAD.items():
        if rng.random() < 0.15:
            new = int(rng.choice(others))
            notes = [(o, n, new if p in old else p, v) for o, n, p, v in notes]
    if rng.random() < 0.35:  # somebody plays percussion
        step, piece = rng.choice([0.25, 0.5, 0.5, 1.0]), int(rng.choice(PERCUSSION))
        loud = rng.uniform(50, 115)
        places = rng.random(16) < rng.uniform(0.4, 1.0)
        accents = rng.uniform(-30, 10, size=16)
        for k in range(int(composed.beats / step)):
            if places[k % 16]:
                onset = composed.tempo.seconds(k * step) + abs(rng.normal(0, 0.006))
                notes = [*notes, (onset, 0.1, piece, int(np.clip(loud + accents[k % 16], 10, 127)))]
    return sorted(notes)


def song(seed: int, index: int, apart: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(audio, hits) of one song; every second one is drums alone. `apart`: on the kits kept apart."""
    rng = np.random.default_rng([seed, index])
    names = [name for name in STYLES if STYLES[name].groove is not None or name == "drums"]
    chance = np.array([STYLES[name].weight for name in names])
    while True:
        style = str(rng.choice(names, p=chance / chance.sum()))
        composed = compose(style, int(rng.integers(1 << 30)), seconds=rng.uniform(15, 25))
        drummers = [player for player in composed.players if player.drums]
        if drummers and len(drummers[0].notes) > 20:
            break
    alone = index % 2 == 0 or len(composed.players) == 1
    notes = varied(composed.timed_notes(drummers[0]), composed, rng)
    players = composed.players
    composed.players = [player for player in players if not player.drums and not alone]
    length = int((composed.tempo.seconds(composed.beats) + 0.7) * RATE)
    stems = render(composed) if composed.players else {}
    drums, truth = Kit(rng, apart).play(notes, length)
    stems = {name: stem for name, stem in stems.items() if np.abs(stem).max() > 1e-4}
    stems["drums"] = drums
    audio = mix(stems, rng)
    if len(stems) > 1 and index % 4 == 3:
        audio = run_node(Separate(mode="stage"), audio, ("drums",))[0]["drums"]
    order = {name: k for k, name in enumerate(CLASSES)}
    return audio, np.array([(at, order[name], peak) for at, name, peak in truth])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1, help="songs of different seeds share no composition")
    parser.add_argument("--apart", action="store_true", help="on the kits kept apart, to choose by")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.songs):
        path = options.folder / f"{index:05d}.npz"
        if not path.exists():
            audio, hits = song(options.seed, index, options.apart)
            np.savez(path, x=bands(audio).astype(np.float16), hits=hits)


if __name__ == "__main__":
    main()
