"""What a second look at the scan's best place would be worth: alarms against recall, with it and without.

    python -m tests.benchmarks.bench_match_witness [--pieces odd|even] [--hours 1]

Reads what `bench_match_roc --speeds 1` (same pieces and hours) has kept, so run that first. The second look
aligns the last 10 s of the music with the reference around the place, key and tempo that the scan says, and
takes the mean correlation of their frames along the best path. The scan's evidence is clipped and adds
up what fits; this asks how alike the frames are at all. A match may then begin only where the mean is at
least `least`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numba
import numpy as np

from nodes.match import features
from nodes.match.hypotheses import scan_confidence
from tests.benchmarks.bench_match_roc import DOCUMENT, FRAME, KEY, RIVAL, SCORE, TEMPO, TIME, WITHIN, begun
from tests.benchmarks.match_data import CACHE, DATA, fillers, pieces, query_frames

OUT = Path("build/benchmarks/match_witness.json")
#: Frames (5 a second) of the music that are looked at, frames the path may leave the line, price of one.
SPAN, REACH, PRICE = 50, 10, 0.2
THRESHOLDS, LEAST = (0.9, 0.95, 0.98, 0.99), (-1.0, 0.7, 0.74, 0.76, 0.78, 0.8)


@numba.njit
def along(music: Any, reference: Any, end: float, tempo: float) -> float:
    """Mean correlation of `music` (n, 12) with `reference` (m, 12) along the best path to about `end`."""
    width = 2 * REACH + 1
    best, now = np.zeros(width), np.zeros(width)
    for t in range(len(music)):
        line = int(np.round(end - (len(music) - 1 - t) * tempo))
        for o in range(width):
            before = best[o]
            if o > 0:
                before = max(before, best[o - 1] - PRICE)
            if o < width - 1:
                before = max(before, best[o + 1] - PRICE)
            at = line + o - REACH
            alike = 0.0
            if 0 <= at < len(reference):
                for c in range(12):
                    alike += music[t, c] * reference[at, c]
            now[o] = before + alike
        best[:] = now
    return float(best.max()) / len(music)


def unit(frames: Any) -> Any:
    """Frames (n, 12) without their mean, L2 norm 1."""
    frames = frames.astype(np.float32)
    frames -= frames.mean(axis=1, keepdims=True)
    return frames / np.maximum(np.linalg.norm(frames, axis=1, keepdims=True), 1e-6)


def fine(stem: str) -> Any:
    return np.load(CACHE / f"{stem}.npy").astype(np.float32)


def looked_at(rows: Any, music: Any, documents: list[Any]) -> Any:
    """The mean correlation for every update that is nearly sure, -1 for the others."""
    found = np.full(len(rows), -1.0)
    for n, row in enumerate(rows):
        if scan_confidence(row[SCORE], row[RIVAL]) < THRESHOLDS[0]:
            continue
        frame = round((row[TIME] * 10 - features.SMOOTH // 2 - 1) / 2)
        heard = np.roll(music[max(0, frame - SPAN + 1) : frame + 1], -int(row[KEY]), axis=1)
        reference = documents[int(row[DOCUMENT])]
        found[n] = along(np.ascontiguousarray(heard), reference, row[FRAME], row[TEMPO])
    return found


def believed(rows: Any, alike: Any, least: float) -> Any:
    """The rows with certainty taken from those that are too little alike."""
    rows = rows.copy()
    rows[alike < least, RIVAL] = rows[alike < least, SCORE] + 99.0
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", choices=("odd", "even"), default="odd")
    parser.add_argument(
        "--hours", type=float, default=1.0, help="of made-up documents, as in bench_match_roc"
    )
    args = parser.parse_args()
    names, kept = pieces(), CACHE / "roc"
    stems = {
        name: sorted(f.stem for f in (DATA / "asap" / name).glob("*.mid") if f.stem != "score")
        for name in names
    }
    real = [unit(features.reference_frames(fine(f"asap__{name}__{stems[name][0]}"))[0]) for name in names]
    made = [unit(document) for document in fillers(args.hours, [])[1::2]]
    strangers, versions = [], []
    for number in range(args.pieces == "odd", len(names), 2):
        others = real[:number] + real[number + 1 :] + made
        for file in sorted(kept.glob(f"stranger-{args.hours:g}-asap__{names[number]}__*-1.npy")):
            rows = np.load(file)
            music = unit(query_frames(fine(file.stem.split("-", 2)[2][:-2])))
            strangers.append((rows, looked_at(rows, music, others)))
        for file in sorted(kept.glob(f"version-{args.hours:g}-asap__{names[number]}__*.npy")):
            stem, start = file.stem.split("-", 2)[2].rsplit("-", 1)
            whole, rows = fine(stem), np.load(file)
            music = unit(query_frames(whole[int(start) : int(start) + min(310, len(whole) - 20)]))
            versions.append((number, rows, looked_at(rows, music, real + made)))
    if not strangers or not versions:
        raise SystemExit(f"nothing kept for the {args.pieces} pieces: run bench_match_roc --speeds 1 first")

    hours = sum(len(rows) for rows, _ in strangers) / features.FRAME_RATE / 3600
    print(f"{args.pieces} pieces: {hours:.2f} h of strangers, {len(versions)} versions of 30 s, 12 keys")
    print("threshold  least  alarms  per hour   known within " + "  ".join(f"{t:3d} s" for t in WITHIN))
    results = []
    for threshold in THRESHOLDS:
        for least in LEAST:
            alarms = sum(len(begun(believed(rows, alike, least), threshold)) for rows, alike in strangers)
            first = []
            for number, rows, alike in versions:
                matches = begun(believed(rows, alike, least), threshold)
                right = [at for at, document, key in matches if document == number and key == 0]
                first.append(right[0] if right else np.inf)
            within = {t: float(np.mean(np.array(first) <= t)) for t in WITHIN}
            listed = "  ".join(f"{share:5.3f}" for share in within.values())
            print(
                f"{threshold:9.3f}  {least:5.2f}  {alarms:6d}  {alarms / hours:8.2f}               {listed}"
            )
            results.append({"threshold": threshold, "least": least, "alarms": alarms, "within": within})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"hours": hours, "versions": len(versions), "rows": results}, indent=1))


if __name__ == "__main__":
    main()
