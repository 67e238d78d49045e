"""Train the shingle network: python -m tests.benchmarks.train_shingle_network OUT [--pieces N] [--minutes M]

OUT is the .npz of weights that `nodes/match/shingle_network.py` reads. Pieces are composed here, and each is
played three times: at another tempo with rubato, another touch, pedal, overtones, wrong notes and noise. A
triplet is the 20 s around one moment of the score in two of the versions, and those of another piece. All
from the same seed; no recording of anybody is used. Needs torch (tested with 2.13, CPU, one thread).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nodes.match import features
from nodes.match.shingles import principal, shingles

Array = Any
#: The shingle: 20 s in cells of 1 s.
SECONDS, CELLS = 20, 20
#: Seconds of a score; versions of a piece; moments of a piece that are kept.
SCORE, VERSIONS, MOMENTS = 60.0, 3, 8
#: Numbers that the network gives, the first of which are trained to do alone, too.
DIMENSIONS, NESTED = 30, (30, 12, 6)
HIDDEN = 384
MARGIN = 0.3

SCALES = np.array([[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11], [0, 2, 3, 5, 7, 8, 10]])


def composed_notes(noise: np.random.Generator) -> Array:
    """A made-up piece: notes (n, 4) of onset and length in seconds, MIDI pitch, 1 for the melody."""
    beat = noise.uniform(0.3, 0.9)
    scale, tonic = SCALES[noise.integers(len(SCALES))], int(noise.integers(12))
    colour = noise.uniform(0.0, 0.35)  # share of notes out of the scale
    notes: list[tuple[float, float, float, float]] = []

    def pitch(degree: int, low: int) -> int:
        return low + int(tonic + scale[degree % 7] + 12 * (degree // 7))

    at, melody, degree = 0.0, 7, 0
    texture, bars, theme = 0, 0, None
    while at < SCORE:
        if bars == 0:
            texture, bars = int(noise.integers(5)), int(noise.integers(2, 9))
            tonic = (tonic + int(noise.choice([0, 0, 0, 5, 7, 3, 9]))) % 12
            theme = noise.integers(-2, 3, 8)
        bars -= 1
        degree = int(noise.choice([0, 3, 4, 5, 1, 2, degree], p=[0.25, 0.2, 0.2, 0.12, 0.1, 0.05, 0.08]))
        chord = [pitch(degree + step, 36) for step in (0, 2, 4)]
        if noise.random() < colour:
            chord[1] += int(noise.choice([-1, 1]))
        length = 4 * beat
        if texture == 0:
            notes += [(at + n * 2 * beat, 2 * beat, p + 12, 0) for n in range(2) for p in chord]
        elif texture == 1:
            order = [0, 2, 1, 2] if noise.random() < 0.5 else [0, 1, 2, 1]
            notes += [(at + n * beat / 2, beat / 2, chord[order[n % 4]] + 12, 0) for n in range(8)]
        elif texture == 2:
            notes += [(at + n * beat / 4, beat / 2, chord[n % 3] + 12 * (n // 3 % 4), 0) for n in range(16)]
        elif texture == 3:
            start, step = int(noise.integers(0, 14)), int(noise.choice([-1, 1]))
            run = noise.random() < colour
            for n in range(16):
                p = 48 + tonic + start + step * n if run else pitch(start + step * n, 48)
                notes.append((at + n * beat / 4, beat / 4, p, 0))
        notes.append((at, length, chord[0], 0))
        left = 4.0
        n = 0
        while left > 0:
            value = float(min(left, noise.choice([0.25, 0.5, 1.0, 1.5, 2.0], p=[0.1, 0.3, 0.35, 0.1, 0.15])))
            melody = int(np.clip(melody + int(theme[n % 8]), 3, 17)) if theme is not None else melody
            p = pitch(melody, 60) + (int(noise.choice([-1, 1])) if noise.random() < 0.3 * colour else 0)
            notes.append((at + (4.0 - left) * beat, value * beat, p, 1))
            if texture == 4:  # a second voice
                notes.append((at + (4.0 - left) * beat, value * beat, pitch(melody - 2, 60), 0))
            left -= value
            n += 1
        at += length
    return np.array(notes)


@nb.njit(cache=True)
def sounded(notes, harmonics, half_life, exponent, out):  # type: ignore[no-untyped-def]
    """Add notes (n, 4: onset, end, pitch, level) to chroma at 10 Hz, as spectral peaks are weighed."""
    for n in range(len(notes)):
        onset, end, pitch, level = notes[n]
        for i in range(max(0, int(onset * 10)), min(len(out), int(end * 10) + 1)):
            age = max(i * 0.1 - onset, 0.0)
            for h in range(len(harmonics)):
                loud = level * harmonics[h] * 0.5 ** (age * (1.0 + 0.3 * h) / half_life)
                out[i, int(np.rint(pitch + 12.0 * np.log2(h + 1.0))) % 12] += loud**exponent


def played(notes: Array, noise: np.random.Generator) -> tuple[Array, Array]:
    """Smoothed frames (n, 12) of a performance, and where (s) in it each 0.1 s of the score is."""
    speed = np.exp(noise.uniform(-0.3, 0.3))
    ticks = np.arange(0.0, SCORE + 10.0, 0.1)
    waves = sum(
        noise.uniform(0.0, 0.15) * np.sin(ticks * noise.uniform(0.1, 1.5) + noise.uniform(0, 6.3))
        for _ in range(3)
    )
    clock = np.concatenate([[0.0], np.cumsum(0.1 / speed * np.exp(waves))[:-1]])
    onsets = np.interp(notes[:, 0], ticks, clock) + noise.normal(0.0, 0.02, len(notes))
    ends = np.interp(notes[:, 0] + notes[:, 1], ticks, clock)
    ends += noise.uniform(0.0, 1.0) * (noise.random() < 0.6) * (ends - onsets)  # pedal
    loud = noise.uniform(0.3, 1.5) * notes[:, 3] + 0.5
    register = noise.normal(0.0, 0.03) * (notes[:, 2] - 60)
    levels = np.maximum(loud, 0.1) * np.exp(register + noise.normal(0.0, 0.4, len(notes)))
    keep = noise.random(len(notes)) > noise.uniform(0.0, 0.08)
    pitches = notes[:, 2] + 12 * (noise.random(len(notes)) < 0.02)
    wrong = noise.random(len(notes)) < 0.01
    pitches = pitches + wrong * noise.integers(-2, 3, len(notes))
    performance = np.stack([onsets, ends, pitches, levels], axis=1)[keep]
    chroma = np.zeros((int(clock[-1] * 10), 12))
    roll = noise.uniform(0.3, 0.9)
    harmonics = np.exp(noise.normal(0.0, 0.5, 8)) * roll ** np.arange(8)
    sounded(performance, harmonics, noise.uniform(0.3, 2.5), features.EXPONENT, chroma)
    smear = noise.uniform(0.0, 0.15)
    chroma += smear * (np.roll(chroma, 1, axis=1) + np.roll(chroma, -1, axis=1))
    chroma += noise.uniform(0.0, 0.15) * chroma.mean() * noise.exponential(1.0, chroma.shape)
    return features.smoothed(chroma.astype(np.float32)), clock


def pairs(count: int, seed: int) -> Array:
    """Shingles (pieces, MOMENTS, VERSIONS, 240) of composed pieces; a moment has the same middle in all."""
    noise = np.random.default_rng(seed)
    found = np.zeros((count, MOMENTS, VERSIONS, CELLS * 12), np.float32)
    half = SECONDS / 2
    for piece in range(count):
        notes = composed_notes(noise)
        moments = noise.uniform(16.0, SCORE - 16.0, MOMENTS)
        for version in range(VERSIONS):
            frames, clock = played(notes, noise)
            middles = np.interp(moments, np.arange(len(clock)) * 0.1, clock)
            ends = (middles + half) * features.FRAME_RATE
            found[piece, :, version] = shingles(frames, ends, SECONDS * features.FRAME_RATE, CELLS)
    return found


class Network(nn.Module):
    """A shingle (240) to DIMENSIONS numbers, through one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(CELLS * 12, HIDDEN)
        self.second = nn.Linear(HIDDEN, DIMENSIONS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(F.elu(self.first(x * CELLS**0.5)))


def loss_of(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Triplet loss over all pieces of a batch (b, DIMENSIONS): the mean of those that are not right."""
    total = torch.zeros(())
    for dimensions in NESTED:
        a, b = F.normalize(one[:, :dimensions], dim=1), F.normalize(other[:, :dimensions], dim=1)
        far = 2.0 - 2.0 * a @ b.T
        right = far.diagonal()
        apart = ~torch.eye(len(a), dtype=torch.bool)
        for rows in (far, far.T):
            wrong = F.relu(MARGIN + right[:, None] - rows)[apart]
            total = total + wrong.sum() / (wrong > 0).sum().clamp(min=1)
    return total


def first_right(vectors: Array) -> float:
    """Share of pieces whose version 0 is nearest to its own version 1, at moment 0: (pieces, 2, d)."""
    far = ((vectors[:, None, 0] - vectors[None, :, 1]) ** 2).sum(axis=2)
    return float(np.mean(far.argmin(axis=1) == np.arange(len(vectors))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pieces", type=int, default=2500)
    parser.add_argument("--minutes", type=float, default=4.5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    begun = time.monotonic()
    training, check = pairs(args.pieces, 1), pairs(400, 2)
    print(f"{args.pieces} pieces composed and played in {time.monotonic() - begun:.0f} s", flush=True)
    held_out = check[:, 0, :2]
    flat = training.reshape(-1, CELLS * 12)
    print(f"nearest is right, 400 other pieces: 240 dimensions {first_right(held_out):.3f}")
    for dimensions in NESTED:
        print(f"  PCA {dimensions}: {first_right(principal(flat, dimensions)(held_out)):.3f}")
    network = Network()
    steps = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    noise = np.random.default_rng(3)
    begun, step, batch = time.monotonic(), 0, 400
    while (spent := (time.monotonic() - begun) / (60.0 * args.minutes)) < 1.0:
        for group in steps.param_groups:
            group["lr"] = 2e-3 * (1.0 - spent)
        pieces = noise.choice(len(training), min(batch, len(training)), replace=False)
        moments = noise.integers(MOMENTS, size=len(pieces))
        first = noise.integers(VERSIONS, size=len(pieces))
        second = (first + noise.integers(1, VERSIONS, size=len(pieces))) % VERSIONS
        turn = noise.integers(12, size=len(pieces))
        chosen = [training[pieces, moments, v].reshape(-1, CELLS, 12) for v in (first, second)]
        classes = (np.arange(12) - turn[:, None]) % 12
        turned = [np.take_along_axis(c, classes[:, None, :].repeat(CELLS, 1), axis=2) for c in chosen]
        one, other = (torch.from_numpy(t.reshape(-1, CELLS * 12)) for t in turned)
        loss = loss_of(network(one), network(other))
        steps.zero_grad()
        loss.backward()
        steps.step()
        step += 1
        if step % 200 == 0:
            print(f"  step {step}: loss {loss.item():.3f}", flush=True)
    with torch.no_grad():
        given = network(torch.from_numpy(held_out.reshape(-1, CELLS * 12))).reshape(400, 2, -1)
        for dimensions in NESTED:
            small = F.normalize(given[:, :, :dimensions], dim=2).numpy()
            print(f"  network {dimensions}: {first_right(small):.3f}")
    weights = {name: value.numpy().astype(np.float16) for name, value in network.state_dict().items()}
    np.savez_compressed(
        args.out,
        **{name.replace(".", "_"): value for name, value in weights.items()},
    )
    print(f"{args.out}: {step} steps, {sum(v.size for v in weights.values())} weights")


if __name__ == "__main__":
    main()
