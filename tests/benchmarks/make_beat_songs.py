"""Make what the beat network learns from: python -m tests.benchmarks.make_beat_songs FOLDER

Composes and renders songs of `tests/benchmarks/band` (needs fluidsynth and its sound fonts), some begun late
or played faster and slower, and pieces in which noise stands alone or takes over, and writes one .npz each:
`x` (frames, 32) bands, `chroma` (frames / 2, 12), `beats` rows of (seconds, place in the bar), `style`; with
--drums also `drums` and `drums_chroma`, the same of the drums that `DrumSpectrum` takes out of the mix.
What is there is kept.

With `--accompanied train` the songs are MMA's (`band/accompaniment.py`, needs the program mma), some of them
as their drums alone or without drums; with `--accompanied apart` in the styles that are never trained on;
with `--accompanied busy` slow ones of the trained styles with even strokes between the beats on top; with
`--accompanied sparse` fast ones with few strokes. With `--sung` half of the songs are in styles drawn by
chance (`band/chance.py`) and half MMA's in trained ones, most with a singer, half of them on a kit drawn by
chance (needs the recordings of `sampled_kits`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from engine.node import FramesFormat
from nodes.rhythm.accent_kernels import (
    BANDS,
    CLASSES,
    accent_bands,
    add_chroma,
    band_weights,
    pitch_places,
)
from nodes.separate.drum_spectrum import DrumSpectrum
from tests.benchmarks.band.accompaniment import accompany, choose
from tests.benchmarks.band.mix import mix
from tests.benchmarks.band.render import render
from tests.benchmarks.band.styles import STYLES, compose
from tests.benchmarks.make_separation_songs import sung

RATE, WINDOW, HOP = 44100, 2048, 512
MEMORY = 3.0  # seconds in which the level halves, as in `BeatActivation`


def spectra(audio: np.ndarray) -> np.ndarray:
    """Magnitudes (frames, bins) as those of `Stft`; frame i ends at sample (i + 1) * HOP."""
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), audio.astype(np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[HOP::HOP]
    return np.array([np.abs(np.fft.rfft(w * hann)).astype(np.float32) / WINDOW for w in windows])


def drums_of(magnitudes: np.ndarray) -> np.ndarray:
    """The magnitudes of the drums alone, as `DrumSpectrum` takes them out."""
    node = DrumSpectrum()
    node.prepare(FramesFormat(rate=RATE, hop=HOP, origin=0, shape=magnitudes.shape[1:]))
    out = np.zeros_like(magnitudes)
    for magnitude, drums in zip(magnitudes, out, strict=True):
        node.step(magnitude, drums)
    return out


def features(magnitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bands (frames, BANDS) and chroma of every two frames as `BeatActivation` computes them."""
    first, count, weights = band_weights(RATE, WINDOW // 2 + 1)
    out, level = np.zeros((len(magnitudes), BANDS), np.float32), np.zeros(1, np.float32)
    places, chroma = pitch_places(RATE, WINDOW // 2 + 1), np.zeros((len(out) // 2, CLASSES), np.float32)
    decay = np.float32(0.5 ** (HOP / RATE / MEMORY))
    for i, magnitude in enumerate(magnitudes):
        accent_bands(magnitude, first, count, weights, level, decay, out[i])
        if i < 2 * len(chroma):
            add_chroma(magnitude, *places, chroma[i // 2])
    return out.astype(np.float16), chroma.astype(np.float16)


def write(path: Path, audio: np.ndarray, drums: bool, beats: np.ndarray, style: str) -> None:
    """One song's features, its beats and its style."""
    magnitudes = spectra(audio)
    (bands, chroma), more = features(magnitudes), {}
    if drums:
        more["drums"], more["drums_chroma"] = features(drums_of(magnitudes))
    np.savez(path, x=bands, chroma=chroma, beats=beats, style=style, **more)


def song(seed: int, index: int, late: float) -> tuple[str, np.ndarray, np.ndarray]:
    """(style, audio, beats) of one song; with probability `late` it begins after a silence."""
    rng = np.random.default_rng([seed, index])
    names = list(STYLES)
    chance = np.array([STYLES[name].weight for name in names])
    style = names[index] if index < len(names) else str(rng.choice(names, p=chance / chance.sum()))
    composed = compose(style, seed * 100000 + index)
    stems = {name: stem for name, stem in render(composed).items() if np.abs(stem).max() > 1e-4}
    speed = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25)))) if rng.random() < 0.5 else 1.0
    audio = mix(stems, rng, speed, drop_drums=rng.random() < 0.06)
    audio, beats = delayed(audio, composed.beat_times() / [speed, 1.0], late, rng)
    return style, audio, beats


def accompanied(seed: int, index: int, kind: str, late: float) -> tuple[str, np.ndarray, np.ndarray]:
    """(style, audio, beats) of a song in a style of MMA's: the mix, its drums alone, or all but the drums."""
    rng = np.random.default_rng([55, seed, index])
    name = choose(rng, kind == "apart", kind)
    composed = accompany(name, seed * 100000 + index, lean=kind)
    stems = {stem: wave for stem, wave in render(composed).items() if np.abs(wave).max() > 1e-4}
    audio, beats = played(stems, composed.beat_times(), rng, (0.16, 0.26), (0.9, 1.11), late)
    return name, audio, beats


