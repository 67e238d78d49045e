"""From a pitch track to notes: where one begins, and that it is another pitch or was struck again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Note:
    """A note that sounds: its beginning in frames, and where its pitch lies (MIDI, fractions)."""

    begin: int
    pitch: float
    end: int = -1


class Segmenter:
    """Cuts a track of pitch, voicing and level into notes, frame by frame.

    A new note is a pitch more than `LEAP` away from the note that sounds, or after silence, that stays within
    `STEADY` for `hold` frames; its beginning is the first of these. The note that sounds is struck again
    where the level has risen by `strike` dB from a dip.
    """

    LEAP, STEADY = 0.6, 0.45  # semitones
    FOLLOW = 0.1  # how fast a note's pitch follows the track
    LET_GO = 4  # frames without a pitch that end a note

    def __init__(self, hold: int, strike: float, frame_rate: float) -> None:
        self.hold, self.strike = hold, strike
        self._rise = max(2, round(0.05 * frame_rate))
        self._least = round(0.07 * frame_rate)
        self.reset()

    def reset(self) -> None:
        """Silence."""
        self.note: Note | None = None
        self._begin, self._sum, self._count = 0, 0.0, 0
        self._silent = 0
        self._levels = [0.0] * self._rise
        self._frame = 0

    def step(self, pitch: float, voicing: float, level: float) -> Note | None:
        """One frame; a note that has just been found, else None. `self.note` is None when it ended."""
        frame, self._frame = self._frame, self._frame + 1
        dip = min(self._levels)
        at = self._levels.index(dip)
        self._levels[frame % self._rise] = level
        if voicing < 0.5:
            self._count = 0
            self._silent += 1
            if self._silent >= self.LET_GO:
                self.note = None
            return None
        self._silent = 0
        note = self.note
        if note is not None and abs(pitch - note.pitch) < self.LEAP:
            note.pitch += self.FOLLOW * (pitch - note.pitch)
            self._count = 0
            if level - dip > self.strike and frame - note.begin > self._least:
                age = (frame - 1 - at) % self._rise + 1
                self._levels = [level] * self._rise
                return self._begun(frame - age + 1, note.pitch)
            return None
        if self._count and abs(pitch - self._sum / self._count) < self.STEADY:
            self._sum, self._count = self._sum + pitch, self._count + 1
        else:
            self._begin, self._sum, self._count = frame, pitch, 1
        if self._count < self.hold:
            return None
        self._count, mean = 0, self._sum / self._count
        return self._begun(self._begin, mean)

    def _begun(self, begin: int, pitch: float) -> Note:
        self.note = Note(begin, pitch)
        return self.note
