"""How close a mosaic comes to what it plays: python -m tests.benchmarks.bench_mosaic

The first 20 s of each song's guitars and keys (FOLLOWSPOT_DATA/mdb) played with a violin (bach10 there),
by the verb's way and live, with and without continuity. "distance" is the KL divergence of the mosaic's
magnitudes from the target's, relative to the target's sum; "played on" is the share of the sound whose
predecessor in the source sounded just before. Means over the songs; all go to build/benchmarks/mosaic.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from nodes.mosaic.diagonal_nmf import diagonal_activations, play
from nodes.mosaic.mosaic import Mosaic
from nodes.mosaic.source import HOP, WINDOW, load_source, magnitudes_of
from nodes.spectral.tapers import taper
from tests.benchmarks.separation_data import DATA, RATE, run_node, song_names

OUT = Path("build/benchmarks/mosaic.json")
SECONDS = 20
VIOLIN = DATA / "bach10" / "01-AchGottundHerr" / "violin.flac"


def distance(target: np.ndarray, mosaic: np.ndarray) -> float:
    v, m = (magnitudes_of(x[None].astype(np.float32), WINDOW, HOP) + 1e-6 for x in (target, mosaic))
    return float((v * np.log(v / m) - v + m).sum() / v.sum())


def played_on(activations: np.ndarray, loudness: np.ndarray) -> float:
    sound = activations * loudness[:, None]
    sound[sound < 0.01 * sound.max(axis=0)] = 0.0
    return float(sound[1:, 1:][sound[:-1, :-1] > 0].sum() / sound[:, 1:].sum())


def whole(target: np.ndarray, continuity: int) -> dict[str, float]:
    source = load_source(VIOLIN, RATE, 30)
    padded = np.pad(target, (WINDOW - HOP, WINDOW))[None].astype(np.float32)
    activations = diagonal_activations(
        source.magnitudes, magnitudes_of(padded, WINDOW, HOP), continuity=continuity
    )
    mosaic = play(source.samples, activations, taper("hann", WINDOW), HOP)[0, WINDOW - HOP :]
    loudness = source.magnitudes.sum(axis=0)
    return {
        "distance": distance(target, mosaic[: len(target)]),
        "played_on": played_on(activations, loudness),
    }


def live(target: np.ndarray, continuity: int) -> dict[str, float]:
    node = Mosaic(source=str(VIOLIN), continuity=continuity)
    columns: list[np.ndarray] = []
    step = node.step

    def kept(window: np.ndarray) -> None:
        step(window)
        columns.append(node._activations.copy())

    node.step = kept  # type: ignore[method-assign]
    heard, cost = run_node(node, target, ("mosaic",))
    sounding = played_on(np.stack(columns, axis=1), node._loudness)
    return {"distance": distance(target, heard["mosaic"]), "played_on": sounding, **cost}


def main() -> None:
    results = {}
    systems = {"whole recording": (whole, 3), "whole, no continuity": (whole, 0)}
    systems |= {"live": (live, 3), "live, no continuity": (live, 0)}
    for title, (system, continuity) in systems.items():
        rows = []
        for name in song_names():
            path = DATA / "mdb" / name / "other.flac"
            if path.exists():
                rows.append(system(soundfile.read(path, stop=SECONDS * RATE)[0], continuity))
        results[title] = rows
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        print(f"{title:22s} ({len(rows)})  " + "  ".join(f"{k} {v:.3g}" for k, v in mean.items()), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
