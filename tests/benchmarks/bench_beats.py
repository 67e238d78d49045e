"""Beat tracking beside other trackers: python -m tests.benchmarks.bench_beats [--songs 7] [--SET N ...]

The sets of `beat_sets`, N pieces of each, whole files, no warm-up taken off, a beat stamped at
max(time, emitted); on the songs also re-lock after an abrupt change of tempo, and beats in silence and
noise after music.

The preset beats_small and aubio run beside it. A peer is a program in an environment of its own: COMMAND
gets the name of a WAV file (mono, float32, 44.1 kHz) as its last argument and prints, line by line, the
seconds at which it could have told each beat; FOLLOWSPOT_BEAT_PEERS may hold several, with ';' between
them. A peer that fails is left out, with its reason. Prints tables and writes build/benchmarks/beats.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aubio
import mir_eval
import numpy as np
import soundfile as sf

from engine.errors import FollowspotError
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner
from tests.benchmarks.beat_sets import RATE, SETS, Clip

Heard = dict[str, np.ndarray]


def ours(name: str) -> Callable[[np.ndarray], tuple[Heard, float]]:
    preset = PresetSource(name).load()

    def track(audio: np.ndarray) -> tuple[Heard, float]:
        plan = compile_graph(preset.build())
        events = []
        blocks = np.pad(audio, (0, -len(audio) % preset.quantum)).reshape(-1, 1, preset.quantum)
        runner = Runner(plan)
        spent = time.process_time()
        run_offline(runner, blocks, events.append)
        spent = time.process_time() - spent
        plan.release()
        times = {
            kind: np.sort([max(e.time, e.emitted) / RATE for e in events if e.kind == kind])
            for kind in ("beat", "downbeat")
        }
        return times, spent

    return track


def aubio_tempo(audio: np.ndarray) -> tuple[Heard, float]:
    tempo = aubio.tempo("default", 1024, 512, RATE)
    beats = []
    blocks = [audio[i : i + 512] for i in range(0, len(audio) - 511, 512)]
    spent = time.process_time()
    for index, block in enumerate(blocks):
        if tempo(block)[0] > 0:
            beats.append(max(tempo.get_last_s(), (index + 1) * 512 / RATE))
    return {"beat": np.array(beats), "downbeat": np.zeros(0)}, time.process_time() - spent


def peer(command: str) -> Callable[[np.ndarray], tuple[Heard, float]]:
    """A tracker in a process of its own; its time includes starting up."""

    def track(audio: np.ndarray) -> tuple[Heard, float]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            sf.write(file.name, audio, RATE, subtype="FLOAT")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([*shlex.split(command), file.name], capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise FollowspotError(done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}")
        beats = np.sort([float(line) for line in done.stdout.split()])
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"beat": beats, "downbeat": np.zeros(0)}, spent

    return track


def figures(truth: np.ndarray, heard: Heard) -> dict[str, float]:
    true, beats = truth[:, 0], heard["beat"]
    ones = truth[truth[:, 1] == 1, 0]
    _, cmlt, _, amlt = mir_eval.beat.continuity(true, beats)
    error = (
        beats[np.abs(beats[None] - true[:, None]).argmin(axis=1)] - true
        if len(beats)
        else np.full(len(true), 9.0)
    )
    right = np.abs(error) < 0.07
    return {
        "F": mir_eval.beat.f_measure(true, beats),
        "CMLt": cmlt,
        "AMLt": amlt,
        "light": float(np.mean((error > -0.125) & (error < 0.045))),
        "signed_ms": float(np.median(error[right]) * 1e3) if right.any() else float("nan"),
        "first_s": float(true[right][0] - true[0]) if right.any() else 30.0,
        "downbeat_F": mir_eval.beat.f_measure(ones, heard["downbeat"]) if len(heard["downbeat"]) else 0.0,
    }


def relock(track: Callable[[np.ndarray], tuple[Heard, float]], clips: list[Clip]) -> float:
    """Median seconds from a change of speed (1 to 1.25 or 0.8) until four beats in a row are right."""
    waits = []
    for slow, fast in zip(clips[0::5], clips[4::5], strict=True):
        for first, second in ((slow, fast), (fast, slow)):
            cut = int(first[2][min(24, len(first[2]) // 2), 0] * RATE)
            start = int(second[2][min(8, len(second[2]) // 4), 0] * RATE)
            audio = np.concatenate([first[1][:cut], second[1][start:]])
            true = second[2][:, 0] + (cut - start) / RATE
            true = true[true >= cut / RATE - 0.01]
            beats = track(audio)[0]["beat"]
            ok = np.array([len(beats) > 0 and np.abs(beats - t).min() < 0.07 for t in true])
            run = [k for k in range(len(ok) - 3) if ok[k : k + 4].all()]
            waits.append(true[run[0]] - cut / RATE if run else 30.0)
    return float(np.median(waits))


def idle_beats(track: Callable[[np.ndarray], tuple[Heard, float]], clip: Clip) -> dict[str, int]:
    """Beats in the last 7 of 10 s of silence, and of noise 30 dB below, after 10 s of music."""
    music = clip[1][: 10 * RATE]
    noise = np.random.default_rng(5).normal(size=10 * RATE).astype(np.float32) * np.std(music) * 0.03
    count = {}
    for name, tail in (("silence", np.zeros(10 * RATE, np.float32)), ("noise", noise)):
        beats = track(np.concatenate([music, tail]))[0]["beat"]
        count[name] = int(np.sum(beats > 13.0))
    return count


def measure(
    track: Callable[[np.ndarray], tuple[Heard, float]], clips: list[Clip], changes: bool
) -> dict[str, Any]:
    """Figures of one tracker on one set; `changes`: also re-lock and idle beats, of clips at five speeds."""
    rows, spent, seconds = [], 0.0, 0.0
    for about, audio, truth in clips:
        heard, cost = track(audio)
        rows.append({"clip": about, **figures(truth, heard)})
        spent, seconds = spent + cost, seconds + len(audio) / RATE
    mean = {k: float(np.nanmean([row[k] for row in rows])) for k in rows[0] if k != "clip"}
    mean["first_s"] = float(np.median([row["first_s"] for row in rows]))
    mean["signed_ms"] = float(np.nanmedian([row["signed_ms"] for row in rows]))
    mean["cpu_ms_per_s"] = 1e3 * spent / seconds
    if changes:
        mean["relock_s"] = relock(track, clips)
        mean.update({f"beats_in_{k}": v for k, v in idle_beats(track, clips[2]).items()})
    return {"mean": mean, "clips": rows}


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, clips in SETS.items():
        parser.add_argument(f"--{name}", type=int, default=7 if name == "songs" else 0, help=clips.__doc__)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    options = parser.parse_args()
    trackers = {"followspot": ours("beats"), "beats_small": ours("beats_small"), "aubio": aubio_tempo}
    peers = options.peer or filter(None, os.environ.get("FOLLOWSPOT_BEAT_PEERS", "").split(";"))
    for name, _, command in (text.partition("=") for text in peers):
        trackers[name.strip()] = peer(command)
    for name, track in list(trackers.items()):
        try:
            track(np.zeros(RATE, np.float32))
        except (OSError, FollowspotError) as error:
            print(f"{name} is left out: {error}")
            del trackers[name]
    report: dict[str, dict[str, object]] = {}
    for title, clips in SETS.items():
        those = list(clips(getattr(options, title)))
        if not those:
            continue
        for name, track in trackers.items():
            report[f"{title}, {name}"] = row = measure(track, those, title == "songs")
            print(
                f"{title}, {name}: " + "  ".join(f"{k} {v:.3f}" for k, v in row["mean"].items()), flush=True
            )
    out = Path("build/benchmarks/beats.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
