"""Triggers and notes beside aubio and basic-pitch: python -m tests.benchmarks.bench_trigger [drums ...]

Drums: the evaluation songs' drum stems and full mixes. Any stroke: F within 50 ms and the time from the
annotated stroke to its first word; kick, snare and hi-hat: F within 50 ms of the final labels.
Prints tables and writes build/benchmarks/trigger.json.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import aubio
import mir_eval
import numpy as np

from tests.benchmarks.trigger_data import RATE, Run, Said, merged, play, songs

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
    row["kept_label"] = float(np.mean([note.label == note.first_label for note in run.notes] or [0]))
    return row


def drums() -> dict[str, object]:
    report: dict[str, object] = {}
    tables: dict[str, list[Row]] = {}
    for name, stems, strokes in songs():
        mix = np.sum(list(stems.values()), axis=0)
        seconds = len(mix) / RATE
        for title, audio in (("stem", stems["drums"]), ("mix", mix)):
            run = play("trigger_drums", audio)
            row = {
                **onset_row(strokes, run),
                **class_row(strokes, run),
                "ms_per_s": run.spent / seconds * 1e3,
            }
            tables.setdefault(f"drums, {title}, followspot", []).append({"song": name, **row})  # type: ignore[dict-item]
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


PARTS = {"drums": drums}


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    options = parser.parse_args()
    out = Path("build/benchmarks/trigger.json")
    report = json.loads(out.read_text()) if out.exists() else {}
    for part in options.parts or PARTS:
        report |= PARTS[part]()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
