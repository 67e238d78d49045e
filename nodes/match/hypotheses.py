"""From evidence to a statement: which document, where in it, how fast, in which key, or "unknown"."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

#: Odds of a hypothesis from the scan: log odds = SLOPE * (score - PER_PLACE * log(places)) + OFFSET.
SCAN_SLOPE, SCAN_PER_PLACE, SCAN_OFFSET = 0.25, 2.0, -2.0
#: The same for votes of the landmark lane.
VOTE_SLOPE, VOTE_PER_PLACE, VOTE_OFFSET = 0.4, 0.6, -4.0

#: A match is said from this confidence on, and kept down to the lower one.
ENTER, LEAVE = 0.95, 0.5
#: Seconds for which a match below LEAVE is kept, a better one must stay better, and silence is lived through.
PATIENCE, INSIST, PAUSE = 2.0, 0.8, 4.0
#: A position further than this from where it should be is a jump, in seconds.
NEAR = 1.5


@dataclass(frozen=True)
class Hypothesis:
    """What may be playing.

    Parameters
    ----------
    document : number of the document.
    position : seconds into it at `time`.
    tempo : seconds of the document that pass in a second of music.
    transposition : semitones by which the music lies above the document.
    confidence : probability, 0 to 1.
    lane : "scan" or "landmarks".
    time : seconds of the stream for which the position holds.
    """

    document: int
    position: float
    tempo: float
    transposition: int
    confidence: float
    lane: str
    time: float

    def at(self, time: float) -> Hypothesis:
        """The same, moved on to another moment of the stream."""
        return replace(self, position=self.position + (time - self.time) * self.tempo, time=time)

    def agrees(self, other: Hypothesis) -> bool:
        """Whether both say the same place of the same document, in the same key."""
        return (
            self.document == other.document
            and self.transposition == other.transposition
            and abs(self.at(other.time).position - other.position) <= NEAR
        )


def scan_confidence(score: float, places: int) -> float:
    """Probability that the best of so many places (frames x keys x tempi) is right."""
    return _logistic(SCAN_SLOPE * (score - SCAN_PER_PLACE * math.log(max(places, 2))) + SCAN_OFFSET)


def vote_confidence(votes: float, places: int) -> float:
    """Probability that the alignment with most votes of so many places (frames x variants) is right."""
    return _logistic(VOTE_SLOPE * (votes - VOTE_PER_PLACE * math.log(max(places, 2))) + VOTE_OFFSET)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(x, -40.0), 40.0)))


@dataclass(frozen=True)
class Statement:
    """One thing to say: kind "candidate", "match", "position", "jump", "lost" or "unknown"."""

    kind: str
    hypothesis: Hypothesis | None = None


class Judge:
    """Holds on to one hypothesis until another is clearly better or nothing is left of it.

    match_every : seconds from one "match" or "unknown" to the next.
    """

    def __init__(self, match_every: float = 0.4) -> None:
        self._every = match_every
        self.reset()

    def reset(self) -> None:
        """Nothing is known."""
        self.held: Hypothesis | None = None
        self._rival: Hypothesis | None = None
        self._rival_since = 0.0
        self._weak_since: float | None = None
        self._silent_since: float | None = None
        self._said = -math.inf
        self._named = -1
        self._track: deque[tuple[float, float]] = deque()

    def update(
        self, time: float, best: Hypothesis | None, held: Hypothesis | None, *, silent: bool
    ) -> list[Statement]:
        """Take what the lanes say at stream second `time`.

        best : the most probable hypothesis of all.
        held : what the lanes now say about the one that is held, near where it should be (None: nothing).
        silent : nothing sounds: the evidence stands still, and so does the position.
        """
        says: list[Statement] = []
        if silent:
            self._pause(time, says)
        else:
            self._silent_since = None
            if self.held is None:
                self._seek(best, says)
            else:
                self._keep(time, best, held, says)
        self._repeat(time, says)
        return says

    def _seek(self, best: Hypothesis | None, says: list[Statement]) -> None:
        if best is None:
            return
        if best.confidence >= ENTER:
            self._hold(best)
            says.append(Statement("match", best))
            self._said = best.time
        elif best.confidence >= LEAVE and best.document != self._named:
            self._named = best.document
            says.append(Statement("candidate", best))

    def _keep(
        self, time: float, best: Hypothesis | None, held: Hypothesis | None, says: list[Statement]
    ) -> None:
        assert self.held is not None
        expected = self.held.at(time)
        confidence = held.confidence if held is not None else 0.0
        if (
            best is not None
            and not best.agrees(expected)
            and best.confidence >= max(ENTER, confidence + 0.02)
        ):
            if self._rival is None or not best.agrees(self._rival.at(best.time)):
                self._rival_since = time
            self._rival = best
            if time - self._rival_since >= INSIST:
                same = best.document == self.held.document
                says.append(Statement("jump" if same else "lost", best if same else self.held))
                says.append(Statement("match", best))
                self._hold(best)
                self._said = time
                return
        else:
            self._rival = None
        if held is not None and held.confidence >= LEAVE:
            self._weak_since = None
            self._follow(time, held)
        else:
            self._weak_since = time if self._weak_since is None else self._weak_since
            self.held = replace(expected, confidence=confidence)
            if time - self._weak_since >= PATIENCE:
                self._lose(says)
                return
        says.append(Statement("position", self.held))

    def _follow(self, time: float, held: Hypothesis) -> None:
        """Move on with what was heard: position filtered, tempo from the last seconds of it."""
        assert self.held is not None
        self._track.append((held.time, held.position))
        while self._track[0][0] < held.time - 6.0:
            self._track.popleft()
        expected = self.held.at(held.time).position
        tempo = self._tempo(held.tempo)
        position = expected + 0.5 * (held.position - expected)
        self.held = replace(held, position=position, tempo=tempo).at(time)

    def _tempo(self, otherwise: float) -> float:
        """Slope of the track by least squares, once it is two seconds long."""
        track = self._track
        span = track[-1][0] - track[0][0]
        if span < 2.0:
            return otherwise
        n = len(track)
        mean_t = sum(t for t, _ in track) / n
        mean_p = sum(p for _, p in track) / n
        above = sum((t - mean_t) * (p - mean_p) for t, p in track)
        below = sum((t - mean_t) ** 2 for t, _ in track)
        return min(max(above / below, 0.5 * otherwise), 2.0 * otherwise)

    def _pause(self, time: float, says: list[Statement]) -> None:
        self._silent_since = time if self._silent_since is None else self._silent_since
        if self.held is None:
            return
        self.held = replace(self.held, time=time)  # the position stands still
        self._track.clear()
        if time - self._silent_since >= PAUSE:
            self._lose(says)

    def _hold(self, hypothesis: Hypothesis) -> None:
        self.held = hypothesis
        self._rival = None
        self._weak_since = None
        self._named = hypothesis.document
        self._track.clear()

    def _lose(self, says: list[Statement]) -> None:
        says.append(Statement("lost", self.held))
        self.held = None
        self._rival = None
        self._weak_since = None
        self._named = -1
        self._said = -math.inf

    def _repeat(self, time: float, says: list[Statement]) -> None:
        if time - self._said < self._every - 1e-6:
            return
        self._said = time
        if self.held is not None:
            says.append(Statement("match", self.held))
        else:
            says.append(Statement("unknown"))
