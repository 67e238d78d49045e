"""Train the band gains: python -m tests.benchmarks.train_separation_gains STUDIO STAGE --out gains.npz

Each folder, named after its mode, holds the pieces that `make_separation_features` has made. The loss is the
mean over pieces of the error of the four stems in dB against each stem's own energy; Adam, the gradient
written out and smoothed over neighbouring bands. Writes the file that `nodes/separate/gains.py` reads.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numba as nb
import numpy as np

from nodes.separate.bands import BANDS, centres, spreading
from nodes.separate.gain_kernels import ANSWERS, INPUTS, MEMORY, band_answers, band_inputs
from nodes.separate.masked import framing_of
from tests.benchmarks.make_separation_features import RATE, chosen_bins

IMPORTANCE = np.array([1.0, 1.3, 0.7, 1.0], np.float32)  # of drums, vocals, bass, rest
BATCH = 96  # frames of one piece that make a step
SETTLE = 40  # frames at the start of a piece that do not count
EVERY = 8  # one frame in so many counts: neighbours tell almost the same


def first_weights() -> np.ndarray:
    """What is believed at first: drums are percussive, the others not, voices do not repeat; bass is low."""
    octave = np.log2(centres())
    weights = np.zeros((ANSWERS, BANDS, INPUTS), np.float32)
    weights[1, :, 0], weights[4, :, 0], weights[7, :, 0], weights[5, :, 0] = 0.8, -0.2, -0.2, -0.3
    weights[0, :, 0] = np.interp(octave, np.log2([150, 400]), [0.0, -0.35])
    weights[3, :, 0] = np.interp(octave, np.log2([90, 180]), [-1.0, 0.0])
    weights[6, :, 0] = np.interp(octave, np.log2([60, 150, 500]), [1.2, 0.8, -1.5])
    return weights


@nb.njit(cache=True, fastmath=True)
def gradient(weights, slopes, inputs, piece, frames, lower, share, importance, error):  # type: ignore[no-untyped-def]
    """Add the gradient of some `frames` of a piece to `slopes`, and its error by stem to `error` (4,).

    piece: power, percussive, repeats (frames, bins) and the wanted gains (frames, 3, bins).
    """
    power, percussive, repeats, wanted = piece
    answers, back = np.zeros((ANSWERS, BANDS), np.float32), np.zeros((ANSWERS, BANDS), np.float32)
    gain, push = np.zeros(4, np.float32), np.zeros(4, np.float32)
    lean = np.ones(3, np.float32)
    for t in frames:
        band_answers(weights, inputs[t], answers)
        back[:] = 0.0
        for i in range(power.shape[1]):
            band, part = lower[i], share[i]
            lean[1], lean[2] = percussive[t, i], repeats[t, i]
            total = np.float32(1.0)
            for stem in range(3):
                logit = np.float32(0.0)
                for kind in range(3):
                    row = answers[3 * stem + kind]
                    logit += (row[band] + part * (row[band + 1] - row[band])) * lean[kind]
                gain[stem] = np.exp(min(logit, np.float32(20.0)))
                total += gain[stem]
            gain[3] = np.float32(1.0)
            mean, left = np.float32(0.0), np.float32(1.0)
            for stem in range(4):
                gain[stem] /= total
                want = wanted[t, stem, i] if stem < 3 else left
                left -= want
                error[stem] += power[t, i] * gain[stem] * (gain[stem] - 2 * want)
                push[stem] = importance[stem] * power[t, i] * (gain[stem] - want)
                mean += push[stem] * gain[stem]
            for stem in range(3):
                x = gain[stem] * (push[stem] - mean)
                for kind in range(3):
                    back[3 * stem + kind, band] += (1 - part) * x * lean[kind]
                    back[3 * stem + kind, band + 1] += part * x * lean[kind]
        for k in range(ANSWERS):
            for band in range(BANDS):
                for i in range(INPUTS):
                    slopes[k, band, i] += back[k, band] * inputs[t, band, i]


class Piece:
    """One piece as the gradient wants it."""

    def __init__(self, path: Path, mode: str, counts: np.ndarray) -> None:
        with np.load(path) as file:
            got = {name: file[name].astype(np.float32) for name in file.files}
        pace = np.float32(1 - np.exp(-framing_of(mode, RATE)[1] / RATE / MEMORY))
        slow = np.zeros((2, BANDS), np.float32)
        self.inputs = np.zeros((len(got["bands"]), BANDS, INPUTS), np.float32)
        for bands, inputs in zip(got["bands"], self.inputs, strict=True):
            band_inputs(bands, pace, slow, inputs)
        power = np.exp(got["power"]) * counts
        self.arrays = (power, got["percussive"], got["repeats"], got["share"])
        self.energy = got["energy"]
        self.floor = 1e-3 * power.sum() / len(power) + 1e-12  # a frame
        self.error = self.energy.mean(axis=0) + self.floor  # a frame, of each stem

    def importance(self) -> np.ndarray:
        """Weight of each stem's error: the gradient of decibels."""
        there = self.energy.mean(axis=0) > 10 * self.floor
        return (IMPORTANCE * np.where(there, 1.0, 0.25) / (self.error + self.floor)).astype(np.float32)


def train(folder: Path, epochs: int, rate: float) -> np.ndarray:
    """Weights of one mode."""
    window = framing_of(folder.name, RATE)[0]
    bins, counts = chosen_bins(window)
    lower, share = (array[bins] for array in spreading(window, RATE))
    pieces = [Piece(path, folder.name, counts) for path in sorted(folder.glob("[0-9]*.npz"))]
    weights, rng = first_weights(), np.random.default_rng(1)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    step = 0
    for epoch in range(epochs):
        pace = rate * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * epoch / epochs)))
        scores = []
        for number in rng.permutation(len(pieces)):
            piece = pieces[number]
            frames = rng.permutation(np.arange(SETTLE + rng.integers(EVERY), len(piece.inputs), EVERY))
            error, importance = np.zeros(4), piece.importance()
            for part in np.array_split(frames, max(1, len(frames) // BATCH)):
                slopes = np.zeros_like(weights)
                gradient(
                    weights, slopes, piece.inputs, piece.arrays, part, lower, share,
                    importance / len(part), error,
                )  # fmt: skip
                slopes[:, 1:-1] = 0.25 * slopes[:, :-2] + 0.5 * slopes[:, 1:-1] + 0.25 * slopes[:, 2:]
                step += 1
                first += 0.1 * (slopes - first)
                second += 0.01 * (slopes**2 - second)
                weights -= pace * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
            energy = piece.energy[frames].mean(axis=0)
            piece.error = np.maximum(error / len(frames) + energy, 0)
            there = energy > 10 * piece.floor
            scores.append(
                np.where(there, 10 * np.log10((energy + piece.floor) / (piece.error + piece.floor)), np.nan)
            )
        shown = " ".join(f"{x:.2f}" for x in np.nanmean(scores, axis=0))
        print(f"{folder.name}, epoch {epoch + 1}, {len(pieces)} pieces: SDR {shown}", flush=True)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=3e-3, help="learning rate at the start")
    parser.add_argument("--out", type=Path, default=Path("build/gains.npz"))
    options = parser.parse_args()
    trained = {folder.name: train(folder, options.epochs, options.rate) for folder in options.folders}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        options.out, **{name: weights.astype(np.float16) for name, weights in trained.items()}
    )


if __name__ == "__main__":
    main()
