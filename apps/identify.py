"""Say what is being played, where in it, how fast and in which key.

The library is made by `followspot library add`. A file runs as fast as the machine can; live sound until
Ctrl-C. Events: match (this is it; twice a second and more), position, candidate, jump, lost, unknown.
"""

from __future__ import annotations

import argparse

from apps import run as run_verb
from apps.identify_plot import plot
from apps.library import add_places, name_places
from apps.live import is_file
from engine.errors import FollowspotError
from nodes.match.gate import KINDS
from nodes.match.neighbours import METHODS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_places(parser)
    parser.add_argument(
        "--input",
        metavar="FILE|mic|NAME",
        help="a sound file, `mic`, or a part of the name of an input device",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--offline", action="store_true", help="a file as fast as possible (the default)")
    pace.add_argument("--realtime", action="store_true", help="a file at its own pace")
    parser.add_argument(
        "--events", metavar="OUT.jsonl", default="-", help="where the events go (default: stdout)"
    )
    parser.add_argument(
        "--set-list",
        metavar="FILE",
        default="",
        help="names of the documents that are expected, one a line, in order: they are believed sooner, "
        "others later",
    )
    parser.add_argument(
        "--transpose",
        choices=("all", "none"),
        default="all",
        help="try all 12 keys (the default), or only the written one",
    )
    parser.add_argument(
        "--plot",
        metavar="OUT.svg",
        help="instead of events, draw what a file was compared with: evidence of the documents over time, "
        "matching curves by tempo, peaks that match",
    )
    parser.add_argument(
        "--index",
        choices=("auto", "none", *METHODS),
        default="auto",
        help="how documents worth a scan are found: none: all are scanned; exact, kdtree, hnsw: by nearest "
        "neighbours; auto: none up to 20 hours, exact above",
    )
    parser.add_argument(
        "--shingles",
        choices=tuple(KINDS),
        default="short",
        help="what the neighbours are sought by: short: 4 s (the default); network: also 20 s through a "
        "trained network, for big libraries and music that lasts",
    )


def run(args: argparse.Namespace) -> None:
    name_places(args)
    as_run = argparse.ArgumentParser()
    run_verb.add_arguments(as_run)
    if args.plot:
        if args.input is None or not is_file(args.input):
            raise FollowspotError("--plot draws what was heard in a file: give one with --input FILE")
        if args.store:
            raise FollowspotError("--plot draws from a folder: leave --store out")
        plot(args.library, args.input, args.plot, args.transpose, args.index)
        return
    words = ["identify", "--set", f"match.library={args.library}", "--events", args.events]
    words += ["--set", f"match.store={args.store}"] if args.store else []
    words += ["--set", f"match.transpose={args.transpose}", "--set", f"match.index={args.index}"]
    words += ["--set", f"match.shingles={args.shingles}"]
    words += ["--set", f"match.set_list={args.set_list}"] if args.set_list else []
    if args.input is not None:
        words += ["--input", args.input]
    words += [f"--{pace}" for pace in ("offline", "realtime") if getattr(args, pace)]
    run_verb.run(as_run.parse_args(words))
