"""Run a preset on a file or on live sound.

A file runs as fast as the machine can, and only outputs that are files are written; with --realtime it runs
at its own pace and feeds every output. Live sound runs until Ctrl-C. With --events every event is written as
one JSON object a line: kind, time (s, when it happens), emitted (s, how much had been heard by then).
"""

from __future__ import annotations

import argparse

from apps.arguments import add_preset, preset_source
from apps.console import run as console
from apps.controls import LISTEN
from apps.live import is_file, run_live
from apps.offline import event_lines, run_file
from apps.terminal import duration, note
from engine.errors import FollowspotError
from engine.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_preset(parser)
    parser.add_argument(
        "--input",
        metavar="FILE|mic|NAME",
        help="a sound file, `mic`, or a part of the name of an input device (default: the preset's)",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--offline", action="store_true", help="a file as fast as possible (the default)")
    pace.add_argument("--realtime", action="store_true", help="a file at its own pace, to all outputs")
    parser.add_argument(
        "--events", metavar="OUT.jsonl", help="write every event as a line of JSON; `-` for stdout"
    )
    parser.add_argument(
        "--record", metavar="DIR", help="keep the input and all that happens, for `followspot replay DIR`"
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=LISTEN,
        help="where the preset's OSC controls come in (default: %(default)s)",
    )
    console.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    source = preset_source(args)
    file = args.input is not None and is_file(args.input)
    if not file and (args.offline or args.realtime):
        raise FollowspotError("--offline and --realtime are for files: give one with --input FILE")
    faces = console.wanted(args)
    if faces and args.offline:
        raise FollowspotError("--view and --tui show what runs at its own pace: leave --offline out")
    if file and not (args.realtime or faces):
        if args.record:
            raise FollowspotError("--record keeps what is heard live: add --realtime, or leave it out")
        run_offline(args)
        return
    live = {"events": args.events, "listen": args.listen, "record": args.record}
    live["file" if file else "device"] = args.input
    if faces:
        console.run_with_faces(source, args, **live)
    else:
        run_live(source, **live)


def run_offline(args: argparse.Namespace) -> None:
    """A file as fast as it goes."""
    preset = preset_source(args).load()
    counts: dict[str, int] = {}

    def count(event: Event) -> None:
        counts[event.kind] = counts.get(event.kind, 0) + 1

    if args.events is None:
        seconds, spent = run_file(preset, args.input, count)
    else:
        with event_lines(args.events, preset.rate) as write:

            def listener(event: Event) -> None:
                count(event)
                write(event)

            seconds, spent = run_file(preset, args.input, listener)
    heard = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "no events"
    note(f"{duration(seconds)} heard: {heard}; {seconds / spent:.0f} times as fast as real time")
