"""Train the drum network: python -m tests.benchmarks.train_drum_network FOLDER [--steps 2000] [--start FILE]

FOLDER holds one .npz a song as `make_drum_songs` writes them. Needs torch (tested with 2.13, CPU). Writes
FOLDER/network.npz with the names that `nodes/pitch/tcn.py` reads.

Outputs: any stroke now, the six classes at the same moment, the six classes 26 ms after the stroke.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

RATE, HOP, BANDS, CLASSES = 44100, 128, 40, 6
CHANNELS, SPAN, TAPS, LAYERS = 32, 6, 3, 9  # hears 3 s: what the kit's other strokes are like
OUTPUTS = 1 + 2 * CLASSES
SLOPE = 0.1
BATCH, LENGTH = 8, 2100
SEEN = 32  # samples of a stroke that a frame must hold to be its first
NOW, LATER = (4, 5), (8, 9)  # frames after the first that hears a stroke


def taps_of(x: torch.Tensor, dilation: int, taps: int) -> torch.Tensor:
    """(batch, frames, channels) to (batch, frames, taps * channels), oldest tap first, zeros before."""
    reach = (taps - 1) * dilation
    padded = F.pad(x, (0, 0, reach, 0))
    return torch.cat([padded[:, k * dilation : k * dilation + x.shape[1]] for k in range(taps)], -1)


class Network(nn.Module):
    """(batch, frames, inputs) in, logits (batch, frames, outputs) out: a causal dilated network.

    Convolutions are written as matrix products, several times as fast as torch's own on one core.
    """

    def __init__(self, inputs: int = BANDS, channels: int = CHANNELS, outputs: int = OUTPUTS) -> None:
        super().__init__()
        self.first = nn.Linear(SPAN * inputs, channels)
        self.mixing = nn.Linear(channels, channels)
        self.dilated = nn.ModuleList([nn.Linear(TAPS * channels, channels) for _ in range(LAYERS)])
        self.point = nn.ModuleList([nn.Linear(channels, channels) for _ in range(LAYERS)])
        self.last = nn.Linear(channels, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(self.first(taps_of(x, 1, SPAN)), SLOPE)
        y = F.leaky_relu(self.mixing(y), SLOPE)
        for k in range(LAYERS):
            z = F.leaky_relu(self.dilated[k](taps_of(y, 2**k, TAPS)), SLOPE)
            y = y + self.point[k](F.dropout(z, 0.1, self.training))
        return self.last(F.leaky_relu(y, SLOPE))


def targets(hits: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets and their weights, both (frames, OUTPUTS); very soft strokes count neither way."""
    y, w = np.zeros((frames + 20, OUTPUTS), np.float32), np.ones((frames + 20, OUTPUTS), np.float32)
    w[:, 1 : 1 + CLASSES] = 0.0
    loudest = hits[:, 2].max()
    first = np.floor((hits[:, 0] * RATE + SEEN) / HOP).astype(int)
    for k, kind in zip(first, hits[:, 1], strict=True):  # the borders first, so that strokes win
        late = 1 + CLASSES + int(kind)
        w[k : k + NOW[1] + 4, 0] = 0.0
        w[k + LATER[0] - 1 : k + LATER[1] + 2, late] = 0.0
    for k, (kind, peak) in zip(first, hits[:, 1:], strict=True):
        if peak < 0.02 * loudest:
            continue
        late = 1 + CLASSES + int(kind)
        now, later = slice(k + NOW[0], k + NOW[1] + 1), slice(k + LATER[0], k + LATER[1] + 1)
        y[now, 0] = w[now, 0] = 1.0
        y[k + 3 : k + NOW[1] + 1, 1 + int(kind)] = 1.0
        w[k + 3 : k + NOW[1] + 1, 1 : 1 + CLASSES] = 1.0
        y[later, late] = w[later, late] = 1.0
    return y[:frames], w[:frames]


def batch(songs: list[tuple[np.ndarray, ...]], rng: np.random.Generator) -> list[torch.Tensor]:
    """Excerpts, with the bands' gains bent at random and some bands taken out."""
    x = np.zeros((BATCH, LENGTH, BANDS), np.float32)
    y, w = np.zeros((BATCH, LENGTH, OUTPUTS), np.float32), np.zeros((BATCH, LENGTH, OUTPUTS), np.float32)
    for row in range(BATCH):
        bands, target, weight = songs[rng.integers(len(songs))]
        start = 0 if rng.random() < 0.1 else int(rng.integers(0, max(1, len(bands) - LENGTH)))
        part = bands[start : start + LENGTH].astype(np.float32)
        if rng.random() < 0.7:
            bend = np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 6), rng.normal(0, 0.6, 6))
            part = np.log1p(np.expm1(part) * np.exp(bend)).astype(np.float32)
        if rng.random() < 0.3:  # hiss or rumble under the music
            floor = rng.rayleigh(0.8, part.shape).astype(np.float32) * 10 ** rng.uniform(-2, 0.3)
            part = np.log1p(np.expm1(part) + floor * np.linspace(*rng.uniform(0, 1, 2), BANDS))
        if rng.random() < 0.1:
            part[:, rng.integers(28, BANDS) :] *= rng.uniform(0, 0.5)
        length = len(part)
        x[row, :length] = part
        y[row, :length], w[row, :length] = target[start : start + length], weight[start : start + length]
    return [torch.from_numpy(array) for array in (x, y, w)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="of the excerpts that are drawn")
    parser.add_argument("--start", type=Path, help="weights to start from, perhaps of fewer layers")
    options = parser.parse_args()
    songs = []
    for path in sorted(options.folder.glob("[0-9]*.npz")):
        with np.load(path) as file:
            songs.append((file["x"], *targets(file["hits"], len(file["x"]))))
    torch.manual_seed(1)
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    network = Network()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    if options.start:
        with np.load(options.start) as file:
            known = {name: torch.from_numpy(file[name]) for name in file.files}
        network.load_state_dict(known, strict=False)
        for k, point in enumerate(network.point):
            if f"point.{k}.weight" not in known:  # a layer more changes nothing at first
                nn.init.zeros_(point.weight)
                nn.init.zeros_(point.bias)
    start, mean = time.time(), 0.0
    for step in range(1, options.steps + 1):
        done = step / options.steps
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1.0, step / 50) * 0.5 * (1 + np.cos(np.pi * done)) + 2e-5
        x, y, w = batch(songs, rng)
        w[..., 1 : 1 + CLASSES] *= 5.0  # they count at few frames
        error = F.binary_cross_entropy_with_logits(network(x), y, reduction="none") * w
        loss = error.sum() / w[..., 0].sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        mean += (loss.item() - mean) / min(step, 100)
        if step % 100 == 0:
            print(f"step {step}, loss {mean:.4f}, {time.time() - start:.0f} s", flush=True)
            save(network, options.folder)
    save(network, options.folder)


def save(network: nn.Module, folder: Path) -> None:
    np.savez(folder / "network.npz", **{k: v.numpy() for k, v in network.state_dict().items()})


if __name__ == "__main__":
    main()
