"""Parts taken out by the score: python -m tests.benchmarks.bench_score_separate [--modes studio quality]

Real chorales for four winds and strings (FOLLOWSPOT_DATA/bach10): the score follower hears the sum of the
stems, causally, and the parts are taken out where it says that the performers are. Whole pieces, aligned by
the declared latency. All rows go to build/benchmarks/score_separate.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import soundfile

from engine.graph import Graph
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.follow.follower import ScoreFollower
from nodes.separate.score_masked import SCORE_MODES
from nodes.separate.score_separate import ScoreSeparate
from tests.benchmarks.separation_data import DATA, RATE, decibels, measures

OUT = Path("build/benchmarks/score_separate.json")
PARTS = ("violin", "clarinet", "saxophone", "bassoon")
PORTS = ("one", "two", "three", "four")
COLUMNS = ("sdr", "si_sdr", "sir", "sar")


def take_apart(mix: np.ndarray, score: Path, mode: str, quantum: int = 512) -> tuple[np.ndarray, dict]:
    """Stems (parts, samples) without their latency, and what they cost."""
    graph = Graph(rate=RATE, quantum=quantum)
    graph.add("follower", ScoreFollower(reference=str(score)))
    graph.add("separate", ScoreSeparate(reference=str(score), mode=mode))
    graph.connect("input.audio", "follower").connect("input.audio", "separate.audio")
    graph.connect("follower.position", "separate.position")
    plan = compile_graph(graph)
    runner = Runner(plan, strict=True)
    latency = plan.formats["separate.one"].latency
    padded = np.pad(mix.astype(np.float32), (0, latency + -(len(mix) + latency) % quantum))[None]
    runner.warm_up(20)
    kept, spent = [], []
    for start in range(0, padded.shape[1], quantum):
        block = np.ascontiguousarray(padded[:, start : start + quantum])
        begun = time.thread_time()
        runner.tick(block)
        spent.append(1000 * (time.thread_time() - begun))
        kept.append(np.stack([plan.streams[f"separate.{port}"][0] for port in PORTS]))
    plan.release()
    cost = {
        "latency_ms": 1000 * (latency + quantum) / RATE,
        "hop_ms": float(np.median(spent)),
        "p99_ms": float(np.percentile(spent, 99)),
    }
    return np.concatenate(kept, axis=1)[:, latency : latency + len(mix)], cost


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--modes", nargs="*", default=list(SCORE_MODES), choices=list(SCORE_MODES))
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for mode in options.modes:
        results[mode] = {}
        for folder in sorted((DATA / "bach10").iterdir()):
            stems = np.stack([soundfile.read(folder / f"{part}.flac")[0] for part in PARTS])
            heard, cost = take_apart(stems.sum(axis=0), folder / "score.mid", mode)
            rows = {"cost": cost}
            for k, part in enumerate(PARTS):
                others = np.delete(stems, k, axis=0)
                rows[part] = measures(stems[k], others, heard[k])
                rows[part]["mix_sdr"] = decibels(stems[k], others.sum(axis=0))
            results[mode][folder.name] = rows
            mean = np.mean([rows[part]["sdr"] for part in PARTS])
            print(f"{mode} {folder.name}: mean SDR {mean:.2f} dB", flush=True)
        report(mode, results[mode])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


def report(title: str, pieces: dict[str, dict[str, dict[str, float]]]) -> None:
    """Means over the pieces, a line per part and one for all."""
    table = {part: [piece[part] for piece in pieces.values()] for part in PARTS}
    table["all"] = [row for rows in table.values() for row in rows]
    print(
        f"\n{title}: mean of {len(pieces)} pieces, dB (the mix itself {_mean(table['all'], 'mix_sdr'):.2f})"
    )
    for part, rows in table.items():
        print(f"  {part:10s}" + "  ".join(f"{c} {_mean(rows, c):6.2f}" for c in COLUMNS))
    costs = [piece["cost"] for piece in pieces.values()]
    print(
        f"  latency {costs[0]['latency_ms']:.1f} ms; CPU of a hop, follower and all: "
        f"median {_mean(costs, 'hop_ms'):.2f} ms, 99th percentile {_mean(costs, 'p99_ms'):.2f} ms\n"
    )


def _mean(rows: list[dict[str, float]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


if __name__ == "__main__":
    main()
