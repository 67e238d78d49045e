"""Accuracy of `followspot sync` on rendered piano performances, and its time and memory on an hour.

    python -m tests.benchmarks.bench_sync [--pieces N] [--hour] [--peer PYTHON]

Pairs of two performances of one piece with different sound fonts (audio to audio), and the MIDI score with
the first of them (score to audio). Error at every annotated beat: where the path puts it in the second
version less where it is. --peer: the Python of an environment with synctoolbox, run on the same pairs.
--hour: two versions of an hour, made of features by repeating a performance at wandering tempo.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
from itertools import groupby
from pathlib import Path
from time import perf_counter

import numpy as np

from nodes.sync.align import align
from nodes.sync.features import FRAMES, Features, load_features
from tests.benchmarks.follow_data import ROOT, Performance, asap

OUT = ROOT / "build" / "benchmarks" / "sync.json"
PEER = Path(__file__).with_name("peer_sync.py")


def figures(errors: np.ndarray) -> dict[str, float]:
    """Of errors in seconds: milliseconds and percentages."""
    size = np.abs(errors) * 1000
    return {
        "beats": len(errors),
        "bias_ms": round(float(np.median(errors)) * 1000, 1),
        "median_ms": round(float(np.median(size)), 1),
        **{f"within_{ms}": round(float(100 * np.mean(size <= ms)), 1) for ms in (50, 100, 1000)},
    }


def common_beats(a: Performance, b: Performance) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the beats that both performances have, in each of them."""
    first, second = ({round(beat, 4): at for beat, at in one.beats} for one in (a, b))
    both = sorted(set(first) & set(second))
    return np.array([first[beat] for beat in both]), np.array([second[beat] for beat in both])


def hour(features: Features) -> dict[str, float]:
    """Time, memory and error of two versions of an hour."""
    repeats = int(np.ceil(3600 * FRAMES / len(features.chroma)))
    shift = np.random.default_rng(1).integers(0, 12, repeats)  # every time in another key, to be told apart
    chroma = np.concatenate([np.roll(features.chroma, int(by), axis=1) for by in shift])
    onsets = np.concatenate([np.roll(features.onsets, int(by), axis=1) for by in shift])
    speed = np.exp(0.2 * np.sin(np.arange(2 * len(chroma)) * 2 * np.pi / (40 * FRAMES)))
    place = np.cumsum(speed)
    place = place[place < len(chroma) - 1]
    rows = np.round(place).astype(int)
    first = Features(chroma, onsets, len(chroma) / FRAMES, 0.0)
    second = Features(chroma[rows], onsets[rows], len(rows) / FRAMES, 0.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = perf_counter()
    found = align(first, second)
    spent = perf_counter() - begun
    grew = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    error = found.second_at(place / FRAMES) - np.arange(len(place)) / FRAMES
    return {
        "minutes": round(first.seconds / 60, 1),
        "align_s": round(spent, 1),
        "more_mib": round(grew / 1024, 1),
        **figures(error),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--peer")
    args = parser.parse_args()
    errors: dict[str, list[np.ndarray]] = {}
    rows = []
    pieces = [list(group) for _, group in groupby(asap(2), lambda one: one.score.parent.name)]
    features = None
    for a, b in [piece for piece in pieces if len(piece) > 1][: args.pieces]:
        begun = perf_counter()
        features, other, score = load_features(a.audio), load_features(b.audio), load_features(a.score)
        heard = perf_counter()
        found = align(features, other)
        aligned = perf_counter()
        in_a, in_b = common_beats(a, b)
        here = {
            "audio": found.second_at(in_a) - in_b,
            "score": align(score, features).second_at(a.beats[:, 0]) - a.beats[:, 1],
        }
        row = {"piece": a.score.parent.name, "features_s": heard - begun, "align_s": aligned - heard}
        if args.peer:
            done = subprocess.run([args.peer, PEER, a.audio, b.audio], capture_output=True, check=True)
            peer = json.loads(done.stdout[done.stdout.index(b"{") :])  # after dots of progress
            pairs = np.array(peer.pop("path"))
            here["synctoolbox, audio"] = np.interp(in_a, pairs[:, 0], pairs[:, 1]) - in_b
            row["synctoolbox"] = peer
        for name, error in here.items():
            errors.setdefault(name, []).append(error)
            row[name] = figures(error)
        rows.append(row)
        print(json.dumps(row), flush=True)
    total: dict[str, object] = {name: figures(np.concatenate(found)) for name, found in errors.items()}
    if args.hour and features is not None:
        total["hour"] = hour(features)
    for name, figure in total.items():
        print(f"{name:20}", figure)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"rows": rows, "total": total}, indent=1))


if __name__ == "__main__":
    main()
