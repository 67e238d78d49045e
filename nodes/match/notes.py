"""Notes of MIDI files and scores, and the chroma they would have if they were played."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mido
import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.match.features import HOP, RATE, WINDOW

Array = npt.NDArray[Any]

#: Semitones of the first harmonics above the fundamental, and their amplitudes.
_HARMONICS = ((0, 1.0), (12, 0.5), (19, 0.35), (24, 0.25), (28, 0.2))
#: Seconds in which a sounding note falls to half of its amplitude.
_HALF_LIFE = 1.0
_DRUMS = 9


def read_notes(path: Path) -> Array:
    """Notes (n, 4) by onset: onset and duration in seconds, MIDI pitch, velocity 0 to 1."""
    try:
        notes = _midi(path) if path.suffix.lower() in (".mid", ".midi") else _score(path)
    except FollowspotError:
        raise
    except Exception as error:  # the readers raise whatever a broken file makes them stumble over
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise FollowspotError(f"{path}: cannot be read as notes ({reason}); export it again") from None
    if not len(notes):
        raise FollowspotError(f"{path}: holds no notes; export it again")
    return notes[np.argsort(notes[:, 0], kind="stable")]


def _midi(path: Path) -> Array:
    sounding: dict[tuple[int, int], tuple[float, int]] = {}
    notes: list[tuple[float, float, float, float]] = []
    now = 0.0

    def end(key: tuple[int, int]) -> None:
        onset, velocity = sounding.pop(key)
        notes.append((onset, max(now - onset, 0.05), key[1], velocity / 127))

    for message in mido.MidiFile(str(path), clip=True):
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        key = (message.channel, message.note)
        if key in sounding:
            end(key)
        if message.type == "note_on" and message.velocity:
            sounding[key] = (now, message.velocity)
    for key in list(sounding):
        end(key)
    return np.array(notes, np.float64).reshape(-1, 4)


def _score(path: Path) -> Array:
    try:
        import partitura
    except ImportError:
        raise FollowspotError(
            f"{path}: scores need partitura; install it with `pip install partitura`, or give a MIDI file"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = partitura.load_score(str(path), force_note_ids=True)
        parts = [partitura.score.unfold_part_maximal(part) for part in score.parts]
        performed = partitura.utils.music.performance_from_part(partitura.score.merge_parts(parts), bpm=100)
    array = performed.note_array()
    columns = (array["onset_sec"], array["duration_sec"], array["pitch"], array["velocity"] / 127)
    return np.stack(columns, axis=1).astype(np.float64)


def note_chroma(notes: Array) -> Array:
    """Chroma (frames, 12) at 10 Hz on the frames of `features`, made from notes without a synthesiser.

    Each note gives its first five harmonics, falling to half in a second, weighted as `features` weighs
    spectral peaks (root of the amplitude).
    """
    end = float((notes[:, 0] + notes[:, 1]).max())
    count = int(np.ceil(end * RATE / HOP)) + 1
    centres = ((np.arange(count) + 1) * HOP - WINDOW / 2) / RATE
    chroma = np.zeros((count, 12), np.float32)
    half = WINDOW / 4 / RATE  # the Hann window's half width at half height
    for onset, duration, pitch, velocity in notes:
        first = int(np.searchsorted(centres, onset - half))
        last = int(np.searchsorted(centres, onset + duration + half))
        age = np.maximum(centres[first:last] - onset, 0.0)
        level = np.sqrt(max(velocity, 0.05) * 0.5 ** (age / _HALF_LIFE))
        for semitones, amplitude in _HARMONICS:
            chroma[first:last, int(pitch + semitones) % 12] += level * np.sqrt(amplitude)
    return chroma
