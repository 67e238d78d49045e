"""`followspot library search`: a typed, played or hummed theme in a library."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from apps.terminal import duration, note, table
from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from nodes.match import features
from nodes.match.notes import read_notes
from nodes.match.references import MIDI, SCORES, SOUND
from nodes.match.search import WAYS, Found, scores_of, search_notes, search_sound, theme_frames
from nodes.match.shards import open_folder
from nodes.match.typed import typed_notes

_KEYS = (*WAYS, "sound")


def add_arguments(search: argparse.ArgumentParser) -> None:
    search.add_argument(
        "query",
        metavar="QUERY",
        nargs="+",
        help="a MIDI, MusicXML or sound file, or notes such as E5 D#5 E5:2 r 60 (length in beats)",
    )
    search.add_argument(
        "--by",
        choices=_KEYS,
        default=None,
        help="triples: notes in scores, any key and tempo (the default for notes); inclusion: all notes, at "
        "their tempo; points: most notes, at their tempo; sound: what it sounds like, in recordings as well",
    )
    search.add_argument("--top", type=int, default=10, metavar="N", help="so many places (default: 10)")


def run(args: argparse.Namespace) -> int:
    if args.store:
        raise FollowspotError("search works on a folder: leave --store out")
    library = open_folder(args.library)
    path = Path(args.query[0])
    suffix = path.suffix.lower()
    named = len(args.query) == 1 and suffix in (*SOUND, *MIDI, *SCORES)
    if named and not path.is_file():
        raise FollowspotError(f"{path}: there is no such file; check the path")
    if named and suffix in SOUND:
        if args.by not in (None, "sound"):
            raise FollowspotError(f"{path}: is a sound file; leave --by {args.by} out, or give its notes")
        _show(search_sound(library, _frames(path), args.top), "evidence")
        return 0
    notes = read_notes(path) if named else typed_notes(" ".join(args.query))
    way = args.by or ("triples" if any(True for _ in scores_of(library)) else "sound")
    if way == "sound":
        _show(search_sound(library, theme_frames(notes), args.top), "evidence")
    else:
        _show(search_notes(library, notes, way, args.top), "notes there")
    return 0


def _frames(path: Path) -> np.ndarray:
    """The smoothed chroma of a sound file."""
    query = features.QueryFrames()
    file = AudioFile(path, features.RATE, features.HOP)
    return np.array([query.frame.copy() for block in file.blocks() if query.push(block[0])]).reshape(-1, 12)


def _show(found: list[Found], what: str) -> None:
    if not found:
        note("nothing in the library is like it")
        return
    rows = [
        (
            f.document.id,
            duration(f.seconds),
            f"{f.transposition:+d}",
            f"{f.tempo:.2f}",
            f"{100 * f.score:.0f} %" if what != "evidence" else f"{f.score:.1f}",
        )
        for f in found
    ]
    print(table(("document", "at", "key", "tempo", what), rows, right=(1, 2, 3, 4)))
