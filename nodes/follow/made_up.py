"""A small made-up score and its sound, for the conformance kit and for trying the follower without files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nodes.follow.bands import midi_to_hz

#: Pitches of the melody, a quarter each at 120 a minute, over a bass note per bar.
MELODY = (60, 64, 67, 72, 71, 67, 62, 65, 69, 74, 72, 69, 64, 60, 59, 62, 67, 71, 74, 77, 76, 72, 67, 60)
BASS = (48, 43, 50, 45, 43, 48)
QUARTER = 0.5


def made_up_score() -> Path:
    """Path of a MIDI file with six bars of four quarters."""
    import mido

    path = Path(tempfile.gettempdir()) / "followspot-made-up-score.mid"
    file = mido.MidiFile(ticks_per_beat=480)
    for pitches, length in ((MELODY, 480), (BASS, 1920)):
        track = mido.MidiTrack()
        if length == 480:
            track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4, time=0))
            track.append(mido.MetaMessage("set_tempo", tempo=500000, time=0))
        for pitch in pitches:
            track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
            track.append(mido.Message("note_off", note=pitch, velocity=0, time=length))
        file.tracks.append(track)
    temporary = path.with_suffix(f".{id(file)}.part")
    file.save(temporary)
    temporary.replace(path)
    return path


def made_up_choir() -> Path:
    """Path of a MIDI file with six parts that hold a chord, struck again every second."""
    import mido

    path = Path(tempfile.gettempdir()) / "followspot-made-up-choir.mid"
    file = mido.MidiFile(ticks_per_beat=480)
    for pitch in (72, 67, 64, 60, 55, 48):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=f"voice {pitch}")])
        for _ in range(12):
            track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
            track.append(mido.Message("note_off", note=pitch, velocity=0, time=960))
        file.tracks.append(track)
    temporary = path.with_suffix(f".{id(file)}.part")
    file.save(temporary)
    temporary.replace(path)
    return path


def play(notes: npt.ArrayLike, rate: int, length: float) -> npt.NDArray[np.float32]:
    """Struck notes (onset s, MIDI pitch) as decaying partials; `length` seconds of mono sound."""
    sound = np.zeros(int(length * rate))
    for onset, pitch in np.asarray(notes, np.float64):
        start = round(onset * rate)
        time = np.arange(min(len(sound) - start, int(1.2 * rate))) / rate
        for number in range(1, 9):
            frequency = midi_to_hz(pitch) * number
            if frequency < 0.45 * rate:
                wave = np.sin(2 * np.pi * frequency * time) * np.exp(-3.0 * number**0.5 * time)
                sound[start : start + len(time)] += 0.1 / number * wave * np.minimum(1.0, time / 0.003)
    return sound.astype(np.float32)


def made_up_notes(tempo: float = 1.0, start: float = 0.0) -> npt.NDArray[np.float64]:
    """(onset s, pitch) of the made-up score played at `tempo` times its tempo from `start` seconds on."""
    melody = [(start + i * QUARTER / tempo, p) for i, p in enumerate(MELODY)]
    bass = [(start + i * 4 * QUARTER / tempo, p) for i, p in enumerate(BASS)]
    return np.array(sorted(melody + bass))


def made_up_cues() -> Path:
    """Path of a cue list for the made-up score."""
    path = Path(tempfile.gettempdir()) / "followspot-made-up-cues.toml"
    temporary = path.with_suffix(f".{id(path)}.part")
    temporary.write_text('[[cue]]\nname = "lights"\nbeat = 8.0\nnote = 60\n')
    temporary.replace(path)
    return path
