"""Train the beat network: python -m tests.benchmarks.train_beat_network OUT FOLDER... [--minutes 20]

FOLDER... hold one .npz a song: `x` (frames, 32) bands of `nodes.rhythm.accent_kernels`, `beats` rows of
(seconds, place in the bar); every folder is drawn from as often as every other. Of songs that hold `drums`
(`make_beat_songs --drums`) two excerpts in three are heard as `BeatActivation` hears them, the mean of the
logits of mix and drums, and one as the mix alone. Needs torch (tested with 2.13, CPU). Writes OUT, an .npz of
the names that `nodes/rhythm/beat_network.py` reads. A training goes on in further runs with `--start` from
the weights before, perhaps of fewer channels, and a `--rate` that falls from run to run.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nodes.rhythm.beat_network import DELAY
from nodes.rhythm.network_kernels import BANDS, CHANNELS, LAYERS, OUTPUTS, SPAN, TAPS

RATE, HOP = 44100, 512
SLOPE = 0.1
BATCH, LENGTH = 16, 2048


class Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.reach = (TAPS - 1) * dilation
        self.c = nn.Conv1d(CHANNELS, CHANNELS, TAPS, dilation=dilation)
        self.p = nn.Conv1d(CHANNELS, CHANNELS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(self.c(F.pad(x, (self.reach, 0))), SLOPE)
        return x + self.p(y)


class Network(nn.Module):
    """(batch, bands, frames) in, logits (batch, 2, frames) out: beat and downbeat."""

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Conv1d(BANDS, CHANNELS, SPAN, stride=2)
        self.mid = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.blocks = nn.ModuleList([Block(2**k) for k in range(LAYERS)])
        self.out = nn.Conv1d(CHANNELS, OUTPUTS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(self.inp(F.pad(x, (SPAN - 2, 0))), SLOPE)
        y = F.leaky_relu(self.mid(y), SLOPE)
        for block in self.blocks:
            y = block(y)
        y = self.out(F.leaky_relu(y, SLOPE))
        batch, _, steps = y.shape
        return y.reshape(batch, 2, 2, steps).transpose(2, 3).reshape(batch, 2, 2 * steps)


def widened(known: dict[str, torch.Tensor], fresh: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights `known`, perhaps of fewer channels, among fresh ones: what is said is the same at first,
    as nothing known hears the new channels."""
    for name, value in known.items():
        if value.ndim > 1:
            fresh[name][: value.shape[0], value.shape[1] :] = 0.0
        fresh[name][tuple(slice(size) for size in value.shape)] = value
    return fresh


def mark(out: np.ndarray, beats: np.ndarray, start: int, stretch: float) -> None:
    """out (2, frames): 1 at the frame of a beat (and downbeat), 0.4 beside it, DELAY frames late; frame 0 is
    the song's frame `start`, and time runs `stretch` times as slow."""
    frames = out.shape[1]
    for row, times in ((0, beats[:, 0]), (1, beats[beats[:, 1] == 1, 0])):
        for at in np.round((times * RATE / HOP + 1 + DELAY - start) * stretch).astype(int):
            for frame, value in ((at - 1, 0.4), (at + 1, 0.4), (at, 1.0)):
                if 0 <= frame < frames:
                    out[row, frame] = max(out[row, frame], value)


def varied(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(bands, frames) with gains bent, bands shifted or taken out, or noise added, at random."""
    if rng.random() < 0.5:
        bend = np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 5), rng.normal(0, 0.4, 5))
        part = np.log1p(np.expm1(part) * np.exp(bend)[:, None])
    if rng.random() < 0.4:
        shift = int(rng.integers(-2, 3))
        part = part[np.clip(np.arange(BANDS) - shift, 0, BANDS - 1)]
    if rng.random() < 0.25:
        first = rng.integers(0, BANDS)
        part[first : first + rng.integers(1, 10)] *= rng.uniform(0, 0.5)
    if rng.random() < 0.25:
        part = np.log1p(np.expm1(part) + 10 ** rng.uniform(-2, 0.3) * rng.uniform(0.3, 1, (BANDS, 1)))
    return np.asarray(part, np.float32)


Songs = list[tuple[list[np.ndarray], np.ndarray]]


def read(folder: Path) -> Songs:
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            found.append(([file[name] for name in ("x", "drums") if name in file], file["beats"]))
    return found


def batch(folders: list[Songs], rng: np.random.Generator) -> list[torch.Tensor]:
    """Excerpts (batch, 2, bands, frames) of mix and drums, or of the mix twice where it is heard alone; half
    of them from the start, most of them played slower or faster, and varied."""
    x = np.zeros((BATCH, 2, BANDS, LENGTH), np.float32)
    y, mask = np.zeros((BATCH, 2, LENGTH), np.float32), np.zeros((BATCH, 1, LENGTH), np.float32)
    for row in range(BATCH):
        songs = folders[rng.integers(len(folders))]
        sounds, beats = songs[rng.integers(len(songs))]
        mix, other = sounds[0], sounds[-1] if rng.random() < 2 / 3 else sounds[0]
        stretch = float(np.exp(rng.uniform(np.log(0.75), np.log(1.35)))) if rng.random() < 0.75 else 1.0
        late = len(mix) > LENGTH and rng.random() > 0.5
        start = int(rng.integers(0, len(mix) - LENGTH // 2)) if late else 0
        length = min(LENGTH, int((len(mix) - 1 - start) * stretch))
        at = start + np.arange(length) / stretch
        low = at.astype(int)
        share = (at - low).astype(np.float32)[:, None]
        same = int(rng.integers(1 << 31))
        for sound, bands in enumerate((mix, other)):
            part = bands[low] * (1 - share) + bands[np.minimum(low + 1, len(mix) - 1)] * share  # as float32
            x[row, sound, :, :length] = varied(part.T, np.random.default_rng(same))
        mask[row, :, :length] = 1.0
        mark(y[row, :, :length], beats, start, stretch)
    return [torch.from_numpy(array) for array in (x, y, mask)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, nargs=2, default=(4e-3, 2e-5), help="at first and at last")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folders = [read(folder) for folder in options.folders]
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    network = Network()
    if options.start:
        with np.load(options.start) as file:
            known = {k: torch.from_numpy(file[k]) for k in file.files if "table" not in k}
        network.load_state_dict(widened(known, network.state_dict()))
    mean_network = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    )
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    start, step, mean = time.time(), 0, 0.0
    while (done := (time.time() - start) / (60 * options.minutes)) < 1.0:
        for group in optimiser.param_groups:
            high, low = options.rate
            group["lr"] = (low + (high - low) * 0.5 * (1 + np.cos(np.pi * done))) * min(1.0, (step + 1) / 50)
        x, y, mask = batch(folders, rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(x.flatten(0, 1)).unflatten(0, (BATCH, 2)).mean(dim=1)
        error = F.binary_cross_entropy_with_logits(logits.float(), y, reduction="none") * mask
        loss = (error[:, 0].sum() + 0.8 * error[:, 1].sum()) / mask.sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        mean_network.update_parameters(network)
        step += 1
        mean += (loss.item() - mean) / min(step, 100)
        if step % 100 == 0:
            print(f"step {step}, loss {mean:.4f}", flush=True)
    np.savez(options.out, **{k: v.numpy() for k, v in mean_network.module.state_dict().items()})


if __name__ == "__main__":
    main()
