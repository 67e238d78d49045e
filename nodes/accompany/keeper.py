"""The accompanist's sense of time: a clock of its own that is drawn to the soloist's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DRAW = 0.15  # s in which a difference is made up
TEMPO = 0.4  # s over which the soloist's tempo is judged
JUMP = 1.0  # s of the score: a greater difference is a jump, not a tempo
SLOWEST, FASTEST = 0.25, 4.0  # of the notated tempo
PATIENCE = 3.0  # s for which it goes on alone while the soloist is lost
REST = 0.6  # s: a shorter silence of the solo part is articulation
EARLY = 0.25  # s before the end of a rest from which the soloist is listened to again


class Keeper:
    """Where the accompaniment is, in seconds of the score.

    The soloist's tempo is a running mean of how the reported position moves; the clock runs at that tempo
    plus the distance to the soloist over DRAW (first-order phase correction, as in Large and Jones 1999;
    Raphael 2010 draws the same line). Through a rest of the solo part it keeps its tempo, and waits at
    the end of it for the entry.

    Parameters
    ----------
    onset, end : of the solo part's notes, seconds of the score.

    Attributes
    ----------
    place : seconds of the score; None before the soloist began. speed : of those, a second.
    jumped : whether the last step was a jump.
    """

    def __init__(self, onset: Floats, end: Floats) -> None:
        self._rests = rests(onset, end)
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self.place: float | None = None
        self.speed = 1.0
        self.jumped = False
        self._tempo = 1.0
        self._heard = 0.0
        self._alone = 0.0

    def step(self, seconds: float, heard: float, state: str) -> None:
        """The follower has spoken again, `seconds` after the last time: the soloist is at `heard`."""
        self.jumped = False
        if state == "waiting":
            return
        if self.place is None:
            self.place = self._heard = heard
            return
        moved = heard - self._heard
        self._heard = heard
        here = self.place + self.speed * seconds
        rest = self._rest(self.place)
        if rest is not None and heard < rest - EARLY:
            self.place = min(here, rest)
            self.speed = self._tempo if here < rest else 0.0
            return
        if state == "lost":
            self._alone += seconds
            self.speed = self._tempo if self._alone < PATIENCE else 0.0
            self.place = here
            return
        self._alone = 0.0
        if state == "finished":
            self.place, self.speed = here, self._tempo
            return
        if abs(moved) < JUMP and seconds > 0.0:
            share = min(1.0, seconds / TEMPO)
            tempo = self._tempo + (moved / seconds - self._tempo) * share
            self._tempo = min(FASTEST, max(SLOWEST, tempo))
        away = heard - here
        if abs(away) > JUMP:
            self.place, self.speed, self.jumped = heard, self._tempo, True
            return
        self.place = here
        self.speed = min(2.5 * self._tempo, max(0.0, self._tempo + away / DRAW))

    def _rest(self, place: float) -> float | None:
        """End of the solo part's rest around `place`, its end included; None where it plays."""
        row = int(np.searchsorted(self._rests[:, 0], place, "right")) - 1
        if row < 0 or place > self._rests[row, 1]:
            return None
        return float(self._rests[row, 1])


def rests(onset: Floats, end: Floats) -> Floats:
    """(n, 2) start and end of the silences in notes sorted by onset, those longer than REST."""
    until = np.maximum.accumulate(end)[:-1]
    after = onset[1:]
    silent = after - until > REST
    return np.stack([until[silent], after[silent]], axis=1)
