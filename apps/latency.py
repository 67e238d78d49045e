"""From a sound at the input to every output, in milliseconds: least, typical, most.

What the nodes declare and the wait until a quantum is full. Negative: foretold, ahead of the sound. The
device, the wake-up of the engine and the computing come on top; `followspot run` measures them live.
"""

from __future__ import annotations

import argparse

from apps.arguments import add_preset, compile_preset
from apps.terminal import table
from engine.latency import latency_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_preset(parser)


def run(args: argparse.Namespace) -> None:
    rows = [
        (
            row.output,
            row.sink or "-",
            *(f"{seconds * 1000:.1f}" for seconds in (row.least, row.typical, row.most)),
            f"{row.advance * 1000:.1f}" if row.sink else "-",
            _verdict(row.sink, row.shortfall),
        )
        for row in latency_table(compile_preset(args))
    ]
    header = ("output", "sink", "min ms", "typical ms", "max ms", "sink leads by ms", "on time")
    print(table(header, rows, right=(2, 3, 4, 5)))


def _verdict(sink: str, shortfall: float) -> str:
    if not sink:
        return "-"
    return "always" if shortfall == 0 else f"up to {shortfall * 1000:.1f} ms late"
