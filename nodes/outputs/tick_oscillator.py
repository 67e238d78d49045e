"""The phase-locked oscillator behind MIDI clock, in virtual time: no port, no thread, no clock of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nodes.outputs.beat_line import BeatLine

#: MIDI clock ticks a beat, sixteenths a beat, ticks a sixteenth.
PPQN = 24
SIXTEENTHS = 4
TICKS_PER_SIXTEENTH = PPQN // SIXTEENTHS

Message = tuple[int, ...]
TICK: Message = (0xF8,)
START: Message = (0xFA,)
CONTINUE: Message = (0xFB,)
STOP: Message = (0xFC,)


def song_position(sixteenth: int) -> Message:
    """Song position pointer; it counts 16384 sixteenths and begins again."""
    sixteenth %= 1 << 14
    return 0xF2, sixteenth & 0x7F, sixteenth >> 7


@dataclass
class TickOscillator:
    """Sends 24 ticks a beat that follow a `BeatLine`, each a bounded step from the one before.

    The interval from one tick to the next makes up for `GAIN` of the distance to the line, held within
    `slew` of the nominal interval, which itself follows the tempo by at most `slew` a beat. So ticks
    never double and never run backwards, and the jitter of the beats is spread over many of them. If
    the line is further off than `RELOCK` of a beat, the transport stops, the song position of a
    sixteenth in the near future goes out, and Continue follows just before that sixteenth sounds.

    `advance(now)` returns the messages due and sets `wake_ns`. A tick that is sent late by more than
    `TOLERANCE_NS` (the thread was held up) moves those behind it, so that no burst follows.

    Parameters
    ----------
    slew : largest relative deviation from the nominal interval, 0 to 0.5.
    while_held : what happens between `hold` and the next beat: "run" goes on, "stop" stops the transport
        and ticks on, "freeze" sends nothing at all.

    Attributes
    ----------
    song : beats from the start of the line to beat 0 of the song.
    """

    GAIN = 0.08
    RELOCK = 0.25
    TOLERANCE_NS = 2e6
    #: A relock aims at the first sixteenth that is at least this far ahead: time for the receiver to locate.
    LOCATE_NS = 60e6
    IDLE_NS = 20e6

    slew: float = 0.1
    while_held: str = "run"
    line: BeatLine = field(default_factory=BeatLine)
    wake_ns: float = -math.inf
    playing: bool = False
    held: bool = False
    song: int = 0
    _started: bool = False
    _cue: int | None = None  # sixteenth of the line at which the transport goes on
    _tick: int = 0  # number of the next tick on the line
    _next_ns: float = math.inf
    _sent_ns: float = -math.inf
    _nominal_ns: float = 0.0
    _downbeat: int = 0  # a downbeat's number on the line
    _meter: int = 1  # 1: no bars are known
    _frozen: float | None = None  # position of the song when the transport was held

    def observe(self, at_ns: float, bpm: float = 0.0, place: int = 0, meter: int = 0) -> None:
        """A beat falls at `at_ns`, in the past or the future.

        `bpm` as told by the tracker, `place` in the bar from 1, `meter` beats in a bar; 0 where unknown.
        """
        self.line.observe(at_ns, bpm)
        self.held = False
        if place > 0 and meter > 0 and self.line.locked:
            self._downbeat, self._meter = round(self.line.position(at_ns)) - (place - 1), meter

    def hold(self) -> None:
        """The tracker hears nothing to follow."""
        self.held = True

    def advance(self, now_ns: float) -> list[Message]:
        """The messages due at `now_ns`; call again at `wake_ns` or before."""
        out: list[Message] = []
        if self.line.locked:
            if self.held and self.while_held != "run":
                self._suspend(out)
            elif not self.playing:
                self._prepare(now_ns, out)
            if now_ns >= self._next_ns:
                self._send_tick(now_ns, out)
        self.wake_ns = min(now_ns + self.IDLE_NS, self._next_ns, self._cue_ns())
        return out

    def finish(self) -> list[Message]:
        """The messages that leave the receiver at rest."""
        playing, self.playing = self.playing, False
        self._next_ns = math.inf
        return [STOP] if playing else []

    def _suspend(self, out: list[Message]) -> None:
        self._cue = None
        if self.playing:
            self._frozen = self._tick / PPQN - self.song
            self.playing = False
            if self.while_held == "stop":
                out.append(STOP)
        if self.while_held == "freeze":
            self._next_ns = math.inf

    def _prepare(self, now_ns: float, out: list[Message]) -> None:
        """Aim at a sixteenth ahead and go on when it comes."""
        if self._cue is None or self._cue_ns() < now_ns - self._lead_ns:
            self._aim(now_ns, out)
        if now_ns >= self._cue_ns() and self._cue is not None:
            out.append(CONTINUE if self._started else START)
            if not self._started:
                self.song = self._cue // SIXTEENTHS
            self._tick = self._cue * TICKS_PER_SIXTEENTH
            self._nominal_ns = self.line.period_ns / PPQN
            earliest = self._sent_ns + self._nominal_ns * (1 - self.slew)
            self._next_ns = max(now_ns, self.line.time_of(self._tick / PPQN), earliest)
            self._started = self.playing = True
            self._cue = self._frozen = None

    def _aim(self, now_ns: float, out: list[Message]) -> None:
        ahead = self.line.position(now_ns + self.LOCATE_NS)
        if not self._started:  # on a downbeat
            bars = math.ceil((ahead - self._downbeat) / self._meter)
            self._cue = (self._downbeat + bars * self._meter) * SIXTEENTHS
            return
        self._cue = math.ceil(ahead * SIXTEENTHS)
        if self._frozen is not None:  # the song goes on where it was held, at the same place in the beat
            self.song = math.floor(self._cue / SIXTEENTHS - self._frozen)
            if self.while_held == "freeze":
                out.append(STOP)
        # Bars of the song begin on downbeats; half a bar at most is skipped or played again for that.
        self.song += (self._downbeat - self.song + self._meter // 2) % self._meter - self._meter // 2
        if self.song > self._cue / SIXTEENTHS:
            self.song -= self._meter
        out.append(song_position(self._cue - self.song * SIXTEENTHS))

    @property
    def _lead_ns(self) -> float:
        """Start and Continue go out half a tick before the tick that they belong to."""
        return self.line.period_ns / PPQN / 2

    def _cue_ns(self) -> float:
        if self._cue is None:
            return math.inf
        return self.line.time_of(self._cue / SIXTEENTHS) - self._lead_ns

    def _send_tick(self, now_ns: float, out: list[Message]) -> None:
        shortest = self._nominal_ns * (1 - self.slew)
        if not self.playing and self._cue is not None and now_ns + shortest > self._cue_ns() + self._lead_ns:
            self._next_ns = math.inf  # the tick of the cue comes next
            return
        out.append(TICK)
        self._sent_ns = max(self._next_ns, now_ns - self.TOLERANCE_NS)
        self._tick += 1
        step = self.line.period_ns / PPQN - self._nominal_ns
        most = self._nominal_ns * self.slew / PPQN
        self._nominal_ns += min(most, max(-most, step))
        self._next_ns = self._sent_ns + self._nominal_ns
        lag = self.line.time_of(self._tick / PPQN) - self._next_ns
        most = self._nominal_ns * self.slew
        self._next_ns += min(most, max(-most, self.GAIN * lag))
        lag = self.line.position(self._next_ns) - self._tick / PPQN
        if abs(lag) > self.RELOCK and self.playing:
            self.playing = False
            out.append(STOP)
            self._aim(now_ns, out)
        elif abs(lag) > self.RELOCK:
            self._tick += round(lag * PPQN)
