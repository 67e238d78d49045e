"""Themes that are typed: `E5 D#5 E5 D#5 E5 B4 D5 C5 A4:2`."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError

Array = npt.NDArray[Any]

#: Seconds of a beat.
BEAT = 0.5
_NOTE = re.compile(r"(?:([A-Ga-g])([#b]*)(-?\d)|(\d{1,3})|[rR])(?::(\d+(?:\.\d+)?))?$")
_CLASSES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def typed_notes(text: str) -> Array:
    """Notes (n, 4) as `read_notes` gives them, of words such as `C4`, `F#5:2`, `Bb3:0.5`, `60`, `r`.

    A letter with its octave (C4 is the middle C) or a MIDI pitch; `r` is a rest; behind the colon the length
    in beats, which holds until another is given; a beat lasts BEAT seconds.
    """
    notes = []
    at, beats = 0.0, 1.0
    for word in text.replace(",", " ").split():
        match = _NOTE.match(word)
        if match is None:
            raise FollowspotError(f"{word!r} is no note; write C4, F#5:2, 60 or r, with spaces between them")
        letter, signs, octave, number, length = match.groups()
        beats = float(length) if length else beats
        if letter or number:
            pitch = int(number) if number else 12 * (int(octave) + 1) + _CLASSES[letter.lower()]
            pitch += (signs or "").count("#") - (signs or "").count("b")
            if not 0 <= pitch <= 127:
                raise FollowspotError(f"{word!r} is out of range; MIDI pitches go from 0 to 127")
            notes.append((at, beats * BEAT, pitch, 0.8))
        at += beats * BEAT
    if not notes:
        raise FollowspotError("there are no notes to search for; write some, such as `E5 D#5 E5 B4`")
    return np.array(notes, np.float64)
