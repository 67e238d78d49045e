"""Train the bar network: python -m tests.benchmarks.train_bar_network OUT FOLDER... [--check FOLDER...]

FOLDER... hold the songs of `make_beat_songs`; OUT is the .npz of weights and `bar_table` that
`nodes/rhythm/bar_network.py` reads. Each song is heard from many places on, at beats that are a little off,
as a tracker's are, and at pulses that are not the beat; songs that hold `drums`
(`make_beat_songs --drums`) every second time as the mean of mix and drums, as `BeatActivation` hears them.
With --check the weights of the round that was best there are kept. Needs torch (tested with 2.13, CPU).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter
from torch import nn

from nodes.rhythm.accent_kernels import BANDS, HIGHEST, LOWEST
from nodes.rhythm.bar_kernels import (
    ACCENT,
    AFTER,
    CLASSES,
    COLOURS,
    FEATURES,
    HIDDEN,
    LAGS,
    OUTPUTS,
    bar_features,
)

RATE, HOP = 44100, 512
STEP = 2 * HOP / RATE  # seconds
SLOWEST, FASTEST = 42.0, 235.0  # BPM that a pulse may have
BINS = 25  # logits in steps of 0.5 from -6


def colours(bands: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(a power of two of steps, COLOURS): bands and chroma of two frames each, silence after the end."""
    steps = len(chroma)
    ring = np.zeros((1 << int(np.ceil(np.log2(steps + 1))), COLOURS), np.float32)
    ring[:steps, :-CLASSES] = bands[: 2 * steps].astype(np.float32).reshape(steps, 2, -1).mean(axis=1)
    ring[:steps, -CLASSES:] = chroma
    return ring


def varied(
    ring: np.ndarray, steps: int, beats: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, int, np.ndarray]:
    """The song at another speed of the tape, three times in four, and through another room or desk."""
    bands, chroma = ring[:steps, :-CLASSES], ring[:steps, -CLASSES:]
    if rng.random() < 0.75:
        speed = float(np.exp(rng.uniform(np.log(0.75), np.log(1.33))))
        count = int((steps - 1) / speed)
        at = np.arange(count) * speed
        low, part = at.astype(int), (at % 1)[:, None]
        bands = bands[low] * (1 - part) + bands[low + 1] * part
        chroma = chroma[low] * (1 - part) + chroma[low + 1] * part
        up = np.log2(speed)
        moved = np.arange(BANDS) - up * BANDS / np.log2(HIGHEST / LOWEST)
        bands = bands @ np.stack([np.interp(moved, np.arange(BANDS), one) for one in np.eye(BANDS)])
        turn = (np.arange(CLASSES) - 12 * up) % CLASSES
        below, share = turn.astype(int), turn % 1
        chroma = chroma[:, below] * (1 - share) + chroma[:, (below + 1) % CLASSES] * share
        beats = np.stack([beats[:, 0] / speed, beats[:, 1]], axis=1)
        steps = count
    if rng.random() < 0.6:
        curve = np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 5), rng.normal(0, 0.4, 5))
        bands = np.log1p(np.expm1(bands) * np.exp(curve))
    if rng.random() < 0.25:
        bands = np.log1p(np.expm1(bands) + 10 ** rng.uniform(-2, 0.3) * rng.uniform(0.3, 1, BANDS))
    out = np.zeros((1 << int(np.ceil(np.log2(steps + 1))), COLOURS), np.float32)
    out[:steps, :-CLASSES], out[:steps, -CLASSES:] = bands, chroma
    return out, steps, beats


def features(ring: np.ndarray, steps: int, beats: np.ndarray) -> np.ndarray:
    """(beats, FEATURES) at `beats` (seconds), as far as they are all heard."""
    places = beats / STEP + 0.25  # a step is heard a quarter of one after its first frame's centre
    chromas, accents = (np.zeros((LAGS + 1, n), np.float32) for n in (CLASSES, ACCENT))
    count, scratch = np.zeros(1, np.int64), np.zeros(2 * COLOURS, np.float32)
    rows: list[np.ndarray] = []
    period = float(np.median(np.diff(places)))
    for k, at in enumerate(places):
        if round(at) + AFTER >= steps:
            break
        if k:
            period = at - places[k - 1]
        rows.append(np.zeros(FEATURES, np.float32))
        bar_features(ring, at, period, chromas, accents, count, scratch, rows[-1])
    return np.array(rows, np.float32).reshape(-1, FEATURES)


