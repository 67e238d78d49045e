"""Beats of a file or of live sound.

On a terminal: a line per beat of a file, a flashing line for live sound. In a pipe: seconds, BPM and
confidence in columns between tabs; with --json, one JSON object a line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np

from apps.beat_view import Beat
from apps.live import is_file, run_live
from apps.offline import run_file
from apps.terminal import duration, is_terminal, note
from engine.events import Event
from engine.preset import PresetSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", metavar="FILE|mic|NAME", help="a sound file, `mic`, or a part of the name of an input device"
    )
    parser.add_argument("--json", action="store_true", help="every event as one JSON object a line")


def run(args: argparse.Namespace) -> None:
    source = PresetSource("beats")
    preset = source.load()
    if not is_file(args.input):
        run_live(source, events="-" if args.json else None, device=args.input)
        return
    beats: list[Beat] = []
    show = _show(as_json=args.json, rate=preset.rate)

    def listener(event: Event) -> None:
        if event.kind == "beat":
            beats.append(Beat.of(event, preset.rate))
        show(event)

    seconds, spent = run_file(preset, args.input, listener, progress=not is_terminal(sys.stdout))
    tempo = f", median {np.median([beat.bpm for beat in beats]):.1f} BPM" if beats else ""
    note(
        f"{len(beats)} beats in {duration(seconds)}{tempo}; {seconds / spent:.0f} times as fast as real time"
    )


def _show(*, as_json: bool, rate: int) -> Callable[[Event], None]:
    """How an event is shown."""
    if as_json:
        return lambda event: print(event.to_line(rate), flush=True)
    text = Beat.text if is_terminal(sys.stdout) else Beat.columns

    def show(event: Event) -> None:
        if event.kind == "beat":
            print(text(Beat.of(event, rate)), flush=True)

    return show
