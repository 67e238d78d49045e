"""Make the piano's templates: python -m tests.benchmarks.make_piano_templates [OUT.npz]

Plays single notes of the pianos of two sound fonts (FluidR3 and TimGM6mb; a third, MuseScore General, is
kept for measuring) and keeps two spectra of each of the 88 notes, at its beginning and later, averaged
over the pianos. Needs FluidSynth when a note is played for the first time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nodes.pitch.drum_kernels import strike_taper
from nodes.pitch.piano_kernels import BINS, LOWEST, NOTES, pitch_bands, pitch_spectrum
from tests.benchmarks.band.bank import PITCHES, RATE, available_fonts, program_notes
from tests.benchmarks.drum_kits import onset_of

WINDOW, HOP = 4096, 512
PIANOS = (0, 1)
BEGINNING, LATER = (1024, 1536, 2048, 3072), (8192, 12288, 20480)  # samples after the onset


def note(sounds: np.ndarray, pitch: int) -> np.ndarray:
    """A note of a piano, bent from the nearest that was played."""
    nearest = int(np.clip(round((pitch - PITCHES[0]) / 3), 0, len(PITCHES) - 1))
    ratio = 2.0 ** ((pitch - PITCHES[nearest]) / 12)
    sound = sounds[nearest].astype(np.float32) / 32767
    at = np.arange(int((len(sound) - 2) / ratio)) * ratio
    low = at.astype(np.int64)
    part = (at - low).astype(np.float32)
    return sound[low] * (1 - part) + sound[low + 1] * part


def spectra(sound: np.ndarray, ends: tuple[int, ...]) -> np.ndarray:
    """Mean spectrum (BINS,) of windows that end at these samples after the onset."""
    bands = pitch_bands(RATE, WINDOW // 2 + 1)
    taper = strike_taper(WINDOW)
    start = onset_of(sound)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound, np.zeros(WINDOW, np.float32)])
    total, out = np.zeros(BINS, np.float32), np.zeros(BINS, np.float32)
    for end in ends:
        window = padded[start + end : start + end + WINDOW]
        magnitude = np.abs(np.fft.rfft(window * taper)).astype(np.float32)
        pitch_spectrum(magnitude, *bands, out)
        total += out / max(1e-9, float(out.sum()))
    return total / len(ends)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", default=Path("nodes/pitch/piano_templates.npz"))
    options = parser.parse_args()
    fonts = [font for font in available_fonts() if "MuseScore" not in font]
    templates = np.zeros((NOTES, 2, BINS), np.float32)
    for font in fonts:
        for piano in PIANOS:
            sounds = program_notes(font, piano)
            for k in range(NOTES):
                sound = note(sounds, LOWEST + k)
                templates[k] += [spectra(sound, BEGINNING), spectra(sound, LATER)]
    templates /= len(fonts) * len(PIANOS)
    np.savez_compressed(options.out, templates=templates.astype(np.float16))


if __name__ == "__main__":
    main()
