"""Align two versions of a piece: recordings, or a score (MIDI, MusicXML, .mxl, MEI) and a recording.

Writes which second of A is which second of B, as columns of CSV or as JSON, by the suffix of --out. Where A
is a score its bar and beat are written, too. Both versions are taken from beginning to end: cut off what
only one of them has, and let both take the same repeats.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from tqdm import tqdm

from apps.terminal import duration, is_terminal, note
from engine.errors import FollowspotError
from nodes.sync.align import Alignment, align
from nodes.sync.features import Features, load_features

#: Mean likeness of the chroma along the path below which two versions are hardly of one piece.
DOUBTFUL = 0.7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="score or recording")
    parser.add_argument("b", metavar="B", help="recording or score")
    parser.add_argument(
        "--out", metavar="FILE.csv|.json", default="-", help="where the pairs go (default: CSV on stdout)"
    )
    parser.add_argument(
        "--plot",
        metavar="FILE.svg|.png|.pdf",
        help="draw the cost matrix and the warping path (needs matplotlib)",
    )


def run(args: argparse.Namespace) -> None:
    if args.plot:
        from apps.sync_plot import check_plot

        check_plot(args.plot)
    begun = perf_counter()
    first, second = load_features(args.a), load_features(args.b)
    alignment = align_with_progress(first, second)
    write(args.out, args.a, args.b, first, alignment)
    if args.plot:
        from apps.sync_plot import plot

        plot(args.plot, args.a, args.b, first, second, alignment)
    note(summary(first, second, alignment) + f"; {perf_counter() - begun:.1f} s")


def align_with_progress(first: Features, second: Features) -> Alignment:
    """`align`, with a bar where somebody watches."""
    with tqdm(disable=not is_terminal(sys.stderr), leave=False, desc="aligning", unit="level") as bar:

        def progress(level: int, levels: int) -> None:
            bar.total = levels
            bar.update(level - bar.n)

        return align(first, second, progress=progress)


def summary(first: Features, second: Features, alignment: Alignment) -> str:
    """What was found, and whether to doubt it, in one line."""
    text = f"{duration(first.seconds)} aligned with {duration(second.seconds)}"
    text += f"; likeness {alignment.agreement:.2f}"
    if alignment.transposition:
        text += f"; B is {abs(alignment.transposition)} semitones "
        text += "higher" if alignment.transposition > 0 else "lower"
    if alignment.agreement < DOUBTFUL:
        text += " (hardly the same piece)"
    return text


def write(path: str, a: str, b: str, first: Features, alignment: Alignment) -> None:
    """The pairs as CSV or JSON; "-" is CSV on stdout. FollowspotError if it cannot be written."""
    if path == "-":
        _csv(sys.stdout, first, alignment)
        return
    if Path(path).suffix.lower() not in (".csv", ".json"):
        raise FollowspotError(f"--out {path}: is neither .csv nor .json; give one of them")
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            if path.lower().endswith(".csv"):
                _csv(file, first, alignment)
            else:
                json.dump(document(a, b, first, alignment), file)
    except OSError as error:
        raise FollowspotError(f"--out {path}: cannot be written ({error.strerror})") from None


def document(a: str, b: str, first: Features, alignment: Alignment) -> dict[str, Any]:
    """The alignment as plain lists: `pairs` are rows of `columns`."""
    return {
        "a": a,
        "b": b,
        "columns": _columns(first),
        "transposition": alignment.transposition,
        "likeness": round(alignment.agreement, 4),
        "pairs": _rows(first, alignment),
    }


def _csv(file: TextIO, first: Features, alignment: Alignment) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_columns(first))
    writer.writerows(_rows(first, alignment))


def _columns(first: Features) -> list[str]:
    return ["a_seconds", "b_seconds", *(("bar", "beat") if first.score else ())]


def _rows(first: Features, alignment: Alignment) -> list[list[float]]:
    rows = [[round(a, 4), round(b, 4)] for a, b in alignment.seconds().tolist()]
    if first.score is not None:
        for row in rows:
            beat = first.score.beat_at(row[0])
            row += [first.score.bar_at(beat), round(beat, 4)]
    return rows
