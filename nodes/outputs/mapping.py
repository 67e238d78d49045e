"""What goes where, written in a preset as lines "what is heard -> what is sent"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.events import Event
from engine.sink import Param


def parse_mapping(text: str) -> list[tuple[str, list[str]]]:
    """The lines of a mapping as (source, words of the target).

    Lines end at a line break or a semicolon, "# " starts a comment. A source is the kind of an event
    ("beat"), "node.kind" for the events of one node only, or "node.port" for a stream. ValueError
    names a line that is not of the form "source -> target".
    """
    found = []
    lines = [re.sub(r"(^|\s)#(\s.*|$)", "", line).split(";") for line in text.splitlines()]
    for line in (part.strip() for parts in lines for part in parts):
        if not line:
            continue
        source, arrow, target = line.partition("->")
        words = target.split()
        if not arrow or not words or len(source.split()) != 1:
            raise ValueError(f"{line!r} is not of the form 'source -> target', as in 'beat -> 36'")
        found.append((source.strip(), words))
    return found


def names(event: Event) -> tuple[str, str]:
    """The two names by which a mapping may mean an event: its kind and "node.kind"."""
    return event.kind, f"{event.source}.{event.kind}"


class MappingParam(Param[str]):
    """A string parameter that holds a mapping, checked by `parse` when it is set.

    Parameters
    ----------
    parse : turns the text into what the sink uses; it raises ValueError on a fault.
    """

    def __init__(self, default: str, *, parse: Callable[[str], Any], help: str) -> None:
        super().__init__(default, help=help)
        self._parse = parse

    def check(self, value: Any) -> str:
        text = super().check(value)
        try:
            self._parse(text)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None
        return text
