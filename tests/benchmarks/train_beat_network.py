"""Train the beat network: python -m tests.benchmarks.train_beat_network FOLDER [--minutes 20]

FOLDER holds one .npz a song: `x` (frames, 32) bands of `nodes.rhythm.accent_kernels`, `beats` rows of
(seconds, place in the bar). Needs torch (tested with 2.13, CPU). Writes FOLDER/network.npz with the names
that `nodes/rhythm/beat_network.py` reads.
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
        return x + self.p(F.dropout(y, 0.1, self.training))


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


def targets(beats: np.ndarray, frames: int) -> np.ndarray:
    """1 at the frame of a beat (and downbeat), 0.4 beside it, DELAY frames late."""
    out = np.zeros((2, frames), np.float32)
    for row, times in ((0, beats[:, 0]), (1, beats[beats[:, 1] == 1, 0])):
        for at in np.round(times * RATE / HOP + 1 + DELAY).astype(int):
            for frame, value in ((at - 1, 0.4), (at + 1, 0.4), (at, 1.0)):
                if 0 <= frame < frames:
                    out[row, frame] = max(out[row, frame], value)
    return out


def batch(songs: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator) -> list[torch.Tensor]:
    """Excerpts, most from the start, with the bands' gains bent at random and some bands taken out."""
    x = np.zeros((BATCH, BANDS, LENGTH), np.float32)
    y, mask = np.zeros((BATCH, 2, LENGTH), np.float32), np.zeros((BATCH, 1, LENGTH), np.float32)
    for row in range(BATCH):
        bands, target = songs[rng.integers(len(songs))]
        late = len(bands) > LENGTH and rng.random() > 0.6
        start = int(rng.integers(0, len(bands) - LENGTH // 2)) if late else 0
        part = bands[start : start + LENGTH].T.astype(np.float32)
        if rng.random() < 0.5:
            bend = np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 5), rng.normal(0, 0.35, 5))
            part = np.log1p(np.expm1(part) * np.exp(bend)[:, None]).astype(np.float32)
        if rng.random() < 0.3:
            first = rng.integers(0, BANDS)
            part[first : first + rng.integers(1, 10)] *= rng.uniform(0, 0.5)
        length = part.shape[1]
        x[row, :, :length], mask[row, :, :length] = part, 1.0
        y[row, :, :length] = target[:, start : start + length]
    return [torch.from_numpy(array) for array in (x, y, mask)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    options = parser.parse_args()
    songs = []
    for path in sorted(options.folder.glob("*.npz")):
        with np.load(path) as file:
            songs.append((file["x"], targets(file["beats"], len(file["x"]))))
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    network = Network()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    start, step, mean = time.time(), 0, 0.0
    while (done := (time.time() - start) / (60 * options.minutes)) < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * done)) + 2e-5
        x, y, mask = batch(songs, rng)
        error = F.binary_cross_entropy_with_logits(network(x), y, reduction="none") * mask
        loss = (error[:, 0].sum() + 0.7 * error[:, 1].sum()) / mask.sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean += (loss.item() - mean) / min(step, 100)
        if step % 100 == 0:
            print(f"step {step}, loss {mean:.4f}", flush=True)
    np.savez(options.folder / "network.npz", **{k: v.numpy() for k, v in network.state_dict().items()})


if __name__ == "__main__":
    main()
