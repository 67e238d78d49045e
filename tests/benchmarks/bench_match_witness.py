"""What the second witness is worth: false alarms against recall, by the scan's lead alone and with it.

    python -m tests.benchmarks.bench_match_witness [--pieces odd|even] [--hours 1] [--speeds 1]

Reads what `bench_match_roc` (same pieces, hours and speeds) has kept, so run that first. Both columns
are the scan alone: no landmarks, no hand-over from moment to moment (that is `bench_match strangers`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nodes.match import features
from nodes.match.hypotheses import ENTER, LEAVE, scan_confidence, seconded_confidence
from nodes.match.witness import SPAN, Witness
from tests.benchmarks.bench_match_roc import (
    DOCUMENT,
    FRAME,
    KEY,
    RIVAL,
    SCORE,
    TEMPO,
    TIME,
    WITHIN,
    begun,
    by_lead,
    faster,
)
from tests.benchmarks.match_data import CACHE, DATA, fillers, pieces, query_frames

OUT = Path("build/benchmarks/match_witness.json")
THRESHOLDS = (0.8, 0.9, 0.95, 0.98, 0.99)


def seconded(rows: Any, music: Any, documents: list[Any]) -> Any:
    """The confidence with the second witness, for every row; 0 where it cannot matter for a match.

    music : (n, 12) query frames, from the first on; documents : (m, 12) int8.
    """
    witness, heard = Witness(), 0
    found = np.zeros(len(rows))
    for n, row in enumerate(rows):
        frame = round((row[TIME] * 10 - features.SMOOTH // 2 - 1) / 2)
        while heard <= frame:
            witness.push(music[heard])
            heard += 1
        if scan_confidence(row[SCORE], row[RIVAL], 4.0) < LEAVE:
            continue
        reference = documents[int(row[DOCUMENT])].T
        alike, count = witness.compare(reference, int(row[KEY]), row[FRAME], row[TEMPO])
        found[n] = seconded_confidence(row[SCORE], row[RIVAL], alike, count / SPAN)
    return found


class Table:
    """Prints alarms and recall and keeps what it printed.

    strangers : (rows, confidences); versions : (number of the piece, rows, confidences).
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        print(f"{'':24}threshold  alarms  an hour   known within " + "  ".join(f"{t:3d} s" for t in WITHIN))

    def add(self, name: str, threshold: float, strangers: list[Any], versions: list[Any]) -> None:
        hours = sum(len(rows) for rows, _ in strangers) / features.FRAME_RATE / 3600
        alarms = sum(len(begun(rows, sure >= threshold)) for rows, sure in strangers)
        first, wrong = [], 0
        for number, rows, sure in versions:
            matches = begun(rows, sure >= threshold)
            right = [at for at, document, key in matches if document == number and key == 0]
            first.append(right[0] if right else np.inf)
            wrong += any(document != number for _, document, _ in matches)
        within = {t: float(np.mean(np.array(first) <= t)) for t in WITHIN}
        listed = "  ".join(f"{share:5.3f}" for share in within.values())
        print(
            f"{name:24}{threshold:9.3f}  {alarms:6d}  {alarms / hours:7.2f}                {listed}",
            flush=True,
        )
        self.rows.append(
            {"name": name, "threshold": threshold, "alarms": alarms, "hours": hours}
            | {"wrong": wrong, "versions": len(versions), "within": within}
        )


def fine(stem: str) -> Any:
    return np.load(CACHE / f"{stem}.npy").astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", choices=("odd", "even"), default="odd")
    parser.add_argument(
        "--hours", type=float, default=1.0, help="of made-up documents, as in bench_match_roc"
    )
    parser.add_argument("--speeds", type=float, nargs="+", default=[1.0], help="of the strangers")
    args = parser.parse_args()
    names, kept = pieces(), CACHE / "roc"
    stems = {
        name: sorted(f.stem for f in (DATA / "asap" / name).glob("*.mid") if f.stem != "score")
        for name in names
    }
    first = [fine(f"asap__{name}__{stems[name][0]}") for name in names]
    real = [features.as_bytes(features.reference_frames(one)[0]) for one in first]
    made = fillers(args.hours, [])[1::2]
    strangers, versions = [], []
    for number in range(args.pieces == "odd", len(names), 2):
        others = real[:number] + real[number + 1 :] + made
        for stem in stems[names[number]]:
            for speed in args.speeds:
                whole = f"asap__{names[number]}__{stem}"
                file = kept / f"stranger-{args.hours:g}-{whole}-{speed:g}.npy"
                if file.exists():
                    rows, music = np.load(file), query_frames(faster(fine(whole), speed))
                    strangers.append((rows, seconded(rows, music, others)))
        for file in sorted(kept.glob(f"version-{args.hours:g}-asap__{names[number]}__*.npy")):
            stem, start = file.stem.split("-", 2)[2].rsplit("-", 1)
            whole, rows = fine(stem), np.load(file)
            music = query_frames(whole[int(start) : int(start) + min(310, len(whole) - 20)])
            versions.append((number, rows, seconded(rows, music, real + made)))
    if not strangers or not versions:
        raise SystemExit(f"nothing kept for the {args.pieces} pieces: run bench_match_roc first")

    hours = sum(len(rows) for rows, _ in strangers) / features.FRAME_RATE / 3600
    print(f"{args.pieces} pieces: {hours:.2f} h of strangers, {len(versions)} versions of 30 s, 12 keys")
    table = Table()
    for threshold in THRESHOLDS:
        alone = [(rows, by_lead(rows)) for rows, _ in strangers]
        table.add("lead alone", threshold, alone, [(n, rows, by_lead(rows)) for n, rows, _ in versions])
        shipped = " (shipped)" if threshold == ENTER else ""
        table.add(f"both{shipped}", threshold, strangers, versions)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"pieces": args.pieces, "rows": table.rows}, indent=1))


if __name__ == "__main__":
    main()
