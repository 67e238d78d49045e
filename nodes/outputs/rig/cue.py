"""Cues: what fixtures do, and at which steps of the music."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from engine.errors import suggestion
from nodes.outputs.mapping import parse_mapping
from nodes.outputs.rig.colour import Colour, parse_colour

#: Colour and level of a fixture.
Look = tuple[Colour, float]

EFFECTS = ("chase", "colour", "flash", "pulse", "wave")

#: Lines such as "1/8 -> chase par* red"; the words of an effect are explained in `Cue`.
GRAMMAR = "'when -> effect fixtures colours', as in '1/8 -> chase par* red'"


@dataclass(frozen=True)
class Cue:
    """One effect.

    Parameters
    ----------
    when : what makes it step: "beat", "bar", "4beats", "2bars", a note value such as "1/8" (a beat is
        1/4), or the kind of an event ("onset", "drums.onset").
    effect : "colour" shows the next colour with every step; "chase" lights one fixture after another;
        "pulse" is full at the step and fades until the next; "wave" swings from fixture to fixture
        once a step; "flash" lights for `flash_ms` after the step and then lets through what was there.
    fixtures : names, in the order of a chase.
    colours : one after another with every step. Without any, the effect scales what the cues before it
        made of the fixtures; with them, it lights them itself.
    """

    when: str
    effect: str
    fixtures: tuple[str, ...]
    colours: tuple[Colour, ...]
    flash_ms: float = 80.0

    @property
    def step(self) -> tuple[float, str] | None:
        """(count, "beat" or "bar") of a step in musical time; None if an event makes it step."""
        return step_of(self.when)

    def apply(self, looks: dict[str, Look], step: int, phase: float, since_ms: float) -> None:
        """Change `looks` to what they are in a step.

        Parameters
        ----------
        step : how many steps there have been, from 0.
        phase : how much of the step has passed, 0 to 1.
        since_ms : ms since the step began.
        """
        if self.effect == "flash" and since_ms >= self.flash_ms:
            return
        colour = self.colours[step % len(self.colours)] if self.colours else None
        for n, name in enumerate(self.fixtures):
            level = self._level(n, step, phase)
            if colour is not None:
                looks[name] = colour, level
            else:
                looks[name] = looks[name][0], looks[name][1] * level

    def _level(self, n: int, step: int, phase: float) -> float:
        if self.effect == "chase":
            return 1.0 if step % len(self.fixtures) == n else 0.0
        if self.effect == "pulse":
            return (1 - phase) ** 2
        if self.effect == "wave":
            return 0.5 + 0.5 * math.cos(2 * math.pi * (phase - n / len(self.fixtures)))
        return 1.0


def step_of(when: str) -> tuple[float, str] | None:
    """The step that a word names, as (count, unit), or None if it is the kind of an event."""
    head, slash, tail = when.partition("/")
    if slash and head.isdigit() and tail.isdigit() and int(head) and int(tail):
        return 4 * int(head) / int(tail), "beat"
    word = when.lstrip("0123456789")
    unit = word.removesuffix("s")
    if unit not in ("beat", "bar"):
        return None
    count = when.removesuffix(word)
    return float(count or 1) or 1.0, unit


def parse_cues(text: str, fixtures: Iterable[str]) -> list[Cue]:
    """Cues from lines "when -> effect fixtures colours", in the order in which they are applied.

    Fixtures are names or patterns ("par*") with commas between them; a flash may end in its length
    ("120ms"). ValueError names the fault.
    """
    known = list(fixtures)
    return [_cue(when, words, known) for when, words in parse_mapping(text)]


def _cue(when: str, words: list[str], known: list[str]) -> Cue:
    line = f"{when} -> {' '.join(words)}"
    if len(words) < 2:
        raise ValueError(f"{line!r}: a cue is {GRAMMAR}")
    effect, names, *rest = words
    if effect not in EFFECTS:
        raise ValueError(f"{line!r}: there is no effect {effect!r}; {suggestion(effect, EFFECTS)}")
    length = 80.0
    if effect == "flash" and rest and rest[-1].endswith("ms"):
        try:
            length = float(rest.pop()[:-2])
        except ValueError:
            raise ValueError(f"{line!r}: write the length of a flash as in 120ms") from None
    colours = tuple(parse_colour(word) for word in rest)
    if effect in ("colour", "flash") and not colours:
        raise ValueError(f"{line!r}: {effect} needs a colour")
    return Cue(when, effect, _fixtures(names, known), colours, length)


def _fixtures(names: str, known: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for pattern in names.split(","):
        matching = [name for name in known if fnmatchcase(name, pattern)]
        if not matching:
            raise ValueError(f"no fixture {pattern!r} is patched; {suggestion(pattern, known)}")
        found.update(dict.fromkeys(matching))
    return tuple(found)


@dataclass
class Trigger:
    """Steps that events make.

    Attributes
    ----------
    count : events so far.
    at_ns : when the last one took effect; period_ns : from the one before to it.
    """

    count: int = 0
    at_ns: float = -math.inf
    period_ns: float = field(default=500e6)

    def strike(self, at_ns: float) -> None:
        """An event takes effect."""
        if at_ns - self.at_ns < 4e9:
            self.period_ns = max(1.0, at_ns - self.at_ns)
        self.count += 1
        self.at_ns = at_ns
