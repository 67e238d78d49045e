"""A bank of single notes, rendered once with FluidSynth, from which `render` plays songs quickly."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import mido
import numpy as np
import soundfile as sf

from .styles import BASSES, GUITARS, KEYS, LEADS

RATE = 44100
FONTS = [
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
]
KITS = [0, 8, 16, 24, 25, 32, 40]
PROGRAMS = sorted({*BASSES, *GUITARS, *KEYS, *LEADS})
PITCHES = list(range(25, 100, 3))
DRUM_NOTES = list(range(35, 83))
SLOT, HELD = 2.2, 1.9  # seconds a note has in the rendering, seconds its key is down
DRUM_SLOT = 1.0


def available_fonts() -> list[str]:
    return [font for font in FONTS if Path(font).exists()]


def bank_folder() -> Path:
    """Where the rendered notes are kept: FOLLOWSPOT_BAND, or build/band below the working directory."""
    return Path(os.environ.get("FOLLOWSPOT_BAND", "build/band"))


def _render(font: str, notes: list[tuple[int, int, int, int]], slot: float, channel: int) -> np.ndarray:
    """(program, pitch, velocity, held ms) one after the other, a slot each; int16, shape (notes, slot)."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    length = round(slot * 1000)
    for program, pitch, velocity, held in notes:
        track.append(mido.Message("program_change", channel=channel, program=program))
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity))
        track.append(mido.Message("note_off", channel=channel, note=pitch, time=held))
        track.append(
            mido.Message("control_change", channel=channel, control=7, value=100, time=length - held)
        )
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
        mido.MidiFile(ticks_per_beat=1000, tracks=[track]).save(midi)
        subprocess.run(
            [
                "fluidsynth",
                "-ni",
                "-q",
                "-r",
                str(RATE),
                "-g",
                "0.6",
                "-R",
                "0",
                "-C",
                "0",
                "-z",
                "1024",
                "-o",
                "synth.dynamic-sample-loading=1",
                "-F",
                str(wave),
                font,
                str(midi),
            ],
            check=True,
            capture_output=True,
        )
        audio = sf.read(wave, dtype="float32", always_2d=True)[0].mean(axis=1)
    size = int(slot * RATE)
    audio = np.pad(audio, (0, max(0, len(notes) * size - len(audio))))[: len(notes) * size]
    return (audio.reshape(len(notes), size) * 32767).astype(np.int16)


def _keep(path: Path, notes: np.ndarray) -> None:
    """Save at once, so that another process never reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{os.getpid()}.npy")
    np.save(part, notes)
    part.rename(path)


@lru_cache(maxsize=400)
def program_notes(font: str, program: int) -> np.ndarray:
    """All PITCHES of a program, shape (pitches, samples), int16."""
    path = bank_folder() / f"{Path(font).stem}_{program}.npy"
    if not path.exists():
        _keep(path, _render(font, [(program, p, 100, round(HELD * 1000)) for p in PITCHES], SLOT, 0))
    return np.load(path, mmap_mode="r")


@lru_cache(maxsize=60)
def kit_notes(font: str, kit: int) -> np.ndarray:
    """All DRUM_NOTES of a kit, soft (velocity 55) and loud (110), shape (2, notes, samples), int16."""
    path = bank_folder() / f"{Path(font).stem}_kit{kit}.npy"
    if not path.exists():
        notes = [(kit, p, v, 500) for v in (55, 110) for p in DRUM_NOTES]
        _keep(path, _render(font, notes, DRUM_SLOT, 9).reshape(2, len(DRUM_NOTES), -1))
    return np.load(path, mmap_mode="r")
