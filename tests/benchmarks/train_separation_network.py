"""Train the separation's network: python -m tests.benchmarks.train_separation_network STAGE --out stage.npz

The folder, named after its mode, holds the pieces that `make_separation_features` has made; needs PyTorch.
The loss is the mean over cuts of 4 s of the error of the four stems in dB against each stem's own energy.
With --dev FOLDER, pieces of songs that are not learnt from, their SDR is told and the best network kept.
Writes what `nodes/separate/gains.py` reads.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nodes.separate.bands import BANDS, spreading
from nodes.separate.gain_kernels import ANSWERS, INPUTS, LEANS, LEVEL_MEMORY, MEMORY, SLOPE, band_inputs
from nodes.separate.masked import framing_of
from tests.benchmarks.make_separation_features import EVERY, RATE, chosen_bins

IMPORTANCE = torch.tensor([1.0, 1.3, 0.7, 1.0])  # of drums, vocals, bass, rest
CUT, SETTLE = 354, 48  # frames of a cut, and how many at its start do not count
BATCH = 16
FLOOR = 1e-3  # of the mix's energy, in every error


class Network(nn.Module):
    """As `nodes.separate.gain_kernels.band_answers`, over whole sequences."""

    def __init__(self, units: int, mode: str, drop: float) -> None:
        super().__init__()
        self.first = nn.Linear(BANDS * INPUTS, units)
        self.gru = nn.GRU(units, units, batch_first=True)
        self.last = nn.Linear(units, ANSWERS * BANDS, bias=False)
        self.own = nn.Parameter(torch.zeros(ANSWERS, INPUTS, BANDS))
        nn.init.zeros_(self.last.weight)
        with torch.no_grad():
            self.own[1, 0] = 0.8
            self.own[LEANS + 1, 0] = self.own[2 * LEANS + 1, 0] = -0.2
        self.drop = nn.Dropout(drop)
        window = framing_of(mode, RATE)[0]
        bins, counts = chosen_bins(window)
        lower, share = (array[bins] for array in spreading(window, RATE))
        between = np.zeros((BANDS, len(bins)), np.float32)
        between[lower, np.arange(len(bins))] += 1 - share
        between[lower + 1, np.arange(len(bins))] += share
        self.register_buffer("between", torch.from_numpy(between), persistent=False)
        self.register_buffer("counts", torch.from_numpy(counts), persistent=False)

    def forward(self, inputs: torch.Tensor, leans: torch.Tensor, seen: slice) -> torch.Tensor:
        """Gains (pieces, seen frames, 4, bins) of inputs (pieces, frames, BANDS, INPUTS); leans (pieces, seen
        frames, 3, bins)."""
        hidden = nn.functional.leaky_relu(self.first(self.drop(inputs.flatten(2))), float(SLOPE))
        hidden = self.drop(self.gru(hidden)[0][:, seen])
        answers = self.last(hidden).unflatten(2, (ANSWERS, BANDS))
        answers = answers + torch.einsum("btni,kin->btkn", inputs[:, seen], self.own)
        spread = (answers @ self.between).unflatten(2, (3, LEANS))
        logits = spread[:, :, :, 0] + (spread[:, :, :, 1:] * leans[:, :, None]).sum(3)
        return torch.softmax(nn.functional.pad(logits, (0, 0, 0, 1)), 2)

    def export(self) -> dict[str, np.ndarray]:
        """The arrays of `nodes.separate.gains`, matrices with inputs first."""
        gru = self.gru
        arrays = {
            "first": self.first.weight.T, "first_bias": self.first.bias,
            "fresh": gru.weight_ih_l0.T, "kept": gru.weight_hh_l0.T,
            "fresh_bias": gru.bias_ih_l0, "kept_bias": gru.bias_hh_l0,
            "last": self.last.weight.T, "own": self.own,
        }  # fmt: skip
        return {name: array.detach().numpy().astype(np.float16) for name, array in arrays.items()}


class Piece:
    """One piece as tensors of half precision."""

    def __init__(self, path: Path, mode: str) -> None:
        with np.load(path) as file:
            got = {name: file[name] for name in file.files}
        seconds = framing_of(mode, RATE)[1] / RATE
        paces = [np.float32(1 - np.exp(-seconds / memory)) for memory in (MEMORY, LEVEL_MEMORY)]
        bands, state = got["bands"].astype(np.float32), np.zeros((4, BANDS), np.float32)
        inputs = np.zeros((len(bands), BANDS, INPUTS), np.float32)
        for frame, row in zip(bands, inputs, strict=True):
            band_inputs(frame, *paces, state, row)
        self.inputs = torch.from_numpy(inputs.astype(np.float16))
        self.leans = torch.from_numpy(np.stack([got["percussive"], got["repeats"], got["fresh"]], 1))
        self.power = torch.from_numpy(got["power"])
        self.share = torch.from_numpy(got["share"])
        self.energy = torch.from_numpy(got["energy"])


def bent(count: int, nats: float) -> torch.Tensor:
    """What is added to the levels of all bands (count, 1, BANDS), so that no timbre is learnt by heart."""
    knobs = nats * torch.randn(count, 1, 7)
    return 0.25 * nn.functional.interpolate(knobs, BANDS, mode="linear", align_corners=True)


def errors(
    network: Network, cuts: list[tuple[Piece, int, int]], settle: int, bend: float = 0.0
) -> tuple[torch.Tensor, ...]:
    """Error, energy (cuts, 4) and the floor (cuts, 1) of cuts (piece, first and last seen frame)."""

    def stacked(name: str) -> torch.Tensor:
        return torch.stack([getattr(piece, name)[a:b] for piece, a, b in cuts]).float()

    inputs = torch.stack([piece.inputs[EVERY * a : EVERY * b] for piece, a, b in cuts]).float()
    inputs[..., 1] += bent(len(cuts), bend)
    gains = network(inputs, stacked("leans"), slice(EVERY - 1, None, EVERY))[:, settle:]
    power = (stacked("power").exp() * network.counts)[:, settle:, None]
    share, energy = stacked("share")[:, settle:], stacked("energy")[:, settle:].sum(1)
    share = torch.cat([share, 1 - share.sum(2, keepdim=True)], 2)
    error = (power * gains * (gains - 2 * share)).sum((1, 3)) + energy
    return error.clamp_min(0), energy, FLOOR * power.sum((1, 2, 3))[:, None] + 1e-9


def told(network: Network, pieces: list[Piece]) -> np.ndarray:
    """Median SDR in dB of the stems over pieces."""
    network.eval()
    rows = []
    with torch.no_grad():
        for piece in pieces:
            error, energy, floor = errors(network, [(piece, 0, len(piece.power))], 40)
            sdr = 10 * torch.log10((energy + floor) / (error + floor))
            rows.append(torch.where(energy > 10 * floor, sdr, torch.nan)[0].numpy())
    network.train()
    return np.nanmedian(rows, axis=0)


def train(options: argparse.Namespace) -> None:
    torch.manual_seed(1)
    mode = options.folder.name
    pieces = [Piece(path, mode) for path in sorted(options.folder.glob("[0-9]*.npz"))]
    dev = [Piece(path, mode) for path in sorted(options.dev.glob("[0-9]*.npz"))] if options.dev else []
    print(f"{len(pieces)} pieces, {len(dev)} to tell by", flush=True)
    network = Network(options.units, mode, options.drop)
    if options.begin:
        network.load_state_dict(torch.load(options.begin))
        print(f"begins at SDR {' '.join(f'{x:.2f}' for x in told(network, dev))}", flush=True)
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=options.decay)
    rng, begun, step, best, shown = np.random.default_rng(options.seed), time.monotonic(), 0, -np.inf, 0.0
    length, settle = CUT // EVERY, SETTLE // EVERY
    while (done := (time.monotonic() - begun) / (60 * options.minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = (
                options.rate * min(1.0, (step + 1) / 100) * (0.02 + 0.49 * (1 + np.cos(np.pi * done)))
            )
        cuts = []
        for number in rng.integers(len(pieces), size=BATCH):
            start = int(rng.integers(len(pieces[number].power) - length))
            cuts.append((pieces[number], start, start + length))
        error, energy, floor = errors(network, cuts, settle, options.bend)
        weight = IMPORTANCE * torch.where(energy > 10 * floor, 1.0, 0.25)
        loss = (weight * torch.log((error + floor) / (energy + floor))).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        shown += 0.02 * (loss.item() - shown)
        if step % options.every == 0 or step == 50:
            sdr = told(network, dev) if dev else np.zeros(4)
            line = " ".join(f"{x:.2f}" for x in sdr)
            print(f"step {step}, {100 * done:.0f} %: loss {shown:.3f}, SDR {line}", flush=True)
            score = float(sdr @ IMPORTANCE.numpy())
            if not dev or score > best:
                best = score
                np.savez_compressed(options.out, **network.export())
                torch.save(network.state_dict(), options.out.with_suffix(".pt"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dev", type=Path)
    parser.add_argument("--begin", type=Path, help="a .pt to go on from")
    parser.add_argument("--units", type=int, default=96)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at the start")
    parser.add_argument("--decay", type=float, default=1e-3)
    parser.add_argument("--drop", type=float, default=0.15, help="dropout")
    parser.add_argument("--bend", type=float, default=0.0, help="by how much levels are bent, nats of power")
    parser.add_argument("--every", type=int, default=100, help="steps from one telling to the next")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/gains.npz"))
    train(parser.parse_args())


if __name__ == "__main__":
    main()
