"""What is likely before a note is heard: a set list, the start of a piece, what was playing last.

Every document has log odds against a world in which all documents are as likely as each other, and in which
half of the music is none of them: that is what the confidences of `hypotheses` were fitted in. A set list
moves odds to its documents from all others, so it makes nothing surer as a whole; the odds of a document
that is one of eight in a library of a thousand rise by the factor 112.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from engine.errors import FollowspotError

#: Share of the music that is on the set list if there is one, and of that what comes next by its order.
LISTED, NEXT = 0.9, 0.5
#: Share of the last known document after it was lost, and the seconds in which it falls to half.
RETURN, FORGET = 0.3, 60.0
#: Share of music after silence that begins at the beginning of its document.
BEGINS = 0.5
#: Seconds of silence before music that begins, and for which it is of use that it began.
REST, OPENING = 1.0, 20.0
#: Seconds by which a place may miss the beginning, and more for every second since: tempi are coarse.
SLACK, DRIFT = 2.0, 0.1
#: Odds are never moved by more than this, in log odds: a prior is not a proof.
MOST = 5.0


class Priors:
    """Log odds of documents, kept up to date with what was held last.

    Parameters
    ----------
    count : documents in the library.
    listed : names of the documents of the set list, in order; empty: there is none.
    """

    def __init__(self, count: int, listed: Sequence[str] = ()) -> None:
        self._count = max(count, 1)
        self._listed = tuple(listed)
        self.reset()

    def reset(self) -> None:
        """Nothing has been heard. With a set list the first sound is a beginning."""
        self._at = 0  # what is expected, by its number in the list
        self._held: str | None = None
        self._last: str | None = None
        self._lost_at = 0.0
        self._silent = REST if self._listed else 0.0
        self._begun: float | None = None

    def hear(self, time: float, seconds: float, *, silent: bool) -> None:
        """`seconds` of music or silence end at stream second `time`."""
        if silent:
            self._silent += seconds
            return
        if self._silent >= REST:
            self._begun = time - seconds
        elif self._begun is not None and time - self._begun > OPENING:
            self._begun = None
        self._silent = 0.0

    def hold(self, document: str) -> None:
        """A document is being played."""
        if document == self._held:
            return
        self._held, self._last, self._begun = document, None, None
        if document in self._listed:  # once more, if it is there more than once
            later = document in self._listed[self._at :]
            self._at = self._listed.index(document, self._at if later else 0)

    def lose(self, time: float) -> None:
        """What was held is lost at stream second `time`."""
        if self._held in self._listed:
            self._at += 1
        self._held, self._last, self._lost_at = None, self._held, time

    @property
    def empty(self) -> bool:
        """Whether all documents and places count as likely as each other: there is no set list.

        Without one, what was last known would bring a false match back (measured: 8 with strangers, not 5).
        """
        return not self._listed

    def odds(self, time: float) -> tuple[dict[str, float], float]:
        """Log odds of the documents that are special at stream second `time`, and those of any other."""
        shares = self._shares()
        left = 1.0 - sum(shares.values())
        again = 0.0 if self._last is None else RETURN * 0.5 ** ((time - self._lost_at) / FORGET)
        other = left / max(self._count - len(shares), 1)
        if self._last is not None:
            shares.setdefault(self._last, other)
        special = {
            name: self._log((1.0 - again) * share + (again if name == self._last else 0.0))
            for name, share in shares.items()
        }
        return special, self._log((1.0 - again) * other)

    def _log(self, share: float) -> float:
        return max(-MOST, min(MOST, math.log(max(share * self._count, 1e-9))))

    def _shares(self) -> dict[str, float]:
        """What each document of the set list has of all music."""
        names = list(dict.fromkeys(self._listed))
        if not names:
            return {}
        listed = LISTED if self._count > len(names) else 1.0
        expected = self._listed[self._at] if self._at < len(self._listed) else None
        if expected is None or len(names) == 1:
            return dict.fromkeys(names, listed / len(names))
        shares = dict.fromkeys(names, listed * (1.0 - NEXT) / (len(names) - 1))
        return {**shares, expected: listed * NEXT}

    def beginning(self, time: float, tempo: float) -> float | None:
        """Where (s) a document is now that began with the music, at `tempo`; None: nothing has begun."""
        return None if self._begun is None else (time - self._begun) * tempo

    def of_place(self, position: float, length: float, time: float, tempo: float) -> float:
        """Log odds of a place (s) in a document of `length` seconds, against all places being as likely."""
        expected = self.beginning(time, tempo)
        if expected is None:
            return 0.0
        slack = SLACK + DRIFT * expected
        places = max(length / (2.0 * slack), 2.0)
        if abs(position - expected) <= slack:
            return min(math.log(BEGINS * places), MOST)
        return math.log((1.0 - BEGINS) * places / (places - 1.0))


def read_set_list(file: str | Path, names: Sequence[str]) -> list[str]:
    """The documents of a set list in order: one name a line, as `followspot library list` shows it.

    The name without folder and ending will do where only one document has it. Empty lines and what follows
    a # are left out.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text in UTF-8"
        raise FollowspotError(f"set list {file}: cannot be read ({reason}); check the path") from None
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(PurePosixPath(name).stem.casefold(), []).append(name)
    known = set(names)
    found = []
    for number, line in enumerate(lines, 1):
        wanted = line.strip() if line.strip() in known else line.partition("#")[0].strip()
        if not wanted:
            continue
        alike = [wanted] if wanted in known else by_stem.get(wanted.casefold(), [])
        if len(alike) != 1:
            why = "no document has this name" if not alike else f"{len(alike)} documents have this name"
            raise FollowspotError(
                f"set list {file}, line {number}: {wanted!r}: {why}; "
                "write it as `followspot library list` does"
            )
        found.append(alike[0])
    if not found:
        raise FollowspotError(f"set list {file}: names no document; write one name a line")
    return found
