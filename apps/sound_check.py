"""Learn a kit from takes of each part alone, for `followspot separate --kit` and the node `sound_check`.

Record a bar of drums, a line of voice, some of the rest; or export stems of a rehearsal. Two to four parts;
the last one also takes what none of them explains. Parts named after drums (drums, kick, snare, hi-hat,
tom, clap ...) are learnt as struck.

    followspot sound-check band.npz drums=drums.wav vocals=voice.wav rest=guitars.wav
    followspot separate song.wav -o stems --kit band.npz
"""

from __future__ import annotations

import argparse
import re

import numpy as np

from apps.terminal import note
from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from nodes.separate.kit import learn

LONGEST = 30.0  # seconds of a take that are used


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kit", metavar="KIT.npz", help="file to write")
    parser.add_argument("takes", metavar="NAME=FILE", nargs="+", help="a part's name and its take")
    parser.add_argument("--rate", type=int, default=44100, metavar="HZ", help="sample rate of the live input")
    parser.add_argument(
        "--mode",
        choices=("stage", "studio"),
        default="studio",
        help="milliseconds from sound to stem in a live run: stage 23, studio 46 (the default)",
    )


def run(args: argparse.Namespace) -> None:
    takes = {}
    for word in args.takes:
        name, _, path = word.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not path:
            raise FollowspotError(f"take {word}: write NAME=FILE, with a name of letters and digits")
        if name in takes:
            raise FollowspotError(f"take {word}: there are two parts {name}; give each its own name")
        takes[name] = _samples(path, args.rate)
    if not 2 <= len(takes) <= 4:
        raise FollowspotError(f"{len(takes)} takes were given: a kit has two to four parts")
    kit = learn(takes, args.rate, args.mode)
    kit.save(args.kit)
    count = ", ".join(f"{part.name} {part.templates.shape[1]}" for part in kit.parts)
    note(f"{args.kit}: templates of {count}, {args.mode} mode")


def _samples(path: str, rate: int) -> np.ndarray:
    """The first half minute of a file, mixed to one channel."""
    blocks, length = [], 0
    file = AudioFile(path, rate, 512)
    for block in file.blocks():
        blocks.append(block[0].copy())
        length += len(blocks[-1])
        if length > LONGEST * rate:
            file.close()
            break
    return np.concatenate(blocks)
