"""Arguments that several verbs share."""

from __future__ import annotations

import argparse

from engine.plan import Plan, compile_graph
from engine.preset import PresetSource


def add_preset(parser: argparse.ArgumentParser) -> None:
    """PRESET, --set and --plugin."""
    parser.add_argument(
        "preset", metavar="PRESET", help="a preset's file, or the name of one that comes along"
    )
    parser.add_argument(
        "--set",
        metavar="NODE.PARAM=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="change a parameter of the preset; may be given several times",
    )
    add_plugin(parser)


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """--plugin."""
    parser.add_argument(
        "--plugin",
        metavar="FILE.py",
        action="append",
        default=[],
        dest="plugins",
        help="a Python file with nodes or sinks of your own; may be given several times",
    )


def preset_source(args: argparse.Namespace) -> PresetSource:
    """Where the preset named on the command line comes from."""
    return PresetSource(args.preset, tuple(args.overrides), tuple(args.plugins))


def compile_preset(args: argparse.Namespace, *, live: bool = False) -> Plan:
    """The plan of the preset named on the command line; every fault of it is raised."""
    return compile_graph(preset_source(args).load().build(), live=live)
