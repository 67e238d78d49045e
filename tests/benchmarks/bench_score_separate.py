"""Parts taken out by the score: python -m tests.benchmarks.bench_score_separate [--modes studio quality]

Real chorales for four winds and strings (FOLLOWSPOT_DATA/bach10): the score follower hears the sum of the
stems, causally, and the parts are taken out where it says that the performers are. Whole pieces, aligned by
the declared latency. All rows go to build/benchmarks/score_separate.json. `--rendered` adds the scores
of two chorales played by FluidSynth on instruments that nothing was chosen on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import mido
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
#: General MIDI programs, soprano to bass.
ENSEMBLES = {
    "strings": (40, 40, 41, 42),
    "choir": (52, 52, 52, 52),
    "piano": (0, 0, 0, 0),
    "brass": (56, 60, 57, 58),
}
FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
LEVEL = 0.09  # RMS of every stem, as in the recordings
Pieces = dict[str, dict[str, dict[str, float]]]
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


def render(folder: Path, programs: tuple[int, ...]) -> np.ndarray:
    """Stems (parts, samples) of a chorale's score, dry, all as loud."""
    score = mido.MidiFile(folder / "score.mid")
    parts = [track for track in score.tracks if any(message.type == "note_on" for message in track)]
    waves = []
    with tempfile.TemporaryDirectory() as scratch:
        wav, midi = f"{scratch}/part.wav", f"{scratch}/part.mid"
        for program, part in zip(programs, parts, strict=True):
            channel = next(message.channel for message in part if message.type == "note_on")
            change = mido.Message("program_change", program=program, channel=channel)
            notes = [message for message in part if message.type != "program_change"]
            file = mido.MidiFile(ticks_per_beat=score.ticks_per_beat)
            file.tracks += [score.tracks[0], mido.MidiTrack([change, *notes])]
            file.save(midi)
            command = ["fluidsynth", "-niq", "-R", "0", "-C", "0", "-r", str(RATE), "-F", wav, FONT, midi]
            subprocess.run(command, check=True, capture_output=True)
            waves.append(soundfile.read(wav)[0].mean(axis=1))
    stems = np.zeros((len(waves), max(map(len, waves))))
    for stem, wave in zip(stems, waves, strict=True):
        stem[: len(wave)] = wave * LEVEL / np.sqrt((wave**2).mean())
    return stems


def evaluate(stems: np.ndarray, folder: Path, mode: str) -> dict[str, dict[str, float]]:
    """Measures by part of one piece, and the cost."""
    heard, cost = take_apart(stems.sum(axis=0), folder / "score.mid", mode)
    rows = {"cost": cost}
    for k, part in enumerate(PARTS):
        others = np.delete(stems, k, axis=0)
        rows[part] = measures(stems[k], others, heard[k])
        rows[part]["mix_sdr"] = decibels(stems[k], others.sum(axis=0))
    mean = np.mean([rows[part]["sdr"] for part in PARTS])
    print(f"{mode} {folder.name}: mean SDR {mean:.2f} dB", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--modes", nargs="*", default=list(SCORE_MODES), choices=list(SCORE_MODES))
    parser.add_argument("--rendered", action="store_true")
    options = parser.parse_args()
    chorales = sorted((DATA / "bach10").iterdir())
    results: dict[str, Pieces] = {}
    for mode in options.modes:
        results[mode] = {
            folder.name: evaluate(
                np.stack([soundfile.read(folder / f"{part}.flac")[0] for part in PARTS]), folder, mode
            )
            for folder in chorales
        }
        report(mode, results[mode])
        for name, programs in ENSEMBLES.items() if options.rendered else ():
            title = f"{mode}, {name} by FluidSynth"
            results[title] = {f.name: evaluate(render(f, programs), f, mode) for f in chorales[2:4]}
            report(title, results[title])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


def report(title: str, pieces: Pieces) -> None:
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
