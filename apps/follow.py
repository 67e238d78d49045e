"""Follow a performer through a score (MIDI, MusicXML, .mxl, MEI) or through another recording of the piece.

A file runs as fast as the machine can; live sound runs until Ctrl-C. One event every 512 samples: position,
with beat, printed bar, seconds of the reference, tempo, confidence and state (waiting, tracking, lost,
finished). Repeats in a score are unfolded. --view shows the score on a web page, engraved, with what is
being played on it; a file then runs at its own pace.
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from apps import run as run_verb
from apps.console import run as console
from apps.controls import LISTEN
from engine.errors import FollowspotError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("score", metavar="SCORE", help="score or recording to follow")
    parser.add_argument(
        "--input",
        metavar="FILE|mic|NAME",
        help="a sound file, `mic`, or a part of the name of an input device",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--offline", action="store_true", help="a file as fast as possible (the default)")
    pace.add_argument("--realtime", action="store_true", help="a file at its own pace")
    parser.add_argument(
        "--events", metavar="OUT.jsonl", help="where the events go (default: stdout, with --view nowhere)"
    )
    parser.add_argument(
        "--tuning", type=float, default=0.0, metavar="CENTS", help="of the performance against A4 = 440 Hz"
    )
    console.add_arguments(parser)
    parser.set_defaults(preset="follow", plugins=[], record=None, listen=LISTEN)


def run(args: argparse.Namespace) -> None:
    score = Path(args.score)
    if not score.is_file():
        raise FollowspotError(f"score {args.score}: there is no such file; check the path")
    args.overrides = [f"follower.reference={score.resolve()}", f"follower.tuning={args.tuning}"]
    if not console.wanted(args):
        args.events = args.events or "-"
        run_verb.run(args)
        return
    from apps.score_view.pages import ScorePages

    with contextlib.closing(ScorePages(score)) as pages:
        args.front = pages.front
        run_verb.run(args)
