"""Which MIDI note an event plays, and how hard."""

from __future__ import annotations

from collections.abc import Iterator

from engine.events import Event
from nodes.outputs.mapping import names, parse_mapping


def parse_notes(text: str) -> dict[str, int | str]:
    """Note by source: a number 0 to 127, or the name of the value that holds the note ("pitch").

    ValueError names the fault.
    """
    found: dict[str, int | str] = {}
    for source, words in parse_mapping(text):
        if len(words) != 1:
            raise ValueError(f"{source} -> {' '.join(words)}: give one note")
        note: int | str = int(words[0]) if words[0].lstrip("-").isdigit() else words[0]
        if isinstance(note, int) and not 0 <= note <= 127:
            raise ValueError(f"{source} -> {note}: a MIDI note is 0 to 127")
        if source in found:
            raise ValueError(f"{source} is given twice")
        found[source] = note
    return found


def notes_of(event: Event, notes: dict[str, int | str]) -> Iterator[int]:
    """The notes that an event plays under a mapping of `parse_notes`."""
    for name in names(event):
        note = notes.get(name)
        if isinstance(note, str):
            note = event.values.get(note)
        if note is not None and 0 <= round(note) <= 127:
            yield round(note)


def velocity_of(event: Event, default: int) -> int:
    """Velocity 1 to 127: the event's "velocity", else 127 times its "confidence", else `default`."""
    if "velocity" in event.values:
        velocity = event.values["velocity"]
    elif "confidence" in event.values:
        velocity = 127 * event.values["confidence"]
    else:
        velocity = default
    return min(127, max(1, round(velocity)))
