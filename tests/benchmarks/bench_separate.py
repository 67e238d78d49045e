"""Separation beside its peers: python -m tests.benchmarks.bench_separate [--peers] [--as-mixed]

Real multitrack songs (FOLLOWSPOT_DATA/mdb), every group of stems at -23 dBFS RMS (or --as-mixed), the whole
song is heard, measured are the 12 s with the most drums (drums, bass, rest) or the most voice (vocals); each
system is compensated by the latency that it declares. "no drums" and "no vocals" are the mix without them.
With --peers librosa is run, too, offline, if it is installed. Medians over the songs; all rows go to
build/benchmarks/separate.json. `--kit` adds the sound check: templates from the first half of the stems,
measured on the second; and the drum loops of FOLLOWSPOT_DATA/drumkit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from nodes.separate.hpss import Hpss
from nodes.separate.kit import learn
from nodes.separate.separate import Separate
from nodes.separate.sound_check import SoundCheck
from tests.benchmarks.separation_data import (
    DATA,
    RATE,
    STEMS,
    decibels,
    loudest,
    measures,
    run_node,
    song,
    song_names,
)

OUT = Path("build/benchmarks/separate.json")
Answer = tuple[dict[str, np.ndarray], dict[str, float]]
System = Callable[[np.ndarray], Answer]


def ours(mode: str) -> System:
    return lambda mix: run_node(Separate(mode=mode), mix, STEMS)


def own_hpss(mode: str) -> System:
    def run(mix: np.ndarray) -> Answer:
        out, cost = run_node(Hpss(mode=mode, margin=1.0), mix, ("harmonic", "percussive", "residual"))
        return {"drums": out["percussive"], "no drums": out["harmonic"]}, cost

    return run


def librosa_hpss(size: int, hop: int, kernel: int) -> System:
    import librosa

    def run(mix: np.ndarray) -> Answer:
        spectrum = librosa.stft(mix, n_fft=size, hop_length=hop)
        harmonic, percussive = librosa.decompose.hpss(spectrum, kernel_size=kernel)
        parts = [
            librosa.istft(x, hop_length=hop, n_fft=size, length=len(mix)) for x in (harmonic, percussive)
        ]
        return {"drums": parts[1], "no drums": parts[0]}, {"latency_ms": float("inf")}

    return run


def librosa_voice(mix: np.ndarray) -> Answer:
    """The vocal separation of librosa's gallery, REPET-SIM offline (margin 10, power 2)."""
    import librosa

    spectrum = librosa.stft(mix)
    size = np.abs(spectrum)
    width = int(librosa.time_to_frames(2, sr=RATE))
    again = librosa.decompose.nn_filter(size, aggregate=np.median, metric="cosine", width=width)
    again = np.minimum(size, again)
    mask = librosa.util.softmask(size - again, 10 * again, power=2)
    vocals = librosa.istft(mask * spectrum, length=len(mix))
    return {"vocals": vocals, "no vocals": mix - vocals}, {"latency_ms": float("inf")}


def evaluate(system: System, name: str, as_mixed: bool) -> dict[str, dict[str, float]]:
    """Measures by stem of one song, and the cost."""
    stems = song(name, level=not as_mixed)
    heard, cost = system(stems.sum(axis=0))
    rows: dict[str, dict[str, float]] = {"cost": cost}
    for k, stem in enumerate(STEMS):
        if stem not in heard or not stems[k].any():
            continue
        part = loudest(stems[1 if stem == "vocals" else 0])
        others = np.delete(stems[:, part], k, axis=0)
        rows[stem] = measures(stems[k, part], others, heard[stem][part])
        rows[stem]["mix_sdr"] = decibels(stems[k, part], others.sum(axis=0))
        if stem in ("drums", "vocals"):
            without = stems[:, part].sum(axis=0) - heard[stem][part]
            rows[f"no {stem}"] = measures(others.sum(axis=0), stems[k : k + 1, part], without)
    return rows


