"""From a composed song to one wave per stem, out of the bank of notes."""

from __future__ import annotations

import numpy as np

from .bank import DRUM_NOTES, HELD, KITS, PITCHES, RATE, SLOT, available_fonts, kit_notes, program_notes
from .score import Player, Song

CHOKED = {42: 46, 44: 46}  # a closed hi-hat ends an open one
RELEASE = int(0.06 * RATE)


def render(song: Song) -> dict[str, np.ndarray]:
    """Every stem as a mono wave at 44.1 kHz, all of one length, on the song's own time axis.

    Each player may come from another sound font. Needs FluidSynth when a sound is used for the first time.
    """
    rng = np.random.default_rng([song.seed, 77])
    fonts = available_fonts()
    length = int((song.tempo.seconds(song.beats) + 0.7) * RATE)
    waves: dict[str, np.ndarray] = {}
    for player in song.players:
        font = fonts[rng.integers(len(fonts))]
        wave = waves.setdefault(player.stem, np.zeros(length, np.float32))
        if player.drums:
            _play_drums(wave, song, player, kit_notes(font, KITS[rng.integers(len(KITS))]))
        else:
            _play_notes(wave, song, player, program_notes(font, player.program))
    return waves


def _add(wave: np.ndarray, start: int, sound: np.ndarray) -> None:
    stop = min(len(wave), start + len(sound))
    if stop > start:
        wave[start:stop] += sound[: stop - start]


def _play_drums(wave: np.ndarray, song: Song, player: Player, kit: np.ndarray) -> None:
    notes = song.timed_notes(player)
    for index, (onset, _, pitch, velocity) in enumerate(notes):
        loud = int(velocity > 80)
        sound = kit[loud, DRUM_NOTES.index(pitch)] * np.float32(
            (velocity / (110 if loud else 55)) ** 1.5 / 32767
        )
        if pitch == CHOKED.get(42):
            stop = next((o for o, _, p, _ in notes[index + 1 : index + 8] if p in CHOKED), onset + 9.0)
            cut = int((stop - onset) * RATE)
            if 0 < cut < len(sound) - 400:
                sound = sound[: cut + 400].copy()
                sound[cut:] *= np.linspace(1, 0, 400, dtype=np.float32)
        _add(wave, int(onset * RATE), sound)


def _play_notes(wave: np.ndarray, song: Song, player: Player, sounds: np.ndarray) -> None:
    for onset, length, pitch, velocity in song.timed_notes(player):
        nearest = int(np.clip(round((pitch - PITCHES[0]) / 3), 0, len(PITCHES) - 1))
        ratio = 2.0 ** ((pitch - PITCHES[nearest]) / 12)
        held = int(min(length, HELD / ratio) * RATE)
        size = min(held + RELEASE, int(SLOT * RATE / ratio) - 2)
        if ratio == 1.0:
            sound = sounds[nearest, :size].astype(np.float32)
        else:
            at = np.arange(size) * ratio
            low = at.astype(np.int64)
            part = (at - low).astype(np.float32)
            row = sounds[nearest, : int(size * ratio) + 3].astype(np.float32)
            sound = row[low] * (1 - part) + row[low + 1] * part
        sound *= np.float32((velocity / 100) ** 1.5 / 32767)
        sound[held:] *= np.linspace(1, 0, max(0, size - held), dtype=np.float32) if size > held else 1.0
        _add(wave, int(onset * RATE), sound)
