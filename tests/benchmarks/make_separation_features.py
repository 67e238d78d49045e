"""Turn stems into what the separation's network is trained on:

    python -m tests.benchmarks.make_separation_features SONGS FOLDER --mode stage --pieces 800

Each piece is 16 s mixed from the stems that `make_separation_songs` has made, half of the time from four
different songs, each stem at its own gain, speed, equaliser, compressor and room. Written is one .npz a
piece, frames first: `bands` (KINDS, BANDS) of every frame and, for some of the bins of every third frame
(`seen`), `percussive`, `repeats` and `fresh` of `nodes.separate.evidence`, the mix's log power `power`, and
`share` (3,): the real gain of drums, vocals and bass that is best for the bin; `energy` (4,) of each stem in
these bins.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soxr
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import fftconvolve

from nodes.separate.bands import BANDS
from nodes.separate.evidence import KINDS, Evidence
from nodes.separate.masked import MODES, framing_of
from nodes.spectral.tapers import taper
from tests.benchmarks.band.mix import compress, normalise, room, tilt

RATE, SECONDS = 44100, 16
EVERY = 3  # one frame in so many has its bins written: neighbours tell almost the same
STEMS = ("drums", "vocals", "bass", "rest")


def chosen_bins(window: int) -> tuple[np.ndarray, np.ndarray]:
    """Bins that the loss looks at, all up to 1.4 kHz, fewer above, and how many each stands for."""
    edges = [int(hertz / RATE * window) for hertz in (0, 1400, 5500, 17000)]
    steps = [1, window // 512, window // 128]
    parts = [np.arange(*edges[k : k + 2], step) for k, step in enumerate(steps)]
    weights = [np.full(len(part), step) for part, step in zip(parts, steps, strict=True)]
    return np.concatenate(parts), np.concatenate(weights).astype(np.float32)


def equalise(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tone control of six knobs, turned by chance."""
    size = next_fast_len(len(wave), real=True)
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 20.0)
    knobs = np.geomspace(50, 14000, 6) * np.exp(rng.uniform(-0.3, 0.3, 6))
    gain = np.interp(np.log(frequency), np.log(knobs), rng.normal(0, rng.uniform(0, 6), 6))
    return irfft(rfft(wave, size) * (10 ** (gain / 20)).astype(np.float32), size)[: len(wave)]


def _stem(songs: list[Path], first: Path, kind: int, mixed: bool, rng: np.random.Generator) -> np.ndarray:
    """A cut of one stem, mono, RMS 1, worn; zeros where the song has none."""
    length = SECONDS * RATE
    path = songs[rng.integers(len(songs))] if mixed else first
    whole = np.load(path, mmap_mode="r")[kind]
    speed = float(np.exp(rng.uniform(-0.2, 0.2))) if mixed else 1.0
    count = int(length * speed)
    start = int(rng.integers(0, max(1, len(whole) - count))) if mixed else 0
    wave = whole[start : start + count].astype(np.float32) / 32767
    if np.sqrt(np.mean(wave**2)) < 1e-3:
        return np.zeros(length, np.float32)
    if speed != 1.0:
        wave = soxr.resample(wave, RATE * speed, RATE, quality="MQ").astype(np.float32)
    wave = normalise(np.pad(wave, (0, max(0, length - len(wave))))[:length])
    if rng.random() < 0.8:
        wave = equalise(wave, rng)
    if rng.random() < (0.5, 0.6, 0.3, 0.3)[kind]:
        wave = compress(normalise(wave), rng.uniform(1.5, 5))
    if kind and rng.random() < (0, 0.15, 0.4, 0.4)[kind]:
        wave = np.tanh(normalise(wave) * rng.uniform(0.5, 6)).astype(np.float32)
    if rng.random() < (0.6, 0.6, 0.1, 0.4)[kind]:
        wave = fftconvolve(wave, room(rng.uniform(0.1, 1.2), rng))[:length].astype(np.float32)
    if kind == 1 and rng.random() < 0.15:
        delay = int(rng.uniform(0.08, 0.45) * RATE)
        wave[delay:] += rng.uniform(0.1, 0.4) * wave[:-delay].copy()
    return normalise(wave)


def piece(songs: list[Path], rng: np.random.Generator) -> np.ndarray:
    """Stems (4, samples) of one piece; their sum is the mix."""
    mixed = rng.random() < 0.5
    first = songs[rng.integers(len(songs))]
    stems = np.stack([_stem(songs, first, kind, mixed, rng) for kind in range(4)])
    gains = 10 ** (rng.normal(0, 4, 4) / 20) * (rng.random(4) > (0.06, 0.12, 0.08, 0.05))
    stems *= gains[:, None].astype(np.float32)
    if rng.random() < 0.4:
        hiss = tilt(rng.normal(size=stems.shape[1]).astype(np.float32), rng.uniform(-6, 0))
        stems[3] += hiss * 10 ** (-rng.uniform(20, 50) / 20)
    return stems * 0.1


def spectra(wave: np.ndarray, window: int, hop: int, shape: np.ndarray) -> np.ndarray:
    """(frames, bins) complex; frame i ends at sample (i + 1) * hop, zeros before the start."""
    padded = np.concatenate([np.zeros(window, np.float32), wave])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[hop::hop]
    return np.fft.rfft(windows * shape, axis=1).astype(np.complex64)


def features(stems: np.ndarray, mode: str) -> dict[str, np.ndarray]:
    """What one piece is written as."""
    window, hop, look_ahead = framing_of(mode, RATE)
    shape = taper("sine" if 2 * hop == window else "hann", window)
    mix = spectra(stems.sum(axis=0), window, hop, shape)
    bins, weights = chosen_bins(window)
    seen = np.arange(EVERY - 1, len(mix), EVERY)
    power = (np.abs(mix) ** 2).astype(np.float32)
    parts = np.stack([spectra(stem, window, hop, shape)[seen][:, bins] for stem in stems], axis=1)
    chosen = power[seen][:, bins] + 1e-9
    share = (mix[seen][:, None, bins].conj() * parts[:, :3]).real / chosen[:, None]
    evidence = Evidence(window, hop, RATE, look_ahead)
    bands = np.zeros((len(mix), KINDS, BANDS), np.float16)
    percussive, repeats, fresh = np.zeros((3, len(mix), len(bins)), np.float16)
    for i in range(-look_ahead, len(power)):
        evidence.step(power[min(i + look_ahead, len(power) - 1)])
        if i < 0:
            continue
        bands[i], percussive[i], repeats[i], fresh[i] = (
            evidence.bands, evidence.percussive[bins], evidence.repeats[bins], evidence.fresh[bins],
        )  # fmt: skip
    return {
        "bands": bands,
        "seen": seen,
        "percussive": percussive[seen],
        "repeats": repeats[seen],
        "fresh": fresh[seen],
        "power": np.log(chosen).astype(np.float16),
        "share": np.clip(share, -4, 4).astype(np.float16),
        "energy": ((np.abs(parts) ** 2) * weights).sum(axis=2).astype(np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("songs", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mode", choices=tuple(MODES), default="stage")
    parser.add_argument("--pieces", type=int, default=800)
    parser.add_argument("--first", type=int, default=0, help="number of the first piece")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.first, options.first + options.pieces):
        path = options.folder / f"{index:05d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([17, index])
        songs = sorted(options.songs.glob("[0-9]*.npy"))
        made = features(piece(songs, rng), options.mode)
        part = path.with_name(f"part-{path.stem}.npz")
        np.savez(part, **made)
        part.rename(path)


if __name__ == "__main__":
    main()
