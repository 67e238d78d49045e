"""Triggers and notes beside aubio and basic-pitch: python -m tests.benchmarks.bench_trigger [drums ...]

Drums: the evaluation songs' drum stems and full mixes. Any stroke: F within 50 ms and the time from the
annotated stroke to its first word; kick, snare and hi-hat: F within 50 ms of the final labels.
Takes: the second half of each song, before and after `trigger --takes` has heard up to eight strokes of
each drum from the first half: those that stand alone (100 ms), or, where fewer than three do, as they come.
Prints tables and writes build/benchmarks/trigger.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import warnings
from pathlib import Path

import aubio
import mir_eval
import numpy as np
import soundfile as sf

from apps.drum_kit import learn_kit
from engine.preset import PresetSource
from tests.benchmarks.trigger_data import (
    RATE,
    Run,
    Said,
    chorales,
    merged,
    moved_to_pitch,
    performances,
    play,
    songs,
)

LABEL_OF = {"KD": "kick", "SD": "snare", "HH": "hihat"}
Row = dict[str, float]


def aubio_onsets(audio: np.ndarray, method: str = "hfc", window: int = 512, hop: int = 128) -> Run:
    detector = aubio.onset(method, window, hop, RATE)
    run = Run()
    for index, start in enumerate(range(0, len(audio) - hop + 1, hop)):
        if detector(audio[start : start + hop])[0]:
            said = (index + 1) * hop / RATE
            run.notes.append(Said(detector.get_last_s(), said, said, 0, "", 100))
    return run


def matched(truth: np.ndarray, heard: np.ndarray, window: float = 0.05) -> list[tuple[int, int]]:
    return mir_eval.util.match_events(truth, heard, window) if len(truth) and len(heard) else []


def f_measure(hits: int, truth: int, heard: int) -> float:
    return 2 * hits / max(1, truth + heard)


def onset_row(strokes: list[tuple[float, str]], run: Run) -> Row:
    truth = merged(np.array([at for at, _ in strokes]))
    order = sorted(run.notes, key=lambda note: note.time)
    times, first = [], []
    for note in order:
        if not times or note.time - times[-1] >= 0.03:
            times.append(note.time)
            first.append(note.emitted)
    pairs = matched(truth, np.array(times))
    late = [first[h] - truth[t] for t, h in pairs]
    return {
        "F": f_measure(len(pairs), len(truth), len(times)),
        "emission_ms": float(np.median(late) * 1e3),
        "emission_p99_ms": float(np.percentile(late, 99) * 1e3),
        "offset_ms": float(np.median([times[h] - truth[t] for t, h in pairs]) * 1e3),
    }


def class_row(strokes: list[tuple[float, str]], run: Run) -> Row:
    """F of each class, with counts so that they can be added up."""
    row: Row = {}
    for name, label in LABEL_OF.items():
        truth = np.array([at for at, kind in strokes if kind == name])
        heard = np.array(sorted(note.time for note in run.notes if note.label == label))
        pairs = matched(truth, heard)
        row |= {f"{name}_hits": len(pairs), f"{name}_truth": len(truth), f"{name}_heard": len(heard)}
    confirmed = [note.confirmed - note.time for note in run.notes]
    row["confirmed_p99_ms"] = float(np.percentile(confirmed, 99) * 1e3) if confirmed else 0.0
    named = np.array([note.time for note in run.notes if note.label != "other"] or [-1.0])
    beside = [np.min(np.abs(named - note.time)) < 0.03 for note in run.notes if note.label == "other"]
    row["other_beside_named"] = sum(beside) / max(1, len(run.notes))  # said of strokes that have a class
    row["kept_label"] = float(np.mean([note.label == note.first_label for note in run.notes] or [0]))
    return row


def drums(seconds: float) -> dict[str, object]:
    report: dict[str, object] = {}
    tables: dict[str, list[Row]] = {}
    for name, stems, strokes in songs(seconds):
        mix = np.sum(list(stems.values()), axis=0)
        for title, audio in (("stem", stems["drums"]), ("mix", mix)):
            run = play("trigger_drums", audio)
            row = {
                **onset_row(strokes, run),
                **class_row(strokes, run),
                "ms_per_s": run.spent * RATE / len(mix) * 1e3,
            }
            tables.setdefault(f"drums, {title}, followspot", []).append({"song": name, **row})  # type: ignore[dict-item]
            if title == "mix":
                run = play("trigger_drums_in_mix", audio)
                row = {**onset_row(strokes, run), **class_row(strokes, run)}
                row["ms_per_s"] = run.spent * RATE / len(mix) * 1e3
                tables.setdefault("drums, mix, followspot behind separate", []).append({"song": name, **row})  # type: ignore[dict-item]
            tables.setdefault(f"drums, {title}, aubio hfc 512/128", []).append(
                {"song": name, **onset_row(strokes, aubio_onsets(audio))}  # type: ignore[dict-item]
            )
    for title, rows in tables.items():
        mean = {
            key: float(np.mean([row[key] for row in rows]))
            for key in rows[0]
            if key != "song" and key[:2] not in LABEL_OF
        }
        for name in LABEL_OF if "KD_hits" in rows[0] else ():
            sums = [sum(row[f"{name}_{part}"] for row in rows) for part in ("hits", "truth", "heard")]
            mean[f"{name}_F"] = f_measure(*map(int, sums))
            mean[f"{name}_song_F"] = float(
                np.mean(
                    [
                        f_measure(*(int(row[f"{name}_{part}"]) for part in ("hits", "truth", "heard")))
                        for row in rows
                        if row[f"{name}_truth"]
                    ]
                )
            )
        if "KD_F" in mean:
            mean["class_F"] = float(np.mean([mean[f"{name}_F"] for name in LABEL_OF]))
        report[title] = {"mean": mean, "songs": rows}
        print(f"{title}: " + "  ".join(f"{key} {value:.3g}" for key, value in mean.items()), flush=True)
    return report


KINDS = {**LABEL_OF, "TT": "tom", "CY": "cymbal", "OT": "other"}
Strokes = list[tuple[float, str]]


def takes_of(audio: np.ndarray, strokes: Strokes) -> dict[str, np.ndarray]:
    """A take of each drum: its strokes in the first half, or else in all, with silence between."""
    times = np.array([at for at, _ in strokes])
    alone = [np.sum(np.abs(times - at) < 0.1) == 1 for at in times]
    rise = np.linspace(0, 1, RATE // 100, dtype=np.float32)  # a cut must not click
    pause = np.zeros(RATE // 2, np.float32)
    takes = {}
    for kind, label in KINDS.items():
        own = [(at, single) for (at, said), single in zip(strokes, alone, strict=True) if said == kind]
        own = [stroke for stroke in own if stroke[0] < len(audio) / RATE / 2] or own
        singles = [stroke for stroke in own if stroke[1]]
        pieces = [pause]
        for at, _ in (singles if len(singles) >= 3 else own)[:8]:
            later = times[times > at + 0.02]
            stop = min(at + 0.4, later[0] - 0.01 if len(later) else np.inf)
            piece = audio[max(0, int((at - 0.03) * RATE)) : int(stop * RATE)].copy()
            piece[: len(rise)] *= rise
            piece[-len(rise) :] *= rise[::-1]
            pieces += [piece, pause]
        if len(pieces) > 3:
            takes[label] = np.concatenate(pieces)
    return takes


def taught(preset: str, takes: dict[str, np.ndarray], folder: str) -> str:
    """The preset after `followspot trigger --takes`."""
    words = []
    for label, audio in takes.items():
        file = Path(folder) / f"{label}.wav"
        sf.write(file, audio, RATE, subtype="FLOAT")
        words.append(f"{label}={file}")
    path = str(Path(folder) / "kit.toml")
    learn_kit(PresetSource(preset).load(), preset, words, path)
    return path


def takes(seconds: float) -> dict[str, object]:
    """Kick, snare and hi-hat of second halves, before and after a take of each drum."""
    rows: dict[str, list[Row]] = {}
    for name, stems, strokes in songs(seconds):
        drums, mix = stems["drums"], np.sum(list(stems.values()), axis=0)
        half = len(mix) / RATE / 2
        later = [stroke for stroke in strokes if stroke[0] >= half]
        for preset, audio in (("trigger_drums", drums), ("trigger_drums_in_mix", mix)):
            with tempfile.TemporaryDirectory() as folder:
                kit = taught(preset, takes_of(drums, strokes), folder)
                for title, file in ((f"{preset}, before", preset), (f"{preset}, taught", kit)):
                    run = play(file, audio)
                    run.notes = [note for note in run.notes if note.time >= half]
                    rows.setdefault(title, []).append({"song": name, **class_row(later, run)})  # type: ignore[dict-item]
    report: dict[str, object] = {}
    for title, songs_of in rows.items():
        mean = {}
        for kind in LABEL_OF:
            parts = (f"{kind}_hits", f"{kind}_truth", f"{kind}_heard")
            mean[f"{kind}_F"] = f_measure(*(sum(int(row[part]) for row in songs_of) for part in parts))
        mean["class_F"] = float(np.mean(list(mean.values())))
        report[title] = {"mean": mean, "songs": songs_of}
        told = "  ".join(f"{key} {value:.3f}" for key, value in mean.items())
        print(f"takes, {title}: {told}", flush=True)
    return report


def aubio_notes(audio: np.ndarray, window: int = 1024, hop: int = 128) -> Run:
    detector = aubio.notes("default", window, hop, RATE)
    run = Run()
    for index, start in enumerate(range(0, len(audio) - hop + 1, hop)):
        pitch, velocity, _ = detector(audio[start : start + hop])
        if velocity > 0:
            said = (index + 1) * hop / RATE
            run.notes.append(Said(said, said, said, float(pitch), "", int(velocity)))
    return run


def basic_pitch(files: list[Path]) -> dict[Path, Run]:
    """Notes of the offline peer, run by the Python that FOLLOWSPOT_BASIC_PITCH names; empty without one."""
    python = os.environ.get("FOLLOWSPOT_BASIC_PITCH")
    if not python:
        print("basic-pitch left out: FOLLOWSPOT_BASIC_PITCH names no Python that has it", flush=True)
        return {}
    code = (
        "import sys, json\nfrom basic_pitch import ICASSP_2022_MODEL_PATH as path\n"
        "from basic_pitch.inference import Model, predict\nmodel, out = Model(path), {}\n"
        "for file in sys.argv[1:]:\n"
        "    out[file] = [(float(n[0]), int(n[2])) for n in predict(file, model)[2]]\n"
        "print('NOTES' + json.dumps(out))"
    )
    words = [python, "-W", "ignore", "-c", code, *map(str, files)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = json.loads(said[said.index("NOTES") + 5 :])
    return {
        Path(file): Run([Said(at, at, at, pitch, "", 100) for at, pitch in sorted(notes)])
        for file, notes in found.items()
    }


def note_hits(truth: np.ndarray, heard: np.ndarray, window: float = 0.05) -> list[tuple[int, int]]:
    """Pairs of notes that agree within `window` seconds and 50 cents; rows of (onset, pitch)."""
    if not len(truth) or not len(heard):
        return []
    sides = []
    for rows in (truth, heard):
        start = np.maximum(0.0, rows[:, 0])
        sides += [np.stack([start, start + 0.1], axis=1), 440 * 2 ** ((rows[:, 1] - 69) / 12)]
    return mir_eval.transcription.match_notes(*sides, onset_tolerance=window, offset_ratio=None)


def note_row(truth: np.ndarray, run: Run) -> Row:
    heard = np.array([(note.time, note.pitch) for note in run.notes]).reshape(-1, 2)
    said = np.array([(note.emitted, note.pitch) for note in run.notes]).reshape(-1, 2)
    pairs = note_hits(truth, heard)
    count = len(truth), len(heard)
    late = [run.notes[h].emitted - run.notes[h].time for _, h in pairs] or [0.0]
    from_truth = [run.notes[h].emitted - truth[t, 0] for t, h in pairs] or [0.0]
    return {
        "F": f_measure(len(pairs), *count),
        "F_100ms": f_measure(len(note_hits(truth, heard, 0.1)), *count),
        "F_at_emission": f_measure(len(note_hits(truth, said)), *count),
        "recall": len(pairs) / max(1, count[0]),
        "precision": len(pairs) / max(1, count[1]),
        "offset_ms": 1e3 * float(np.median([heard[h, 0] - truth[t, 0] for t, h in pairs] or [0.0])),
        "emission_ms": 1e3 * float(np.median(late)),
        "emission_p99_ms": 1e3 * float(np.percentile(late, 99)),
        "after_truth_ms": 1e3 * float(np.median(from_truth)),
    }


def summary(tables: dict[str, list[Row]]) -> dict[str, object]:
    """The mean over the clips of every table, printed."""
    report: dict[str, object] = {}
    for title, rows in tables.items():
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "clip"}
        report[title] = {"mean": mean, "clips": rows}
        print(f"{title}: " + "  ".join(f"{key} {value:.3g}" for key, value in mean.items()), flush=True)
    return report


def mono(seconds: float) -> dict[str, object]:
    clips = list(chorales(seconds))
    peers = basic_pitch([file for _, file, _, _ in clips])
    tables: dict[str, list[Row]] = {}
    for name, file, audio, rows in clips:
        own = play("trigger_mono", audio)
        runs = {"followspot": own, "aubio.notes 1024/128": aubio_notes(audio)}
        if peers:
            runs["basic-pitch, offline"] = Run([n for n in peers[file].notes if n.time < seconds])
        for truth_name, truth in (
            ("onsets of chords", rows),
            ("onsets by aubio's YIN", moved_to_pitch(audio, rows)),
        ):
            for title, run in runs.items():
                row = {"clip": name, **note_row(truth, run)}  # type: ignore[dict-item]
                if run is own:
                    row["ms_per_s"] = run.spent * RATE / len(audio) * 1e3
                tables.setdefault(f"mono, {truth_name}, {title}", []).append(row)  # type: ignore[arg-type]
    return summary(tables)


def piano(seconds: float) -> dict[str, object]:
    """Twenty seconds of each piece at most, played by MuseScore General, a font that made no template."""
    tables: dict[str, list[Row]] = {}
    clips = list(performances(min(seconds, 20.0)))
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, audio, _ in clips:
            files.append(Path(folder) / f"{name}.wav")
            sf.write(files[-1], audio, RATE)
        peers = basic_pitch(files)
    for (name, audio, truth), file in zip(clips, files, strict=True):
        runs = {"followspot": play("trigger_piano", audio)}
        if peers:
            runs["basic-pitch, offline"] = peers[file]
        for title, run in runs.items():
            row = {"clip": name, **note_row(truth, run)}  # type: ignore[dict-item]
            if run.spent:
                row["ms_per_s"] = run.spent * RATE / len(audio) * 1e3
            tables.setdefault(f"piano, {title}", []).append(row)  # type: ignore[arg-type]
    return summary(tables)


PARTS = {"drums": drums, "takes": takes, "mono": mono, "piano": piano}


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--seconds", type=float, default=1e4, help="of each clip, from its beginning")
    options = parser.parse_args()
    out = Path("build/benchmarks/trigger.json")
    report = json.loads(out.read_text()) if out.exists() else {}
    for part in options.parts or PARTS:
        report |= PARTS[part](options.seconds)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
