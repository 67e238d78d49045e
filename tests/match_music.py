"""Music for the tests of the matcher: seeded chords and melodies of decaying partials."""

from __future__ import annotations

import numpy as np

RATE = 22050


def piece(seed: int, seconds: float = 40.0, *, tempo: float = 1.0, transpose: int = 0, timbre: int = 0):
    """float32 (samples,) at 22,050 Hz: the same notes for a seed, whatever tempo, key and timbre.

    tempo : how much faster than written; transpose : semitones; timbre : seed of the partials' strengths.
    """
    notes = np.random.default_rng(seed)
    sound = np.random.default_rng(1000 + timbre)
    partials = 1.0 / np.arange(1, 6) ** sound.uniform(0.8, 1.8)
    audio = np.zeros(int(seconds * RATE) + 2 * RATE)
    at = 0.0
    tempo *= notes.uniform(0.8, 1.25)  # every piece has its own
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + notes.integers(12)
    while at < seconds * tempo:  # always the same notes: the loop is in written time
        length = notes.choice([0.25, 0.5, 0.5, 1.0])
        for pitch in (*(48 + notes.choice(scale, 2, replace=False)), 60 + notes.choice(scale)):
            strike(audio, at / tempo, length / tempo, pitch + transpose, partials)
        at += length
    audio = audio[: int(seconds * RATE)]
    audio += 1e-4 * sound.standard_normal(len(audio))
    return (0.5 * audio / np.abs(audio).max()).astype(np.float32)


def strike(audio, at: float, length: float, pitch: int, partials) -> None:
    """Add one note in place."""
    start = int(at * RATE)
    n = min(int((length + 0.3) * RATE), len(audio) - start)
    if n <= 0:
        return
    t = np.arange(n) / RATE
    envelope = np.exp(-2.0 * t) * np.minimum(1.0, t / 0.005)
    for k, strength in enumerate(partials, 1):
        frequency = 440.0 * 2 ** ((pitch - 69) / 12) * k
        audio[start : start + n] += strength * envelope * np.sin(2 * np.pi * frequency * t)
