"""From a pitch track to notes: where one begins, and that it is another pitch or was struck again."""

from __future__ import annotations

from dataclasses import dataclass

LEAST = 0.11  # seconds between two strokes of one pitch, at least


@dataclass
class Note:
    """A note that sounds: its beginning in frames, and where its pitch lies (MIDI, fractions)."""

    begin: int
    pitch: float
    end: int = -1


class Segmenter:
    """Cuts a track of pitch, voicing and level into notes, frame by frame.

    A new note is a pitch more than `LEAP` away from the note that sounds, or after silence, that stays within
    `STEADY` for `hold` frames. It began where the pitch left the last note, or where it came out of silence,
    or at the foot of the attack before that. The note that sounds is struck again where the level has risen
    by `strike` dB after it had fallen by as much, and the pitch stays.
    """

    LEAP, STEADY = 0.6, 0.45  # semitones
    FOLLOW = 0.1  # how fast a note's pitch follows the track
    LET_GO = 8  # frames without a pitch that end a note
    FORGET = 0.1  # dB a frame by which the loudest of a note is forgotten
    UNSURE, RISE = 3, 4  # frames before a pitch stands that may be its own: without a pitch, of its attack
    STEEP = 1.0  # dB a frame by which an attack rises

    def __init__(self, hold: int, strike: float, frame_rate: float) -> None:
        self.hold, self.strike = hold, strike
        self._past = max(3, round(0.05 * frame_rate))
        self._least = round(LEAST * frame_rate)
        self.reset()

    def reset(self) -> None:
        """Silence."""
        self.note: Note | None = None
        self._left = self._silent = self._count = self._frame = self._due = 0
        self._foot = -1  # where a note that may have been struck again began
        self._sum, self._peak = 0.0, -200.0
        self._levels = [0.0] * self._past  # of the last frames, a ring

    def step(self, pitch: float, voicing: float, level: float) -> Note | None:
        """One frame; a note that has just been found, else None. `self.note` is None when it ended."""
        frame, self._frame = self._frame, self._frame + 1
        dip = min(self._levels)
        foot = frame - 1 - (frame - 1 - self._levels.index(dip)) % self._past
        self._levels[frame % self._past] = level
        if voicing < 0.5:
            return self._no_pitch(frame)
        self._silent = 0
        note = self.note
        if note is not None and abs(pitch - note.pitch) < self.LEAP:
            note.pitch += self.FOLLOW * (pitch - note.pitch)
            self._count, self._left = 0, -1
            fallen = self._peak - dip
            self._peak = max(level, self._peak - self.FORGET)
            if min(level - dip, fallen) > self.strike and frame - note.begin > self._least and self._foot < 0:
                self._foot, self._due = foot + 1, frame + self.hold
            if self._foot < 0 or frame < self._due:
                return None
            self._levels = [level] * self._past
            return self._begun(self._foot, note.pitch)
        self._foot = -1  # the level rose because another pitch began
        if self._left < 0:
            self._left = frame
        if self._count and abs(pitch - self._sum / self._count) < self.STEADY:
            self._sum, self._count = self._sum + pitch, self._count + 1
        else:
            self._sum, self._count = pitch, 1
        if self._count < self.hold:
            return None
        start = frame - self.hold + 1
        return self._begun(self._foot_of(max(self._left, start - self.UNSURE), start - self.RISE), pitch)

    def _no_pitch(self, frame: int) -> None:
        self._count = 0
        self._silent += 1
        if self.note is None:
            self._left = -1
        elif self._left < 0:
            self._left = frame
        if self._silent >= self.LET_GO:
            self.note = None

    def _foot_of(self, begin: int, earliest: int) -> int:
        """The frame at which the attack that leads to `begin` starts to rise, not before `earliest`."""
        while begin > earliest:
            if self._levels[begin % self._past] - self._levels[(begin - 1) % self._past] < self.STEEP:
                break
            begin -= 1
        return begin

    def _begun(self, begin: int, pitch: float) -> Note:
        self._count, self._left, self._foot, self._peak = 0, -1, -1, -200.0
        self.note = Note(begin, pitch)
        return self.note
