"""Colours by name or as #rrggbb."""

from __future__ import annotations

from engine.errors import suggestion

Colour = tuple[float, float, float]

NAMES: dict[str, Colour] = {
    "white": (1.0, 1.0, 1.0),
    "red": (1.0, 0.0, 0.0),
    "orange": (1.0, 0.35, 0.0),
    "amber": (1.0, 0.55, 0.0),
    "yellow": (1.0, 0.85, 0.0),
    "green": (0.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "blue": (0.0, 0.0, 1.0),
    "purple": (0.5, 0.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "pink": (1.0, 0.2, 0.5),
}


def parse_colour(word: str) -> Colour:
    """Red, green and blue, each 0 to 1; ValueError if the word is no colour."""
    if word.startswith("#") and len(word) == 7:
        try:
            red, green, blue = bytes.fromhex(word[1:])
        except ValueError:
            raise ValueError(f"{word!r} is no colour: write #rrggbb") from None
        return red / 255, green / 255, blue / 255
    if word not in NAMES:
        raise ValueError(f"{word!r} is no colour; {suggestion(word, NAMES)}")
    return NAMES[word]