def sung_song(seed: int, index: int, late: float) -> tuple[str, np.ndarray, np.ndarray]:
    """(style, audio, beats) of a song with a singer, in a style drawn by chance or in one of MMA's."""
    rng = np.random.default_rng([56, seed, index])
    number = 50_000_000 + seed * 100_000 + index
    name = "chance" if index % 2 else choose(rng, False, "train")
    composed = compose(name, number) if index % 2 else accompany(name, number)
    waves = dict(zip(("drums", "vocals", "bass", "other"), sung(composed, rng), strict=True))
    stems = {stem: wave for stem, wave in waves.items() if np.abs(wave).max() > 1e-4}
    audio, beats = played(stems, composed.beat_times(), rng, (0.1, 0.16), (0.85, 1.18), late)
    return name, audio, beats


def played(
    stems: dict[str, np.ndarray],
    beats: np.ndarray,
    rng: np.random.Generator,
    parts: tuple[float, float],
    speeds: tuple[float, float],
    late: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The mix and its beats; up to the first of `parts` of all songs as their drums alone, up to the second
    without drums; half of them at another speed."""
    part = rng.random()
    if part < parts[0] and "drums" in stems:
        stems = {"drums": stems["drums"]}
    elif part < parts[1] and len(stems) > 1:
        stems = {name: wave for name, wave in stems.items() if name != "drums"}
    speed = float(np.exp(rng.uniform(*np.log(speeds)))) if rng.random() < 0.5 else 1.0
    return delayed(mix(stems, rng, speed), beats / [speed, 1.0], late, rng)


def delayed(
    audio: np.ndarray, beats: np.ndarray, late: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """With probability `late` it begins after a silence."""
    if rng.random() < late:
        wait = int(rng.uniform(0.2, 5) * RATE)
        floor = 1e-5 * rng.normal(size=wait) * (rng.random() < 0.5)
        audio = np.concatenate([floor.astype(np.float32), audio])
        beats = beats + np.array([wait / RATE, 0.0])
    return audio, beats


def noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Coloured noise, some of it swelling like talk or pattering like applause, of unit power."""
    pole = rng.uniform(0, 0.99)
    wave = lfilter([1 - pole], [1, -pole], rng.normal(size=samples))
    kind = rng.integers(4)
    if kind == 1:
        wave = wave * np.abs(lfilter([1], [1, -0.9997], rng.normal(size=samples)))
    elif kind == 2:
        claps = (rng.random(samples) < rng.uniform(3, 60) / RATE).astype(float)
        wave = wave * (lfilter([1], [1, -0.9985], claps) + 0.02)
    return np.asarray(wave / np.std(wave), np.float32)


def interrupted(seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """(audio, beats): noise alone, or a song that gives way to noise and, perhaps, another song after it."""
    rng = np.random.default_rng([99, seed, index])
    if index % 3 == 0:
        return noise(25 * RATE, rng) * 10 ** (-rng.uniform(0, 2)), np.zeros((0, 2))
    _, audio, beats = song(seed + 1, index, late=0.1)
    audio = audio[: int(rng.uniform(8, 18) * RATE)]
    faint = 1e-3 if index % 3 == 2 and rng.random() < 0.5 else 1.0
    level = 10 ** (-rng.uniform(0, 2.5)) * np.std(audio) * faint
    parts, times = [audio, noise(14 * RATE, rng) * level], [beats[beats[:, 0] < len(audio) / RATE]]
    if rng.random() < 0.5:
        _, after, more = song(seed + 2, index, late=0.1)
        more[:, 0] += sum(map(len, parts)) / RATE
        parts.append(after[: 15 * RATE])
        times.append(more[more[:, 0] < sum(map(len, parts)) / RATE])
    return np.concatenate(parts), np.concatenate(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=402)
    parser.add_argument("--first", type=int, default=0, help="number of the first song")
    parser.add_argument("--accompanied", choices=("train", "busy", "sparse", "apart"))
    parser.add_argument("--sung", action="store_true", help="in styles drawn by chance or of MMA, sung")
    parser.add_argument("--drums", action="store_true", help="the drums beside the mix")
    parser.add_argument("--noise", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1, help="songs of different seeds share no composition")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.first, options.first + options.songs):
        path = options.folder / f"{index:05d}.npz"
        if not path.exists():
            if options.sung:
                style, audio, beats = sung_song(options.seed, index, late=0.15)
            elif options.accompanied:
                style, audio, beats = accompanied(options.seed, index, options.accompanied, late=0.15)
            else:
                style, audio, beats = song(options.seed, index, late=0.25)
            write(path, audio, options.drums, beats, style)
    for index in range(options.noise):
        path = options.folder / f"n{index:04d}.npz"
        if not path.exists():
            audio, beats = interrupted(options.seed + 76, index)
            write(path, audio, options.drums, beats, "noise")


if __name__ == "__main__":
    main()
