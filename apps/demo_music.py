"""A short piece of the project's own: drums, bass and chords, synthesised from nothing, the same every time.

Sixteen bars of four: chords and sticks, the band at 112 BPM, a break without drums, then the band again,
faster, at 126 BPM. The true beat times come with it, so that the demo and the tests can say how well they
were heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]

#: (bars, tempo in BPM, what plays)
SECTIONS = (
    (2, 112.0, "chords sticks"),
    (6, 112.0, "chords bass drums"),
    (2, 112.0, "chords bass"),
    (6, 126.0, "chords bass drums"),
)
#: Root and chord of every bar, as MIDI notes: A minor 9, F major 9, C major 9, G 6.
CHORDS = (
    (33, (57, 60, 64, 71)),
    (29, (57, 60, 64, 67)),
    (36, (55, 59, 62, 64)),
    (31, (55, 59, 62, 64)),
)


@dataclass(frozen=True)
class Piece:
    """Music and its truth.

    Parameters
    ----------
    samples : float32, shape (samples,), peak 0.8.
    beats : seconds of every beat.
    downbeats : seconds of every first beat of a bar.
    """

    rate: int
    samples: npt.NDArray[np.float32]
    beats: npt.NDArray[np.float64]
    downbeats: npt.NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """Length of the piece."""
        return len(self.samples) / self.rate


def compose(rate: int = 44100) -> Piece:
    """The piece at `rate` Hz."""
    band = _Band(rate)
    beats: list[float] = []
    now, bar = 0.25, 0
    for bars, tempo, parts in SECTIONS:
        beat = 60.0 / tempo
        for _ in range(bars):
            band.play_bar(now, beat, bar, parts.split())
            beats += [now + k * beat for k in range(4)]
            now += 4 * beat
            bar += 1
    beats.append(now)
    band.hit(now, band.kick, 0.9)
    for note in CHORDS[0][1]:
        band.hit(now, band.tone(note, 2.5, decay=1.0), 0.11)
    music = band.mix[: round((now + 2.5) * rate)]
    times = np.array(beats)
    return Piece(rate, (0.8 * music / np.abs(music).max()).astype(np.float32), times, times[::4])


class _Band:
    """Plays notes into a mix. Times in seconds."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.mix = np.zeros(60 * rate)
        self.noise = np.random.default_rng(12)
        self.kick, self.snare, self.hat = self._kick(), self._snare(), self._hat()
        self.stick = self._stick()

    def play_bar(self, start: float, beat: float, bar: int, parts: list[str]) -> None:
        """One bar of four beats of `beat` seconds each."""
        root, chord = CHORDS[bar % len(CHORDS)]
        if "chords" in parts:
            for eighth, length in ((0, 3), (3, 3), (6, 2)):  # the tresillo: accents off the beat
                for note in chord:
                    self.hit(start + eighth * beat / 2, self.tone(note, length * beat / 2, decay=2.5), 0.10)
        if "bass" in parts:
            for eighth, octave in ((0, 0), (3, 0), (4, 12), (7, 0)):
                note = root + octave
                self.hit(start + eighth * beat / 2, self.tone(note, beat / 2, decay=3.0, bright=6), 0.28)
        if "sticks" in parts:
            for at in range(4):
                self.hit(start + at * beat, self.stick, 0.35)
        if "drums" in parts:
            for at in (0.0, 1.5, 2.0) if bar % 2 else (0.0, 2.0, 2.75):
                self.hit(start + at * beat, self.kick, 0.85)
            for at in (1.0, 3.0):
                self.hit(start + at * beat, self.snare, 0.5)
            for eighth in range(8):
                self.hit(start + eighth * beat / 2, self.hat, 0.10 if eighth % 2 else 0.16)

    def hit(self, start: float, sound: Samples, gain: float) -> None:
        """Add `sound` to the mix from `start` on."""
        first = round(start * self.rate)
        self.mix[first : first + len(sound)] += gain * sound

    def tone(self, note: int, seconds: float, decay: float, bright: int = 4) -> Samples:
        """A plucked tone: `bright` harmonics, the high ones die first; `decay` in 1/s."""
        t = np.arange(round(seconds * self.rate)) / self.rate
        frequency = 440.0 * 2 ** ((note - 69) / 12)
        sound = np.zeros(len(t))
        for harmonic in range(1, bright + 1):
            sound += np.sin(2 * np.pi * frequency * harmonic * t) * np.exp(-decay * harmonic * t) / harmonic
        return sound * self._edges(t, seconds)

    def _edges(self, t: Samples, seconds: float) -> Samples:
        """4 ms up, 20 ms down, so that nothing clicks."""
        return np.minimum(1.0, t / 0.004) * np.minimum(1.0, (seconds - t) / 0.020)

    def _kick(self) -> Samples:
        t = np.arange(round(0.3 * self.rate)) / self.rate
        sweep = 48 * t + 6.0 * (1 - np.exp(-t * 28))  # phase in cycles: from 216 Hz down to 48 Hz
        return np.sin(2 * np.pi * sweep) * np.exp(-t * 14)

    def _snare(self) -> Samples:
        t = np.arange(round(0.2 * self.rate)) / self.rate
        noise = self.noise.standard_normal(len(t)) * np.exp(-t * 24)
        return 0.6 * noise + 0.6 * np.sin(2 * np.pi * 185 * t) * np.exp(-t * 30)

    def _hat(self) -> Samples:
        t = np.arange(round(0.06 * self.rate)) / self.rate
        noise = np.diff(np.diff(self.noise.standard_normal(len(t) + 2)))  # the top of the spectrum only
        return 0.4 * noise * np.exp(-t * 70)

    def _stick(self) -> Samples:
        t = np.arange(round(0.05 * self.rate)) / self.rate
        return (np.sin(2 * np.pi * 2400 * t) + 0.5 * np.sin(2 * np.pi * 3700 * t)) * np.exp(-t * 110)
