"""Musical time at any instant, estimated from beats that come one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class BeatLine:
    """A straight line through the beats heard so far: beat = position at an instant.

    Each beat moves the line by an alpha-beta filter (Benedict and Bordner 1962: beta = alpha^2 /
    (2 - alpha)), which smooths the jitter of single beats and ends with no phase error on a steady
    tempo, whatever the resolution of the tempo that the tracker says. A tempo that differs by more
    than `TEMPO_JUMP`, or a phase that is off by more than `PHASE_JUMP` of a beat, is taken over whole,
    but only if two beats in a row agree on it: one stray beat moves nothing.

    Times are ns of one clock, any; positions are beats since the first one.

    Attributes
    ----------
    anchor_ns : time at which `beat` falls.
    beat : number of the beat at the anchor; whole.
    period_ns : one beat; 0 until the tempo is known.
    jumps : how often the line was taken over whole (0 after the first lock).
    """

    ALPHA = 0.35
    BETA = ALPHA**2 / (2 - ALPHA)
    TEMPO_JUMP = 0.025
    PHASE_JUMP = 0.2
    #: Beats may be 0.2 to 3 s apart (300 to 20 BPM); what is said beyond is ignored.
    SHORTEST_NS = 60e9 / 300
    LONGEST_NS = 60e9 / 20

    anchor_ns: float = 0.0
    beat: int = 0
    period_ns: float = 0.0
    jumps: int = 0
    _last_ns: float = -math.inf
    _odd_ns: float = -math.inf
    _odd_period: float = 0.0

    @property
    def locked(self) -> bool:
        """Whether there is a tempo."""
        return self.period_ns > 0

    def position(self, at_ns: float) -> float:
        """Beats at an instant."""
        return self.beat + (at_ns - self.anchor_ns) / self.period_ns

    def time_of(self, position: float) -> float:
        """The instant in ns of a position in beats."""
        return self.anchor_ns + (position - self.beat) * self.period_ns

    def observe(self, at_ns: float, bpm: float = 0.0, placed: bool = False) -> None:
        """A beat falls at `at_ns`; `bpm` is the tempo that the tracker believes in, 0 if it says none.

        `placed`: a hand has put it there, so it is taken over whole at once.
        """
        told = 60e9 / bpm if bpm > 0 else at_ns - self._last_ns
        last, self._last_ns = self._last_ns, at_ns
        if not self.SHORTEST_NS <= told <= self.LONGEST_NS:
            return
        if not self.locked:
            self.anchor_ns, self.period_ns = at_ns, told
            return
        if placed:
            self._jump(at_ns, told)
            return
        steps = round((at_ns - self.anchor_ns) / self.period_ns)
        error = at_ns - self.anchor_ns - steps * self.period_ns
        off_tempo = bpm > 0 and abs(told / self.period_ns - 1) > self.TEMPO_JUMP
        off_phase = abs(error) > self.PHASE_JUMP * self.period_ns
        if off_tempo or off_phase:
            if self._confirms(at_ns, last, told):
                self._jump(at_ns, told)
            else:
                self._odd_ns, self._odd_period = at_ns, told
            return
        if steps < 1:
            return
        self.beat += steps
        self.anchor_ns += steps * self.period_ns + self.ALPHA * error
        self.period_ns += self.BETA * error / steps

    def _confirms(self, at_ns: float, last: float, told: float) -> bool:
        """Whether this odd beat and the one before tell the same."""
        if last != self._odd_ns or last == -math.inf:
            return False
        beats = (at_ns - last) / told
        return abs(told / self._odd_period - 1) < self.TEMPO_JUMP and 0.8 < beats < 1.2

    def _jump(self, at_ns: float, period_ns: float) -> None:
        self.beat = round(self.position(at_ns))
        self.anchor_ns, self.period_ns = at_ns, period_ns
        self.jumps += 1
        self._odd_ns = -math.inf
