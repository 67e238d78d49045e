"""From a composed song to one wave per stem, with FluidSynth (Debian: fluidsynth and sound fonts)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile as sf

from .score import DRUM_CHANNEL, Song

RATE = 44100
FONTS = [
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
]
TICKS_PER_SECOND = 1000
DRUM_KITS = [0, 0, 0, 8, 16, 24, 25, 32, 40]


def available_fonts() -> list[str]:
    return [font for font in FONTS if Path(font).exists()]


def midi_of(song: Song, stems: list[str], segment: float) -> mido.MidiFile:
    """One MIDI file that plays the given stems one after the other, `segment` seconds each."""
    events: list[tuple[int, int, mido.Message]] = []
    for index, stem in enumerate(stems):
        base = index * segment
        for channel, player in enumerate([p for p in song.players if p.stem == stem]):
            channel = DRUM_CHANNEL if player.drums else channel + (channel >= DRUM_CHANNEL)
            at = round(base * TICKS_PER_SECOND)
            events.append((at, 0, mido.Message("program_change", channel=channel, program=player.program)))
            for onset, length, pitch, velocity in song.timed_notes(player):
                if not 0 <= pitch <= 127 or onset > segment - 1.5:
                    continue
                on = round((base + onset) * TICKS_PER_SECOND)
                off = round((base + min(onset + length, segment - 1.0)) * TICKS_PER_SECOND)
                events.append(
                    (on, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity))
                )
                events.append((max(off, on + 20), 1, mido.Message("note_off", channel=channel, note=pitch)))
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_SECOND)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000))
    now = 0
    for at, _, message in sorted(events, key=lambda e: (e[0], e[1])):
        track.append(message.copy(time=at - now))
        now = at
    end = round(len(stems) * segment * TICKS_PER_SECOND)
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return file


def _shares(fonts: list[str]) -> np.ndarray:
    """Compressed fonts (sf3) load slowly, so they are used less often."""
    shares = np.array([0.3 if font.endswith(".sf3") else 1.0 for font in fonts])
    return shares / shares.sum()


def render(song: Song) -> dict[str, np.ndarray]:
    """Every stem as a mono wave at 44.1 kHz, all of one length, on the song's own time axis.

    Each stem may come from another sound font. Raises FileNotFoundError without FluidSynth.
    """
    rng = np.random.default_rng([song.seed, 77])
    fonts = available_fonts()
    stems = sorted({p.stem for p in song.players})
    for player in song.players:
        if player.drums:
            player.program = int(rng.choice(DRUM_KITS))
    last = song.tempo.seconds(song.beats)
    segment = float(np.ceil(last + 2.5))
    length = int((last + 0.7) * RATE)
    waves: dict[str, np.ndarray] = {}
    # Most songs stay with one font: every further one costs a start of the synthesiser.
    main, other = fonts[rng.choice(len(fonts), p=_shares(fonts))], fonts[rng.integers(min(2, len(fonts)))]
    choice = {stem: other if stem == "drums" and rng.random() < 0.4 else main for stem in stems}
    for font in sorted(set(choice.values())):
        mine = [stem for stem in stems if choice[stem] == font]
        with tempfile.TemporaryDirectory() as folder:
            midi, wave = Path(folder) / "song.mid", Path(folder) / "song.wav"
            midi_of(song, mine, segment).save(midi)
            reverb = "1" if rng.random() < 0.5 else "0"
            subprocess.run(
                [
                    "fluidsynth",
                    "-ni",
                    "-q",
                    "-r",
                    str(RATE),
                    "-g",
                    "0.5",
                    "-R",
                    reverb,
                    "-C",
                    "0",
                    "-o",
                    "synth.polyphony=96",
                    "-F",
                    str(wave),
                    font,
                    str(midi),
                ],
                check=True,
                capture_output=True,
            )
            audio = sf.read(wave, dtype="float32", always_2d=True)[0].mean(axis=1)
        for index, stem in enumerate(mine):
            start = int(index * segment * RATE)
            part = audio[start : start + length]
            waves[stem] = np.pad(part, (0, length - len(part)))
    return waves
