"""From evidence to a statement: which document, where in it, how fast, in which key, or "unknown"."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

#: Log odds that the best of the scan is right: SLOPE * (its lead over the rival in evidence - EVEN). The best
#: of many wrong places exceeds that of others by an exponential law, however many and long they are (Karlin
#: and Altschul 1990), so the lead is taken as it is. Fitted on the even pieces of (n)ASAP: whole performances
#: with their piece taken out of the library against 15 s with it in.
SCAN_SLOPE, SCAN_EVEN = 0.63, 5.8
#: With the second witness (see `witness`): log odds SCAN_SLOPE * (lead - SECONDED_EVEN) + ALIKE_SLOPE * share
#: heard * (likeness - ALIKE_EVEN). Neither is believed without the other: a lead counts up to LEAD_MOST and
#: likeness up to ALIKE_MOST, so what is not alike is never sure, nor what has no lead. Chosen on the same
#: pieces, by other instruments and at other speeds as well: no alarm in eight hours of strangers.
SECONDED_EVEN, LEAD_MOST = 6.0, 13.0
ALIKE_SLOPE, ALIKE_EVEN, ALIKE_MOST = 70.0, 0.80, 3.0
#: The same for votes of the landmark lane. So many votes are proof even beside an equal (a loop, a copy).
VOTE_SLOPE, VOTE_EVEN, VOTE_LEAST, VOTE_STRANGER, VOTE_STEP = 1.2, 7.9, 4.0, 60.0, 15.0

#: A match is said from this confidence on, and kept down to the lower one.
ENTER, LEAVE = 0.95, 0.5
#: Seconds for which a match must be sure before it is said.
AGREE = 0.35
#: Evidence of the last seconds at the held place that keeps it.
STILL = 2.0
#: By how much the evidence for another place must be higher.
BETTER = 1.15
#: Seconds for which a match below LEAVE is kept, a better one must stay better, and silence is lived through.
PATIENCE, INSIST, PAUSE = 2.0, 0.4, 4.0
#: A position further than this from where it should be is another, in seconds; and one of the best path that
#: is further than this is a jump.
NEAR, JUMPED = 1.5, 2.5


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
    score : evidence of the scan, or votes.
    lane : "scan" or "landmarks".
    time : seconds of the stream for which the position holds.
    """

    document: int
    position: float
    tempo: float
    transposition: int
    confidence: float
    score: float
    lane: str
    time: float

    def at(self, time: float) -> Hypothesis:
        """The same, moved on to another moment of the stream."""
        return replace(self, position=self.position + (time - self.time) * self.tempo, time=time)

    def beats(self, other: Hypothesis) -> bool:
        """Whether this is more than `other`, which says something else: votes weigh more."""
        if self.lane == other.lane:
            return self.score > BETTER * other.score
        return self.lane == "landmarks" or other.confidence < LEAVE

    def agrees(self, other: Hypothesis) -> bool:
        """Whether both say the same place of the same document, in the same key."""
        return (
            self.document == other.document
            and self.transposition == other.transposition
            and abs(self.at(other.time).position - other.position) <= NEAR
        )


def scan_confidence(score: float, rival: float, odds: float = 0.0) -> float:
    """Probability that a place is right, from its evidence in the scan, its rival's, and prior log odds."""
    return _logistic(SCAN_SLOPE * (score - rival - SCAN_EVEN) + odds)


def seconded_confidence(
    score: float, rival: float, likeness: float, share: float, odds: float = 0.0
) -> float:
    """As `scan_confidence`, with what the second witness says.

    likeness : mean correlation of the music with the place, -1 to 1.
    share : of `witness.SPAN` that was compared, 0 to 1: what was not heard says nothing.
    """
    lead = min(score - rival, LEAD_MOST)
    alike = min(ALIKE_SLOPE * share * (likeness - ALIKE_EVEN), ALIKE_MOST)
    return _logistic(SCAN_SLOPE * (lead - SECONDED_EVEN) + alike + odds)


def vote_confidence(votes: float, rival: float, odds: float = 0.0) -> float:
    """Probability that an alignment is right, from its votes, those of its rival, and prior log odds."""
    lead = (votes - rival) / math.sqrt(max(rival, VOTE_LEAST))
    return _logistic(VOTE_SLOPE * (max(lead, (votes - VOTE_STRANGER) / VOTE_STEP) - VOTE_EVEN) + odds)


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
        self,
        time: float,
        best: Hypothesis | None,
        held: Hypothesis | None,
        elsewhere: Hypothesis | None = None,
        *,
        silent: bool,
    ) -> list[Statement]:
        """Take what the lanes say at stream second `time`.

        best : the most probable hypothesis of all.
        held : what the lanes now say about the one that is held, near where it should be (None: nothing).
        elsewhere : another place of the document that is held, where the best path has jumped to.
        silent : nothing sounds: the evidence stands still, and so does the position.
        """
        says: list[Statement] = []
        if silent:
            self._pause(time, says)
        else:
            self._silent_since = None
            if self.held is None:
                self._seek(time, best, says)
            else:
                self._keep(time, best, held, elsewhere, says)
        self._repeat(time, says)
        return says

    def _seek(self, time: float, best: Hypothesis | None, says: list[Statement]) -> None:
        if best is None or best.confidence < LEAVE:
            self._rival = None
        elif best.confidence < ENTER:
            self._rival = None
            if best.document != self._named:
                self._named = best.document
                says.append(Statement("candidate", best))
        elif self._insists(time, best, AGREE):
            self._hold(best)
            says.append(Statement("match", best))
            self._said = time

    def _insists(self, time: float, best: Hypothesis, seconds: float) -> bool:
        """Whether what is not held has been the best for so long."""
        if self._rival is None or not best.agrees(self._rival):
            self._rival_since = time
        self._rival = best
        return time - self._rival_since >= seconds - 1e-6

    def _keep(
        self,
        time: float,
        best: Hypothesis | None,
        held: Hypothesis | None,
        elsewhere: Hypothesis | None,
        says: list[Statement],
    ) -> None:
        assert self.held is not None
        expected = self.held.at(time)
        now = held if held is not None else replace(expected, confidence=0.0, score=0.0)
        if not self._displaces(best, now, expected):
            best = elsewhere
        if best is None:
            self._rival = None
        elif self._insists(time, best, INSIST):
            same = best.document == self.held.document
            says.append(Statement("jump" if same else "lost", best if same else self.held))
            says.append(Statement("match", best))
            self._hold(best)
            self._said = time
            return
        if held is not None and held.confidence >= LEAVE:
            self._weak_since = None
            self._follow(time, held)
        else:
            self._weak_since = time if self._weak_since is None else self._weak_since
            self.held = replace(expected, confidence=now.confidence)
            if time - self._weak_since >= PATIENCE:
                self._lose(says)
                return
        says.append(Statement("position", self.held))

    def _displaces(self, best: Hypothesis | None, now: Hypothesis, expected: Hypothesis) -> bool:
        """Whether the best of all lanes may take the place of what is held."""
        if best is None or best.confidence < ENTER or best.agrees(expected) or not best.beats(now):
            return False
        # Within a document the best path knows better: the scan still speaks for where a jump came from.
        return best.document != now.document or best.lane != "scan"

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
        self._rival = None
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
