"""Say whether a preset is sound: every key, node, wire and format of it.

All faults are reported together, each with the line it is written in and how to mend it.
"""

from __future__ import annotations

import argparse

from apps.arguments import add_preset, compile_preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_preset(parser)


def run(args: argparse.Namespace) -> None:
    plan = compile_preset(args)
    nodes = [id for id in plan.nodes if id != "input"]
    sinks = f" to {', '.join(plan.sinks)}" if plan.sinks else ""
    count = f"{len(nodes)} node" + ("s" if len(nodes) > 1 else "")
    print(
        f"{args.preset}: sound. {count} ({', '.join(nodes)}){sinks}, "
        f"{plan.rate} Hz, {plan.quantum} samples a quantum"
    )
