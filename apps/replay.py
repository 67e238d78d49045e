"""Run a show recorded with `followspot run ... --record DIR` again: the same events, to the bit.

As fast as the machine can, to stdout as JSON Lines; with --realtime at its own pace, to all outputs.
"""

from __future__ import annotations

import argparse

from apps.live import run_live
from apps.offline import event_lines
from engine.live.replay import replay
from engine.live.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder that --record made")
    parser.add_argument("--realtime", action="store_true", help="at its own pace, to all outputs")
    parser.add_argument(
        "--events", metavar="OUT.jsonl", default="-", help="where the events go (default: stdout)"
    )


def run(args: argparse.Namespace) -> None:
    session = Session.open(args.folder)
    if args.realtime:
        run_live(session.source, events=args.events, replay=args.folder)
        return
    with event_lines(args.events, session.rate) as write:
        replay(args.folder, write)
