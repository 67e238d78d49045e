"""A list of cues along a score, from a TOML file or from the marks of the score.

[[cue]]
name = "blackout"
bar = 17             # printed number, as it is first played; or beat = 64.0, or mark = "B"
missed = "skip"      # "late" (default), "skip" or "wait"
note = 60            # optional: what a MIDI sink plays for it
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import FollowspotError
from nodes.follow.score import Score

MISSED = ("late", "skip", "wait")


@dataclass(frozen=True)
class Cue:
    """`beat`: quarter notes of the unfolded score from its start; `note`: MIDI pitch, -1 for none."""

    name: str
    beat: float
    missed: str = "late"
    note: int = -1


def cues_of_marks(score: Score) -> list[Cue]:
    """A cue at each mark (rehearsal letter, MIDI marker) of the score."""
    return [Cue(text, beat) for beat, text in score.marks]


def load_cues(path: str | Path, score: Score | None) -> list[Cue]:
    """Cues of a TOML file in order of their beats; FollowspotError names the cue that is wrong."""
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FollowspotError(f"cues {path}: cannot be read ({error})") from None
    rows = table.get("cue")
    if not isinstance(rows, list) or not rows:
        raise FollowspotError(f"cues {path}: it holds no [[cue]] tables")
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_cue(row, score))
        except (KeyError, TypeError, ValueError) as error:
            name = row.get("name", number) if isinstance(row, dict) else number
            reason = str(error.args[0] if error.args else error)
            raise FollowspotError(f"cues {path}: cue {name!r}: {reason}") from None
    return sorted(found, key=lambda cue: cue.beat)


def _cue(row: dict[str, Any], score: Score | None) -> Cue:
    unknown = set(row) - {"name", "beat", "bar", "mark", "missed", "note"}
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]!r} is not known; use name, beat, bar, mark, missed and note")
    places = [key for key in ("beat", "bar", "mark") if key in row]
    if len(places) != 1:
        raise ValueError("give one of beat, bar and mark")
    missed = row.get("missed", "late")
    if missed not in MISSED:
        raise ValueError(f"missed is {missed!r}; use {', '.join(MISSED)}")
    return Cue(str(row["name"]), _beat(places[0], row[places[0]], score), missed, int(row.get("note", -1)))


def _beat(kind: str, value: Any, score: Score | None) -> float:
    if kind == "beat":
        return float(value)
    if score is None:
        raise ValueError(f"{kind} needs a score: set reference, or give beat")
    places = score.bars.tolist() if kind == "bar" else score.marks
    for place in places:
        if (int(place[1]) if kind == "bar" else place[1]) == value:
            return float(place[0])
    raise ValueError(f"there is no {kind} {value!r} in the score")