def sound_check(name: str, mode: str) -> dict[str, dict[str, float]]:
    """Templates from the first half of each stem, measures on the second half of the song."""
    stems = song(name)
    half = stems.shape[1] // 2
    takes = {s: stems[k, :half] for k, s in enumerate(STEMS) if np.abs(stems[k, :half]).max() > 1e-3}
    path = Path("build/benchmarks/kit.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    learn({s: take[-15 * RATE :] for s, take in takes.items()}, RATE, mode).save(path)
    ports = ("one", "two", "three", "rest")
    heard, cost = run_node(SoundCheck(kit=str(path)), stems[:, half:].sum(axis=0), ports)
    rows: dict[str, dict[str, float]] = {"cost": cost}
    names = list(takes)
    for place, stem in enumerate(names):
        port = "rest" if place == len(names) - 1 else ports[place]
        k = STEMS.index(stem)
        truth = stems[k, half:]
        if np.abs(truth).max() > 1e-3:
            rows[stem] = measures(truth, np.delete(stems[:, half:], k, axis=0), heard[port])
    return rows


def drum_kit(loop: str, mode: str) -> dict[str, dict[str, float]]:
    """Three strokes of each drum are learnt (15 hops each), the loop is taken apart."""
    names = ("Kick", "Snare", "Hihat")
    parts = [soundfile.read(DATA / "drumkit" / f"{loop}_{n}.wav", dtype="float32")[0] for n in names]
    length = min(map(len, parts))
    waves = np.stack([part[:length] for part in parts])
    onsets = np.loadtxt(DATA / "drumkit" / f"{loop}_onsets.txt")
    takes = {}
    for k, name in enumerate(names):
        starts = (onsets[onsets[:, 1] == k + 1, 0][:3] * RATE).astype(int)
        takes[name] = np.concatenate([waves[k, s : s + 15 * 512 + 2048] for s in starts])
    path = Path("build/benchmarks/kit.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    learn(takes, RATE, mode).save(path)
    heard, cost = run_node(SoundCheck(kit=str(path)), waves.sum(axis=0), ("one", "two", "three", "rest"))
    rows: dict[str, dict[str, float]] = {"cost": cost}
    for k, (name, port) in enumerate(zip(names, ("one", "two", "rest"), strict=True)):
        rows[name] = measures(waves[k], np.delete(waves, k, axis=0), heard[port])
    return rows


def report(title: str, songs: dict[str, dict[str, dict[str, float]]]) -> None:
    """Medians over songs, a line per stem."""
    print(f"\n{title}")
    columns = ("sdr", "si_sdr", "sir", "sar")
    for stem in ("drums", "no drums", "vocals", "no vocals", "bass", "rest", "Kick", "Snare", "Hihat"):
        rows = [song[stem] for song in songs.values() if stem in song]
        if rows:
            values = "  ".join(f"{c} {np.median([row[c] for row in rows]):6.2f}" for c in columns)
            print(
                f"  {stem:10s} {values}  mean sdr {np.mean([row['sdr'] for row in rows]):6.2f}  ({len(rows)})"
            )
    costs = [song["cost"] for song in songs.values() if "rtf" in song["cost"]]
    if costs:
        median = {name: float(np.median([cost[name] for cost in costs])) for name in costs[0]}
        print("  " + "  ".join(f"{name} {value:.3g}" for name, value in median.items()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--hpss", action="store_true", help="median filtering alone, too")
    parser.add_argument("--kit", action="store_true")
    parser.add_argument("--as-mixed", action="store_true")
    parser.add_argument("--modes", nargs="*", default=["stage", "studio", "quality"])
    options = parser.parse_args()
    systems: dict[str, System] = {f"followspot {mode}": ours(mode) for mode in options.modes}
    if options.hpss:
        systems |= {f"medians alone, {mode}": own_hpss(mode) for mode in options.modes}
    if options.peers:
        systems["librosa 2048/512, 31 (offline)"] = librosa_hpss(2048, 512, 31)
        systems["Fitzgerald 4096/1024, 17 (offline)"] = librosa_hpss(4096, 1024, 17)
        systems["librosa, REPET-SIM of the gallery (offline)"] = librosa_voice
    results = {}
    for title, system in systems.items():
        results[title] = {name: evaluate(system, name, options.as_mixed) for name in song_names()}
        report(title, results[title])
    if options.kit:
        for mode in ("stage", "studio"):
            title = f"sound check, {mode}, second half of each song"
            results[title] = {name: sound_check(name, mode) for name in song_names()}
            report(title, results[title])
            for loop in ("808", "Funky"):
                title = f"drum kit, {loop}, {mode}"
                results[title] = {loop: drum_kit(loop, mode)}
                report(title, results[title])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
