"""Alias tables: which OSC messages a receiver with addresses of its own gets, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from engine.errors import suggestion
from nodes.outputs.mapping import parse_mapping

Argument = int | float | str


@dataclass(frozen=True)
class Field:
    """An argument taken from the values of an event.

    Parameters
    ----------
    name : of the value, or "index" for the number of the event, or "value" for the frame of a stream.
    low, high : if given, the value is sent as a share of this range, held within 0 to 1.
    """

    name: str
    low: float | None = None
    high: float | None = None

    def scaled(self, value: float) -> float:
        """The value as it is sent."""
        if self.low is None or self.high is None:
            return value
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True)
class Alias:
    """One message: its address and its arguments, constants or fields."""

    address: str
    arguments: tuple[Argument | Field, ...]

    def values(self, heard: Mapping[str, object]) -> list[Argument]:
        """The arguments for what was heard; a field that it lacks is left out."""
        sent: list[Argument] = []
        for argument in self.arguments:
            if not isinstance(argument, Field):
                sent.append(argument)
            elif isinstance(value := heard.get(argument.name), int | float):
                sent.append(argument.scaled(value))
            elif isinstance(value, str):
                sent.append(value)
        return sent


def builtin_tables() -> dict[str, str]:
    """The tables that come with Followspot: text by name."""
    folder = files("nodes.outputs") / "osc_aliases"
    return {
        file.name.removesuffix(".txt"): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".txt")
    }


def parse_aliases(text: str) -> dict[str, list[Alias]]:
    """The messages by source.

    Parameters
    ----------
    text : the name of a built-in table, or lines "source -> /address argument ...". An argument is a
        number, the name of a value ("bpm"), or "bpm:20..500" for a value sent as 0 to 1 of that range.

    ValueError names the fault.
    """
    if text and "->" not in text:
        tables = builtin_tables()
        if text not in tables:
            raise ValueError(f"there is no alias table {text!r}; {suggestion(text, tables)}")
        text = tables[text]
    found: dict[str, list[Alias]] = {}
    for source, (address, *arguments) in parse_mapping(text):
        if not address.startswith("/"):
            raise ValueError(f"{source} -> {address}: an OSC address starts with '/'")
        alias = Alias(address, tuple(_argument(word) for word in arguments))
        found.setdefault(source, []).append(alias)
    return found


def _argument(word: str) -> Argument | Field:
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            pass
    name, colon, span = word.partition(":")
    if not colon:
        return Field(name)
    low, _, high = span.partition("..")
    try:
        field = Field(name, float(low), float(high))
    except ValueError:
        raise ValueError(f"{word!r}: write a range as name:low..high, as in bpm:20..500") from None
    if field.low == field.high:
        raise ValueError(f"{word!r}: the range is empty")
    return field
