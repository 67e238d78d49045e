"""Structure cues on arranged songs: precision, recall and latency of each kind.

    python -m tests.benchmarks.bench_cues [--songs 12] [--seed 2] [--plain 6]

The songs are made up (`arrangement.py`): seed 1 was used to choose the constants, seed 2 was run once
half-way, seed 3 once at the end. A cue counts if it comes from 0.3 s before to TOLERANCE after the truth;
each truth is matched once. A build-up counts until its end. A breakdown told within a build-up or intro,
where bass and drums are missing too, counts neither way. Plain songs are full from end to end: every cue
but the first sound is false there. Real songs (MDB): see `real_songs`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import soundfile as sf

from engine.graph import Graph
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.spectral.stft import Stft
from nodes.structure.band_energy import BandEnergy
from nodes.structure.cues import Cues

from .arrangement import STYLES, Arrangement, Section, arrange
from .band.bank import RATE

EARLY = 0.3
TOLERANCE = {"breakdown": 6.0, "drop": 1.0, "silence": 1.6, "sound": 0.3}


def cues_of(samples: np.ndarray) -> list[tuple[str, float, float]]:
    """(kind, seconds, confidence) of every cue, stamped when it was said."""
    graph = Graph().add("stft", Stft()).add("bands", BandEnergy()).add("cues", Cues())
    graph.connect("input", "stft").connect("stft.magnitude", "bands")
    graph.connect("bands.level", "cues.level").connect("bands.flux", "cues.flux")
    events = collect(Runner(compile_graph(graph), strict=True), quanta(samples, 256))
    return [(e.kind, e.emitted / RATE, e.values["confidence"]) for e in events if e.source == "cues"]


def judge(song: Arrangement, cues: list[tuple[str, float, float]]) -> list[dict]:
    """One record per truth and per false cue: kind, hit, latency (s)."""
    found = []
    for kind in ("breakdown", "build_up", "drop", "silence", "sound"):
        said = [at for name, at, _ in cues if name == kind]
        if kind == "sound" and said and said[0] < song.sections[0].start + 3.0:
            said = said[1:]  # the beginning of the song
        for true in song.starts(kind):
            until = true + TOLERANCE.get(kind, 0.0)
            if kind == "build_up":
                until = next(s.stop for s in song.sections if s.start == true)
            near = [at for at in said if true - EARLY <= at <= until]
            if near:
                said.remove(near[0])
            found.append(
                {"kind": kind, "true": True, "hit": bool(near), "latency": near[0] - true if near else None}
            )
        for at in said:
            here = next((s for s in song.sections if s.start <= at < s.stop), song.sections[-1])
            if kind == "breakdown" and here.kind in ("build_up", "intro"):
                continue
            if kind == "drop" and after_intro(song, at):
                continue
            found.append({"kind": kind, "true": False, "at": at, "in": here.kind})
    return found


def after_intro(song: Arrangement, at: float) -> bool:
    """Whether a drop lies where the band comes in after the intro: counted neither way."""
    return song.sections[0].kind == "intro" and abs(at - song.sections[1].start) <= TOLERANCE["drop"]


def table(records: list[dict]) -> dict[str, dict]:
    rows = {}
    for kind in ("breakdown", "build_up", "drop", "silence", "sound"):
        own = [r for r in records if r["kind"] == kind]
        true = [r for r in own if r["true"]]
        hits = [r["latency"] for r in true if r["hit"]]
        false = len(own) - len(true)
        rows[kind] = {
            "true": len(true), "hits": len(hits), "false": false,
            "precision": len(hits) / max(1, len(hits) + false), "recall": len(hits) / max(1, len(true)),
            "latency_median_s": float(np.median(hits)) if hits else None,
            "latency_p90_s": float(np.percentile(hits, 90)) if hits else None,
        }  # fmt: skip
    return rows


def real_songs() -> list[tuple[str, Arrangement, Arrangement]]:
    """(name, whole, thinned): MDB songs, and the same with drums and bass muted from 40 to 65 % of the way.

    The first is full all the way as far as we know, so that its breakdowns and drops count as false; some of
    the songs do pause. Empty without the evaluation data.
    """
    folder = Path(os.environ.get("FOLLOWSPOT_DATA", "../shared/data")) / "mdb"
    found = []
    for song in sorted(folder.glob("*/drums.flac")):
        stems = {
            f.stem: sf.read(f, dtype="float32", always_2d=True)[0].mean(axis=1)
            for f in song.parent.glob("*.flac")
        }
        length = len(stems["drums"])
        a, b, end = (share * length / RATE for share in (0.4, 0.65, 1.0))
        whole = sum(stems.values()) / 4
        for name in ("drums", "bass"):
            stems[name][int(a * RATE) : int(b * RATE)] = 0.0
        sections = [Section("full", 0.0, a), Section("breakdown", a, b, "bare"), Section("full", b, end)]
        found.append((
            song.parent.name, Arrangement(whole, [Section("full", 0.0, end)], 0.0),
            Arrangement(sum(stems.values()) / 4, sections, 0.0),
        ))  # fmt: skip
    return found


def report_real(verbose: bool) -> dict:
    """Print and return how real songs fare."""
    records, false, minutes = [], {}, 0.0
    for name, whole, thinned in real_songs():
        minutes += len(whole.samples) / RATE / 60
        said = [cue for cue in cues_of(whole.samples) if cue[0] != "sound"]
        for kind, _, _ in said:
            false[kind] = false.get(kind, 0) + 1
        cues = cues_of(thinned.samples)
        records += judge(thinned, cues)
        if verbose:
            print(name, "whole:", said, "thinned:", thinned.starts("breakdown"), thinned.starts("drop"), cues)
    if not minutes:
        return {}
    rows = table(records)
    print(f"real songs (MDB, {minutes:.1f} min): whole, cues besides sound: {false or 'none'}")
    for kind in ("breakdown", "drop"):
        row = rows[kind]
        late = row["latency_median_s"]
        print(
            f"  bass and drums muted: {kind} {row['hits']} of {row['true']}, {row['false']} false, "
            f"{late:.2f} s"
        )
    return {"minutes": minutes, "whole": false, "thinned": rows}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=12)
    parser.add_argument("--plain", type=int, default=6)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true", help="every song's sections and cues")
    options = parser.parse_args()
    records, false_plain, minutes = [], 0, 0.0
    for k in range(options.songs + options.plain):
        plain = k >= options.songs
        style = STYLES[k % len(STYLES)]
        song = arrange(style, 1000 * options.seed + k, plain=plain)
        cues = cues_of(song.samples)
        if plain:
            minutes += len(song.samples) / RATE / 60
            false_plain += len(cues) - 1
        else:
            records += judge(song, cues)
        if options.verbose:
            print(
                style,
                round(song.bpm),
                " ".join(f"{s.kind}{'/' + s.thin if s.thin else ''}@{s.start:.1f}" for s in song.sections),
            )
            print("   ", " ".join(f"{kind}@{at:.1f}({c:.2f})" for kind, at, c in cues))
    rows = table(records)
    print(f"{options.songs} arranged songs, seed {options.seed}")
    print(
        f"{'cue':10} {'true':>5} {'hit':>5} {'false':>6} {'precision':>10} {'recall':>7}"
        f" {'latency s p50':>14} {'p90':>6}"
    )
    for kind, row in rows.items():
        late = "".join(
            "-".rjust(w) if row[k] is None else f"{row[k]:{w}.2f}"
            for k, w in (("latency_median_s", 15), ("latency_p90_s", 7))
        )
        print(
            f"{kind:10} {row['true']:5} {row['hits']:5} {row['false']:6} {row['precision']:10.2f}"
            f" {row['recall']:7.2f}{late}"
        )
    if options.plain:
        print(f"plain songs: {false_plain} false cues in {minutes:.1f} minutes")
    out = Path("build/benchmarks/cues.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(
            {
                "seed": options.seed,
                "songs": options.songs,
                "cues": rows,
                "plain": {"false": false_plain, "minutes": minutes},
                "real": report_real(options.verbose),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
