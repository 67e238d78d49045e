"""Follow a performer through a score (MIDI, MusicXML, .mxl, MEI) or through other recordings of the piece.

Several recordings are aligned with one another and fused; time is that of the first.

What is followed is a sound file, live sound, a MIDI file or a MIDI keyboard (--input midi:PORT). A file runs
as fast as the machine can; what is live runs until Ctrl-C. One event every 512 samples: position, with beat
(quarter notes of the unfolded score from its start), printed bar, seconds of the reference, tempo (beats a
minute), confidence and state (waiting, tracking, lost, finished). Repeats in a score are unfolded. --cues
says the cues of a list as well; `followspot run follow_cues` sends all that as OSC and MIDI. --view shows the
score on a web page, engraved, with what is being played on it; a file then runs at its own pace.
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
    parser.add_argument(
        "score", metavar="SCORE", nargs="+", help="score or recording to follow; several recordings are fused"
    )
    parser.add_argument(
        "--input",
        metavar="FILE|mic|NAME|midi:PORT",
        help="a sound or MIDI file, `mic`, a part of the name of an input device, or of a MIDI input port",
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
    parser.add_argument(
        "--cues", metavar="CUES.toml|marks", help="say the cues of this list as well, ahead of time"
    )
    console.add_arguments(parser)
    parser.set_defaults(preset="follow", plugins=[], record=None, listen=LISTEN)


def run(args: argparse.Namespace) -> None:
    for path in args.score:
        if not Path(path).is_file():
            raise FollowspotError(f"score {path}: there is no such file; check the path")
    score = Path(args.score[0])
    args.overrides = [f"follower.reference={'|'.join(str(Path(path).resolve()) for path in args.score)}"]
    if args.cues:
        args.overrides += [f"cues.reference={score.resolve()}", f"cues.list={args.cues}"]
    if is_midi(args.input):
        if len(args.score) > 1:
            raise FollowspotError("notes are followed through one score: give the score only")
        hear_midi(args)
    elif args.tuning:
        args.overrides.append(f"follower.tuning={args.tuning}")
    if not console.wanted(args):
        args.events = args.events or "-"
        run_verb.run(args)
        return
    from apps.score_view.pages import ScorePages

    with contextlib.closing(ScorePages(score)) as pages:
        args.front = pages.front
        run_verb.run(args)


def is_midi(source: str | None) -> bool:
    """Whether --input names a MIDI file or port."""
    return source is not None and (source.startswith("midi:") or source.lower().endswith((".mid", ".midi")))


def hear_midi(args: argparse.Namespace) -> None:
    """Notes instead of sound: silence is the clock, for as long as the file lasts or until Ctrl-C."""
    from nodes.follow.score import load_score

    seconds = 86400.0
    if not args.input.startswith("midi:"):
        seconds = float(load_score(args.input).end.max()) + 3.0
    elif args.offline:
        raise FollowspotError("--offline is for files: a MIDI port is live")
    args.overrides.append(f"follower.midi={args.input}")
    args.preset = "follow_midi"
    args.input = f"silence:{seconds:.3f}"
    args.realtime = args.realtime or seconds == 86400.0
