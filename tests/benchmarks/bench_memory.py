"""Memory over an hour of audio, at full speed.

    python -m tests.benchmarks.bench_memory [--minutes 60] [--preset lights]

The preset hears the demo's music again and again, with pauses. Resident memory is read after every minute
of audio; what counts is how it grows once everything has been touched, from the tenth minute to the last.
Writes build/benchmarks/memory.json.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from apps.demo_music import compose
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner

SETTLED = 10  # minutes


def resident() -> float:
    """MiB of this process that are in memory (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def music(minutes: int, rate: int, quantum: int) -> Iterator[np.ndarray]:
    """Blocks of so many minutes; 3 s of silence behind every piece."""
    piece = compose()
    assert piece.rate == rate
    samples = np.concatenate([piece.samples, np.zeros(3 * rate, np.float32)])
    blocks = np.resize(samples, len(samples) // quantum * quantum).reshape(-1, 1, quantum)
    for n in range(minutes * 60 * rate // quantum):
        yield blocks[n % len(blocks)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=60, help="of audio")
    parser.add_argument("--preset", default="lights")
    options = parser.parse_args()
    graph = PresetSource(options.preset).load().build()
    plan = compile_graph(graph)
    runner = Runner(plan)
    runner.warm_up()
    readings: list[float] = []
    events = 0

    def hear(event: object) -> None:
        nonlocal events
        events += 1

    def watch(samples: int) -> None:
        if samples // (60 * plan.rate) >= len(readings):
            gc.collect()
            readings.append(resident())

    run_offline(runner, music(options.minutes, plan.rate, plan.quantum), hear, watch)
    readings.append(resident())
    settled = readings[min(SETTLED, len(readings) - 1) :]
    result = {
        "preset": options.preset,
        "minutes": options.minutes,
        "events": events,
        "MiB at the start": round(readings[0], 2),
        f"MiB after {SETTLED} minutes": round(settled[0], 2),
        "MiB at the end": round(readings[-1], 2),
        "growth, kiB an hour": round(
            1024 * (settled[-1] - settled[0]) * 60 / max(1, options.minutes - SETTLED), 1
        ),
    }
    for key, value in result.items():
        print(f"{key:24}{value:>12}")
    target = Path("build/benchmarks/memory.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({**result, "every minute, MiB": readings}, indent=1))


if __name__ == "__main__":
    main()
