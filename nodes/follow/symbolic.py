"""Follows a performer by the notes of a keyboard (MIDI) instead of sound: exact, and at once."""

from __future__ import annotations

import numpy as np

from engine.errors import FollowspotError
from nodes.follow.score import Score
from nodes.follow.symbolic_kernels import AGE, BEGUN, PERIOD, SCORE, WORST, play

TOGETHER = 0.012  # s of the score: notes closer than this are one chord
MATCHED_NOTES = 12.0  # memory of the share of notes that were expected
LOST, FOUND = 0.45, 0.6
AT_REST = 2.0  # s without a note after the last chord until the piece is over
BEFORE = 1e-3  # s of the score in front of a chord that has not been played


class SymbolicTracker:
    """`note` as notes come in, `advance` in between; then read `position`, `tempo`, `confidence`, `state`.

    The position runs on at the performer's tempo and waits in front of the next chord until that is played.

    Parameters
    ----------
    score : at least one note.
    """

    def __init__(self, score: Score) -> None:
        if len(score.onset) == 0:
            raise FollowspotError("the score holds no notes; give another file")
        edges = np.concatenate([[True], np.diff(score.onset) > TOGETHER])
        self.onset = score.onset[edges]
        self._first = np.append(np.flatnonzero(edges), len(score.onset))
        self._pitches = score.pitch
        count = len(self.onset)
        self._cells, self._new = np.zeros((4, count)), np.zeros((4, count))
        self._played, self._new_played = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.reset()

    def reset(self) -> None:
        """Nothing played yet."""
        self._cells[SCORE] = np.maximum(-6.0 - 2.0 * np.arange(len(self.onset)), WORST)
        self._cells[SCORE, 0] = 0.0
        self._cells[BEGUN] = 0.0
        self._cells[PERIOD] = 1.0
        self._cells[AGE] = 0.0
        self._played[:] = 0
        self.state = "waiting"
        self.position = float(self.onset[0])
        self.tempo = 0.0
        self.confidence = 0.0
        self.jumps = 0
        self._best = 0
        self._matched = 1.0
        self._last = 0.0

    def note(self, time: float, pitch: int) -> None:
        """A key goes down at `time` seconds."""
        if self.state == "waiting":
            self._cells[BEGUN] = time
            self.state = "tracking"
        before = self._best
        self._best, expected = play(
            self._cells, self._new, self._played, self._new_played,
            self.onset, self._first, self._pitches, time, pitch,
        )  # fmt: skip
        self.jumps += not -1 <= self._best - before <= 6
        self._matched += (expected - self._matched) / MATCHED_NOTES
        self._last = time
        if self._matched < LOST:
            self.state = "lost"
        elif self.state == "finished" or self._matched > FOUND:
            self.state = "tracking"
        self.advance(time)

    def advance(self, time: float) -> None:
        """Where the performer is at `time` seconds, no note having come since the last."""
        if self.state == "waiting":
            return
        best, cells = self._best, self._cells
        period = float(cells[PERIOD, best])
        position = float(self.onset[best]) + (time - float(cells[BEGUN, best])) / period
        if best + 1 < len(self.onset):
            position = min(position, float(self.onset[best + 1]) - BEFORE)
        elif time - self._last > AT_REST:
            self.state = "finished"
        self.position = max(position, float(self.onset[best]))
        self.tempo = 1.0 / period
        self.confidence = float(np.clip(self._matched, 0.0, 1.0))
