"""Play one recording with the sounds of another ("Let it Bee").

Every instant of TARGET is put together from frames of SOURCE, played on for some frames each, so that the
music of TARGET is heard in the sounds of SOURCE. OUT.wav has the target's length and the source's rate and
channels. This looks at the whole recording; live, the preset does the same from the past alone:
`followspot run mosaic --set mosaic.source=SOURCE --input mic`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from apps.terminal import duration, is_terminal
from engine.errors import FollowspotError
from nodes.mosaic.diagonal_nmf import (
    CONTINUITY,
    ITERATIONS,
    POLYPHONY,
    REPETITION,
    diagonal_activations,
    play,
)
from nodes.mosaic.source import Source, load_source, magnitudes_of, read_sound
from nodes.spectral.tapers import taper

#: Source frames times target frames; a matrix of so many takes 240 MB, and four are in use at a time.
MOST_CELLS = 60_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="the recording that is to be played")
    parser.add_argument("source", metavar="SOURCE", help="the recording whose sounds play it")
    parser.add_argument("-o", "--output", metavar="OUT.wav", required=True, help="file to write")
    for name, default, most, help in (
        ("repetition", REPETITION, 50, "frames (23 ms) within which a frame is not repeated"),
        ("polyphony", POLYPHONY, 1000, "frames of the source that sound at a time"),
        ("continuity", CONTINUITY, 50, "frames either side for which the source is played on"),
        ("iterations", ITERATIONS, 1000, "updates; more follow the target more closely"),
    ):
        least = 0 if name in ("repetition", "continuity") else 1
        parser.add_argument(
            f"--{name}",
            type=_whole(least, most),
            default=default,
            metavar="N",
            help=f"{help} (default {default})",
        )


def run(args: argparse.Namespace) -> None:
    for path in (args.target, args.source):
        if Path(path).resolve() == Path(args.output).resolve():
            raise FollowspotError(f"-o {args.output}: is one of the inputs; choose another name")
    source = load_source(args.source)
    target, length = _target(args.target, source)
    _refuse_too_much(source, target.shape[1])
    hidden = not is_terminal(sys.stderr)
    layout = "{percentage:3.0f}% |{bar}| {n}/{total} updates, {remaining} left"
    with tqdm(total=args.iterations, bar_format=layout, leave=False, disable=hidden) as bar:
        activations = diagonal_activations(
            source.magnitudes,
            target,
            args.repetition,
            args.polyphony,
            args.continuity,
            args.iterations,
            lambda: bar.update(),
        )
    mosaic = play(source.samples, activations, taper("hann", source.window), source.hop)
    mosaic = mosaic[:, source.window - source.hop :][:, :length]
    loudest = float(np.abs(mosaic).max())
    try:
        soundfile.write(args.output, mosaic.T, source.rate, "FLOAT", format="WAV")
    except (soundfile.LibsndfileError, OSError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(". ")
        raise FollowspotError(f"-o {args.output}: cannot be written ({reason})") from None
    used = np.count_nonzero(activations.max(axis=1) > 0.01 * activations.max())
    print(
        f"{duration(length / source.rate)} in {args.output}, from {used} of {activations.shape[0]} "
        f"frames of {args.source}; peak {20 * np.log10(max(loudest, 1e-6)):.1f} dBFS",
        flush=True,
    )


def _target(path: str, source: Source) -> tuple[np.ndarray, int]:
    """Magnitudes (bins, frames) of the target at the source's rate, with silence around it; its length."""
    samples, rate = read_sound(path, "target")
    if rate != source.rate:
        samples = soxr.resample(samples.T, rate, source.rate).T
    length = samples.shape[1]
    if length < source.hop:
        raise FollowspotError(f"target {path}: is shorter than a fortieth of a second; give a longer one")
    # So much before and behind that every sample of the target lies under as many frames as any other.
    samples = np.pad(samples, ((0, 0), (source.window - source.hop, source.window)))
    magnitudes = magnitudes_of(samples, source.window, source.hop)
    if magnitudes.sum(axis=0).max() < 1e-3:
        raise FollowspotError(f"target {path}: is silent; give one with sound")
    return magnitudes, length


def _refuse_too_much(source: Source, frames: int) -> None:
    if source.magnitudes.shape[1] * frames > MOST_CELLS:
        most = MOST_CELLS / frames * source.hop / source.rate
        raise FollowspotError(
            f"source and target are too long to be compared: cut the source to {most:.0f} s, "
            "or the target in pieces"
        )


def _whole(least: int, most: int):  # type: ignore[no-untyped-def]
    """A parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}")
        return value

    return parse
