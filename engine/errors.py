"""What goes wrong, said in one line that names the fault and the mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class FollowspotError(Exception):
    """A fault of the input, the set-up or a preset. Its text is shown to the user as it is."""


@dataclass(frozen=True)
class Problem:
    """One fault found in a graph or a preset: where it is, what it is, how to mend it."""

    where: str
    reason: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f" ({self.mend})" if self.mend else "")


class GraphError(FollowspotError):
    """All the problems of a graph or preset, reported together."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def suggestion(word: str, known: Iterable[str]) -> str:
    """The mend for an unknown word: the nearest known one, or the list of all."""
    choices = sorted(known)
    close = get_close_matches(word, choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(choices) if choices else "none is known here"
