"""What a composed song is: players, notes on a beat grid, and the map from beats to seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Note:
    """One note. `beat` and `length` in beats, `pitch` MIDI, `velocity` 1..127."""

    beat: float
    length: float
    pitch: int
    velocity: int


@dataclass(eq=False)
class Player:
    """One instrument: a stem name, a General MIDI program and its notes."""

    stem: str
    program: int
    notes: list[Note] = field(default_factory=list)
    push: float = 0.0  # seconds, positive is late (laid back)
    jitter: float = 0.006  # seconds, standard deviation of the timing of one onset
    drums: bool = False

    def play(self, beat: float, pitch: float, velocity: float, length: float = 0.25) -> None:
        self.notes.append(Note(float(beat), float(length), int(pitch), int(np.clip(velocity, 8, 127))))


@dataclass
class TempoMap:
    """Seconds per beat for every beat, linear inside a beat; beat 0 falls at `start` seconds."""

    periods: np.ndarray
    start: float = 0.0

    def __post_init__(self) -> None:
        self.onsets = self.start + np.concatenate([[0.0], np.cumsum(self.periods)])

    def seconds(self, beat: float) -> float:
        return (
            float(np.interp(beat, np.arange(len(self.onsets)), self.onsets))
            if beat >= 0
            else float(self.start + beat * self.periods[0])
        )


@dataclass
class Song:
    """A composed song: players and the truth about its beats.

    `meter` is beats per bar, `division` how a beat is split (2 straight, 3 ternary).
    """

    style: str
    seed: int
    meter: int
    division: int
    tempo: TempoMap
    beats: int  # how many beats are played, counted from beat 0, which is a downbeat
    players: list[Player]
    swing: float = 0.5  # where the second half of a beat falls, 0.5 straight .. 0.67 shuffle
    pickup: int = 0  # beats played before beat 0

    def beat_times(self) -> np.ndarray:
        """Rows of (seconds, position in the bar from 1), pick-up beats included."""
        rows = [(self.tempo.seconds(b), b % self.meter + 1) for b in range(-self.pickup, self.beats)]
        return np.array([row for row in rows if row[0] >= 0.0])

    def swung(self, beat: float) -> float:
        """The beat position where a straight position is played under this song's swing."""
        whole = np.floor(beat)
        part = beat - whole
        if self.swing == 0.5:
            return beat
        bent = part * 2 * self.swing if part < 0.5 else self.swing + (part - 0.5) * 2 * (1 - self.swing)
        return float(whole + bent)

    def timed_notes(self, player: Player) -> list[tuple[float, float, int, int]]:
        """(onset seconds, length seconds, pitch, velocity), humanised, in time order; always the same."""
        rng = np.random.default_rng([self.seed, self.players.index(player)])
        drift = 0.0
        notes = []
        for note in sorted(player.notes, key=lambda n: n.beat):
            drift = 0.9 * drift + 0.1 * rng.normal(0, 2.0 * player.jitter)
            onset = (
                self.tempo.seconds(self.swung(note.beat)) + player.push + drift + rng.normal(0, player.jitter)
            )
            end = self.tempo.seconds(self.swung(note.beat + note.length))
            notes.append((max(0.0, onset), max(0.04, end - onset), note.pitch, note.velocity))
        return sorted(notes)
