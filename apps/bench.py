"""What every node of a preset costs on this machine, per quantum, against the time there is.

Runs the preset as fast as it can on noise or on a file, after warming up. A live run is safe when even
the worst quantum stays within its period.
"""

from __future__ import annotations

import argparse
import gc
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from apps.arguments import add_preset, preset_source
from apps.offline import open_file
from apps.terminal import duration, note, table
from engine.budget import Cost
from engine.errors import FollowspotError
from engine.live.realtime import ENGINE_PRIORITY, raise_priority
from engine.offline import Block
from engine.plan import Plan, compile_graph
from engine.runner import Runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_preset(parser)
    parser.add_argument("--input", metavar="FILE", help="an audio file (default: noise)")
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="stop after so much audio (default: %(default)g)"
    )


def run(args: argparse.Namespace) -> None:
    if not args.seconds > 0:
        raise FollowspotError(f"--seconds {args.seconds:g}: give a number above 0")
    preset = preset_source(args).load()
    file = open_file(args.input, preset) if args.input else None
    plan = compile_graph(preset.build())
    runner = Runner(plan)
    note("warming up")
    runner.warm_up()
    quanta = max(1, round(args.seconds * plan.rate / plan.quantum))
    blocks = itertools.islice(file.blocks() if file else noise(plan), quanta)
    with ThreadPoolExecutor(1) as worker:
        worker.submit(_measure, runner, blocks).result()
    plan.release()
    print(report(runner))
    for node, reason in runner.faults.items():
        note(f"node {node} failed and was taken out: {reason}")


def _measure(runner: Runner, blocks: Iterator[Block]) -> None:
    """On a thread of its own with the priority of the live engine, so that it measures the nodes and not
    what else this machine does."""
    priority = raise_priority(ENGINE_PRIORITY)
    if not priority.ok:
        note(str(priority))
    gc.collect()
    gc.disable()
    try:
        for block in blocks:
            runner.tick(block)
    finally:
        gc.enable()


def noise(plan: Plan) -> Iterator[Block]:
    """Bursts of white noise, twice a second, so that trackers have something to do."""
    generator = np.random.default_rng(0)
    for start in itertools.count(0, plan.quantum):
        phase = (start / plan.rate * 2) % 1.0
        noise = generator.standard_normal(plan.input.shape, np.float32)
        yield noise * np.float32(0.3 * np.exp(-8 * phase) + 0.01)


def report(runner: Runner) -> str:
    """The table and the verdict."""
    budget = runner.budget
    period = budget.period * 1e6
    rows = [_row(cost, period) for cost in budget.costs()]
    header = ("node", "mean us", "p50 us", "p99 us", "p99.9 us", "max us", "mean load", "worst load")
    worst = budget.costs()[-1].max
    seconds = budget.quanta * budget.period
    lines = [
        table(header, rows, right=range(1, 8)),
        "",
        f"period: {period:.0f} us ({runner.plan.quantum} samples at {runner.plan.rate} Hz)",
        f"worst quantum: {worst:.0f} us, {worst / period:.0%} of the period",
        f"measured: {duration(seconds)} of audio, {budget.quanta} quanta",
    ]
    if budget.overruns:
        verdict = f"too slow in {budget.overruns} quanta; the last of them was spent in {budget.guilty}"
    else:
        verdict = "fits: no quantum took longer than its period"
    return "\n".join([*lines, f"verdict: {verdict}"])


def _row(cost: Cost, period: float) -> tuple[str, ...]:
    spent = (cost.mean, cost.p50, cost.p99, cost.p999, cost.max)
    return (
        cost.name,
        *(f"{us:.1f}" for us in spent),
        f"{cost.mean / period:.1%}",
        f"{cost.max / period:.0%}",
    )