def pulses(beats: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """(times, rows of downbeat and kind of pulse) of what a tracker may follow, from anywhere on: songs begin
    with a bar, and trackers do not. A downbeat of -1 is not asked for."""
    times, down = beats[:, 0], beats[:, 1] == 1
    between = (times[:-1] + times[1:]) / 2
    both = np.empty(2 * len(between))
    both[::2], both[1::2] = times[:-1], between
    second = int(rng.integers(2))
    found = [
        (times, down, np.zeros(len(times))),
        (times, down, np.zeros(len(times))),
        (between, -np.ones(len(between)), np.ones(len(between))),
        (both, -np.ones(len(both)), 2.0 + np.arange(len(both)) % 2),
        (times[second::2], -np.ones(len(times[second::2])), np.full(len(times[second::2]), 4.0)),
    ]
    out = []
    for at, downbeat, kind in found:
        if len(at) < 8 or not SLOWEST < 60 / np.median(np.diff(at)) < FASTEST:
            continue
        first = int(rng.integers(1, max(2, min(20, len(at) - 12))))
        # A tracker wanders about the beat.
        off = 0.012 * rng.normal() + lfilter([0.011], [1.0, -0.6], rng.normal(size=len(at)))
        out.append(((at + off)[first:], np.stack([downbeat, kind], axis=1).astype(np.float32)[first:]))
    return out


def read(folder: Path, rng: np.random.Generator, variants: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(features, rows of downbeat and kind of pulse) of every song and pulse, several times over; 0 variants:
    the mix once, as it is."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as song:
            if len(song["beats"]) < 8:
                continue
            rings, beats, steps = [colours(song["x"], song["chroma"])], song["beats"], len(song["chroma"])
            if "drums" in song:
                rings.append(0.5 * (rings[0] + colours(song["drums"], song["drums_chroma"])))
        for turn in range(max(1, variants)):
            ring = rings[turn % len(rings)]
            heard = varied(ring, steps, beats, rng) if variants else (ring, steps, beats)
            for times, asked in pulses(heard[2], rng):
                rows = features(heard[0], heard[1], times)
                found.append((rows, asked[: len(rows)]))
    return found


class Network(nn.Module):
    """(beats, songs, FEATURES), scaled, in; logits (beats, songs, OUTPUTS) out."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = nn.GRU(FEATURES, HIDDEN)
        self.last = nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(F.dropout(self.unit(F.dropout(x, 0.1, self.training))[0], 0.2, self.training))


def batches(songs, size, rng):  # type: ignore[no-untyped-def]
    """Features (beats, songs, FEATURES), and what is asked (beats, songs, 2), -1 where nothing is."""
    order = rng.permutation(len(songs))
    for start in range(0, len(order), size):
        chosen = [songs[k] for k in order[start : start + size]]
        most = max(len(rows) for rows, _ in chosen)
        x = np.zeros((most, len(chosen), FEATURES), np.float32)
        asked = np.full((most, len(chosen), 2), -1.0, np.float32)
        for k, (rows, answers) in enumerate(chosen):
            x[: len(rows), k], asked[: len(rows), k] = rows, answers
        yield torch.from_numpy(x), torch.from_numpy(asked)


def losses(logits: torch.Tensor, asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the downbeat and of the kind of pulse."""
    down, kind = asked[..., 0], asked[..., 1].long()
    error = F.binary_cross_entropy_with_logits(logits[..., 0], down.clamp(min=0), reduction="none")
    known = (down >= 0).float()
    pulse = F.cross_entropy(logits[..., 1:].flatten(0, 1), kind.flatten(), ignore_index=-1)
    return (error * known).sum() / known.sum().clamp(min=1), pulse


def check(network, songs, mean, scale):  # type: ignore[no-untyped-def]
    network.eval()
    with torch.no_grad():
        found = [
            [float(part) for part in losses(network((x - mean) * scale), asked)]
            for x, asked in batches(songs, 64, np.random.default_rng(0))
        ]
    network.train()
    return np.mean(found, axis=0)


def table(network, songs, mean, scale):  # type: ignore[no-untyped-def]
    """(BINS,) log likelihood ratio of a logit at a downbeat against at another beat."""
    counts = np.zeros((2, BINS))
    network.eval()
    with torch.no_grad():
        for rows, asked in songs:
            logits = network((torch.from_numpy(rows)[:, None] - mean) * scale)[:, 0, 0].numpy()
            bins = np.clip(np.round(2 * logits + 12), 0, BINS - 1).astype(int)
            known = asked[:, 0] >= 0
            np.add.at(counts, (asked[known, 0].astype(int), bins[known]), 1)
    network.train()
    share = gaussian_filter(counts, (0, 1.2)) + 1.0
    share /= share.sum(axis=1, keepdims=True)
    return np.log(share[1] / share[0]).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--check", type=Path, nargs="+", default=[])
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--variants", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--half", action="store_true", help="keep the mean of the weights before and after")
    options = parser.parse_args()
    if options.half and not options.start:
        parser.error("--half needs the weights before: --start")
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    songs = [song for folder in options.folders for song in read(folder, rng, options.variants)]
    checks = [read(folder, rng, 0) for folder in options.check]
    checked = [song for part in checks for song in part] or songs
    network = Network()
    if options.start:
        with np.load(options.start) as file:
            held = {name: torch.from_numpy(file[name]) for name in file.files}
        mean, scale = held["mean"], held["scale"]
        network.load_state_dict({name: held[name] for name in network.state_dict()})
    else:
        everything = np.concatenate([rows for rows, _ in songs])
        mean = torch.from_numpy(everything.mean(axis=0))
        scale = torch.from_numpy(1.0 / (everything.std(axis=0) + 1e-3))
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.rounds)
    best = np.inf
    for turn in range(options.rounds):
        total = np.zeros(2)
        for x, asked in batches(songs, 48, rng):
            parts = losses(network((x - mean) * scale), asked)
            loss = 2 * parts[0] + parts[1]
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            total += [part.item() * len(x[0]) / len(songs) for part in parts]
        schedule.step()
        every = [check(network, part, mean, scale) for part in checks]
        print(f"round {turn + 1}, downbeat and pulse {total.round(4)}", *every, flush=True)
        score = float(np.mean(every, axis=0) @ [2, 1]) if every else -turn
        if score < best:
            best = score
            weights = {name: value.clone() for name, value in network.state_dict().items()}
    if options.half:
        weights = {name: (held[name] + value) / 2 for name, value in weights.items()}
    network.load_state_dict(weights)
    np.savez(
        options.out,
        mean=mean.numpy(),
        scale=scale.numpy(),
        bar_table=table(network, checked, mean, scale),
        **{name: value.numpy() for name, value in weights.items()},
    )


if __name__ == "__main__":
    main()
