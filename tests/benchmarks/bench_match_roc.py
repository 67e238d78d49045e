"""False alarms per hour against recall, for every threshold of a confidence from the scan's lead alone.

    python -m tests.benchmarks.bench_match_roc [--pieces odd|even] [--hours 1] [--queries 96] [--renders DIR]

Strangers are whole performances of pieces that are taken out of the library, as played and at 0.85 and 1.18
of their speed; versions are joins in mid-piece by another pianist than the reference. Both go through the
scan alone in 12 keys, over one reference of every piece and `--hours` of made-up documents. A match begins
when the confidence has stayed above the threshold for 0.4 s at one place, as `hypotheses.Judge` has it; one
that begins within 5 s of the last is the same alarm. What was heard is kept under build/benchmarks/match/roc,
so a run that was stopped goes on. `bench_match_witness` goes on from there, with the second witness.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nodes.match import features
from nodes.match.hypotheses import scan_confidence
from nodes.match.matcher import KEYS
from nodes.match.ranking import best_peak
from nodes.match.scan import Scan
from nodes.match.witness import Witness
from tests.benchmarks.match_data import CACHE, Corpus, part_of, query_frames

OUT = Path("build/benchmarks/match_roc.json")
#: Columns of what is kept: seconds heard, document, key, frame, tempo, evidence, its rival's.
TIME, DOCUMENT, KEY, FRAME, TEMPO, SCORE, RIVAL = range(7)
SPEEDS = (1.0, 0.85, 1.18)
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
WITHIN = (5, 10, 15, 20, 30)
#: Updates for which a match must stay sure after the first, and seconds of one alarm.
AGREE, ONE = 2, 5.0


def heard(search: Scan, frames: Any) -> Any:
    """The best of the scan, its first documents ranked anew, after every frame (n, 7)."""
    search.reset()
    witness = Witness()
    rows = []
    for i, frame in enumerate(frames):
        search.push(frame)
        witness.push(frame)
        best = best_peak(search, witness)
        if not frame.any() or best is None:
            continue
        at = (2 * i + features.SMOOTH // 2 + 1) / 10
        row = (at, best.document, best.key, best.frame, best.tempo, best.score, search.rival(best))
        rows.append(row)
    return np.array(rows)


def faster(fine: Any, speed: float) -> Any:
    """Fine chroma (n, 120) of a performance at another speed."""
    at = np.arange(0.0, len(fine) - 1, speed)
    below = at.astype(int)
    share = (at - below)[:, None]
    return (fine[below] * (1 - share) + fine[below + 1] * share).astype(np.float32)


def by_lead(rows: Any) -> Any:
    """The confidence that the lead alone gives, for every row."""
    return np.array([scan_confidence(score, rival) for score, rival in rows[:, [SCORE, RIVAL]]])


def begun(rows: Any, sure: Any) -> list[tuple[float, int, int]]:
    """Where matches begin: seconds, document, key. sure : whether each row is."""
    found: list[tuple[float, int, int]] = []
    agreeing, last = 0, -np.inf
    for n in np.flatnonzero(sure):
        same = (
            agreeing > 0
            and sure[n - 1]
            and (rows[n, [DOCUMENT, KEY]] == rows[n - 1, [DOCUMENT, KEY]]).all()
            and abs(rows[n, FRAME] - rows[n - 1, FRAME] - rows[n, TEMPO]) <= 7.5
        )
        agreeing = agreeing + 1 if same else 1
        if agreeing > AGREE:
            if rows[n, TIME] - last > ONE:
                found.append((rows[n, TIME], int(rows[n, DOCUMENT]), int(rows[n, KEY])))
            last = rows[n, TIME]
    return found


def kept(name: str, make: Any) -> Any:
    """What `make` gives, from the cache if it was made before."""
    cache = CACHE / "roc" / f"{name}.npy"
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, make())
    return np.load(cache)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", choices=("odd", "even"), default="odd")
    parser.add_argument("--hours", type=float, default=1.0, help="of made-up documents")
    parser.add_argument("--queries", type=int, default=96)
    parser.add_argument("--speeds", type=float, nargs="+", default=SPEEDS, help="of the strangers")
    parser.add_argument("--renders", type=Path, default=CACHE / "renders")
    args = parser.parse_args()
    corpus = Corpus(args.renders, args.hours)
    references = corpus.documents()[: len(corpus.names)]
    made = corpus.fillers[1::2]  # those scrambled from even pieces would be no strangers to them
    numbers = range(1 if args.pieces == "odd" else 0, len(corpus.names), 2)

    strangers = []
    for number in numbers:
        others = Scan([part_of([d for n, d in enumerate(references) if n != number] + made)], KEYS)
        for player in corpus.players[corpus.names[number]]:
            for speed in args.speeds:
                name = f"stranger-{args.hours:g}-{player.sound.stem}-{speed:g}"
                strangers.append(
                    kept(name, lambda: heard(others, query_frames(faster(player.fine, speed))))  # noqa: B023
                )
        print(f"  {corpus.names[number]}", flush=True)
    whole = Scan([part_of(references + made)], KEYS)
    noise = np.random.default_rng(11)
    versions = []
    for query in range(args.queries):
        number = numbers[query % len(numbers)]
        players = corpus.players[corpus.names[number]][1:]
        player = players[noise.integers(len(players))]
        length = min(310, len(player.fine) - 20)
        start = int(noise.integers(0, len(player.fine) - length))
        clip = player.fine[start : start + length]
        name = f"version-{args.hours:g}-{player.sound.stem}-{start}"
        versions.append((number, kept(name, lambda: heard(whole, query_frames(clip)))))  # noqa: B023

    hours = sum(map(len, strangers)) / features.FRAME_RATE / 3600
    print(f"\n{args.pieces} pieces: {hours:.2f} h of strangers, {len(versions)} versions of 30 s, 12 keys")
    print("threshold  alarms  per hour  wrong   known within " + "  ".join(f"{t:3d} s" for t in WITHIN))
    results: dict[str, Any] = {"hours": hours, "versions": len(versions), "thresholds": {}}
    for threshold in THRESHOLDS:
        alarms = sum(len(begun(rows, by_lead(rows) >= threshold)) for rows in strangers)
        first, wrong = [], 0
        for number, rows in versions:
            matches = begun(rows, by_lead(rows) >= threshold)
            right = [at for at, document, key in matches if document == number and key == 0]
            wrong += len(matches) > 0 and matches[0][1] != number
            first.append(right[0] if right else np.inf)
        within = {t: float(np.mean(np.array(first) <= t)) for t in WITHIN}
        listed = "  ".join(f"{share:5.3f}" for share in within.values())
        print(f"{threshold:9.3f}  {alarms:6d}  {alarms / hours:8.2f}  {wrong:5d}                {listed}")
        results["thresholds"][threshold] = {"alarms": alarms, "wrong": wrong, "within": within}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
