"""What the drum stem does to the beats: python -m tests.benchmarks.bench_beats_from_drums [--others N]

The evaluation songs, whole files, as in `bench_beats`: the mix, the drums that `separate` takes out of it
(both modes), and the true drum stem, which bounds what separation can gain; then both presets on the same
songs with their drums muted, and on N pieces each of electronic music, piano and composed songs that nothing
was trained on (needs FluidSynth). Prints a table and writes build/benchmarks/beats_from_drums.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner
from tests.benchmarks.beat_sets import RATE, SETS, SPEEDS, songs
from tests.benchmarks.bench_beats import Heard, figures

OUT = Path("build/benchmarks/beats_from_drums.json")


def tracker(name: str, *overrides: str) -> Callable[[np.ndarray], Heard]:
    """Beats and downbeats of a preset, each at max(time, emitted)."""
    preset = PresetSource(name, overrides).load()

    def track(audio: np.ndarray) -> Heard:
        plan = compile_graph(preset.build())
        events = collect(Runner(plan), quanta(audio, preset.quantum))
        plan.release()
        return {
            kind: np.sort([max(e.time, e.emitted) / RATE for e in events if e.kind == kind])
            for kind in ("beat", "downbeat")
        }

    return track


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speeds", nargs="*", type=float, default=SPEEDS)
    parser.add_argument("--others", type=int, default=0)
    options = parser.parse_args()
    speeds = {f"x{speed}" for speed in options.speeds}
    mixes = [clip for clip in songs(7) if clip[0].split()[-1] in speeds]
    drums = [clip for clip in songs(7, "drums.flac") if clip[0].split()[-1] in speeds]
    muted = [clip for clip in songs(7, "[!d]*.flac") if clip[0].split()[-1] in speeds]
    systems = {
        "mix": (tracker("beats"), mixes),
        "drums taken out, stage": (tracker("beats_from_drums", "separate.mode=stage"), mixes),
        "drums taken out, studio": (tracker("beats_from_drums"), mixes),
        "true drums": (tracker("beats"), drums),
        "no drums in the mix": (tracker("beats"), muted),
        "no drums, taken out": (tracker("beats_from_drums"), muted),
    }
    for name, clips in SETS.items() if options.others else ():
        if name in ("grid", "piano", "synthetic"):
            those = [(f"{k} {about}", *rest) for k, (about, *rest) in enumerate(clips(options.others))]
            systems[f"{name}, mix"] = tracker("beats"), those
            systems[f"{name}, taken out"] = tracker("beats_from_drums"), those
    report = {}
    for title, (track, clips) in systems.items():
        rows = {name: figures(truth, track(audio)) for name, audio, truth in clips}
        report[title] = rows
        mean = {k: float(np.nanmean([row[k] for row in rows.values()])) for k in next(iter(rows.values()))}
        print(f"{title:24s} ({len(rows)})  " + "  ".join(f"{k} {v:.3f}" for k, v in mean.items()), flush=True)
        print("    F: " + "  ".join(f"{name} {row['F']:.2f}" for name, row in rows.items()), flush=True)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
