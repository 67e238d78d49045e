"""Give controls of a MIDI desk or an OSC surface to parameters of a preset: move one to map it.

    followspot learn lights                         what can be moved, and by what
    followspot learn lights conductor.tap           then press the pad or button that shall tap
    followspot learn lights conductor.nudge=-10     the control sets this value
    followspot learn lights conductor.tap --forget

What was learnt is kept in the user's own folder and holds for every run of that preset.
"""

from __future__ import annotations

import argparse
import queue

from apps.arguments import add_preset, preset_source
from apps.config import forget_controls, keep_control, with_learnt_controls
from apps.controls import LISTEN, Controls
from apps.terminal import note
from engine.errors import FollowspotError
from engine.params import params_of
from engine.preset import Preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_preset(parser)
    parser.add_argument("targets", nargs="*", metavar="NODE.PARAM[=VALUE]", help="what to give a control to")
    parser.add_argument("--forget", action="store_true", help="forget what was learnt for these")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=LISTEN, help="where OSC comes in (%(default)s)"
    )
    parser.add_argument(
        "--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait for each (%(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    preset = with_learnt_controls(preset_source(args).load())
    if not args.targets:
        show(preset)
        return
    if args.forget:
        for target in args.targets:
            note(f"forgotten, in {forget_controls(preset.name, target)}")
        return
    controls = Controls(preset, lambda target, value: None, args.listen)
    try:
        for wanted in args.targets:
            learn(controls, preset, wanted, args.wait)
    finally:
        controls.close()


def learn(controls: Controls, preset: Preset, wanted: str, wait: float) -> None:
    """Wait until a control is moved and keep it. FollowspotError if none is."""
    target, equals, value = wanted.partition("=")
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    controls.learn(target, heard.put)
    note(f"move a control for {wanted}")
    try:
        control = heard.get(timeout=wait)
    except queue.Empty:
        raise FollowspotError(f"{wanted}: nothing was moved in {wait:g} s; is the desk plugged in?") from None
    control += equals + value
    path = keep_control(preset.name, target, control)
    print(f"{control} moves {target}", flush=True)
    note(f"kept in {path}")


def show(preset: Preset) -> None:
    """Every live parameter and what moves it."""
    for id, (kind, _) in {**preset.nodes, **preset.sinks}.items():
        for name, param in params_of(kind).items():
            if param.live:
                moved = ", ".join(preset.controls.get(f"{id}.{name}", ())) or "-"
                print(f"{id + '.' + name:28} {moved:40} {param.help}")
