"""Hands on the beat: tap, nudge, half and double, lock, hold, "this is one"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.node import Event, EventsFormat, EventsIn, EventsOut, Node, Param
from engine.params import Moment
from nodes.rhythm.taps import Taps

FOLLOWING, CONDUCTED = "following", "conducted"
STALE = 2.0  # seconds after which a press that arrives late counts for nothing
FARTHEST = 500.0  # ms that nudges may add up to
REVISE = 0.001  # seconds by which a beat must move to be said again
REACH = 0.15  # of a beat: what is heard further from the grid moves nothing
PHASE_GAIN, PERIOD_GAIN = 0.25, 0.05
AGREE, AGREE_BEATS = (0.08, 0.04), 8  # phase (of a beat) and tempo (ratio) within which both agree


@dataclass
class Beat:
    """One beat that was heard or is foreseen: sample, period in samples, the values it came with."""

    time: float
    period: float
    values: dict[str, Any]


class Conductor(Node):
    """Passes the tracker's beats on, or gives its own where a hand says how they go.

    While nobody touches it, beats pass as they are (`octave`, `nudge` and `one` apply). A tap, `lock` or
    `freeze` makes it beat by itself, from the next beat on: it keeps a grid of its own, which the tracker's
    beats draw to themselves by 0.25 of their distance where they lie within 0.15 of a beat around the grid's
    beats or half beats; so an octave or an off-beat of the tracker's does no harm. After eight beats on which
    both agree, or by `follow`, the tracker has it again.

    tap: the beat is here; from the second tap on the tempo, too (straight line through up to eight taps).
    one: the nearest beat is the first of its bar; counted on from there. nudge: all beats that much later.
    lock: the tempo stays, the phase follows. freeze: nothing that is heard moves it. blackout: no beats.
    A press carries the stream time at which it was made, so it does not matter how long it took to get here.

    Latency: none; beats come as early as the tracker says them, or `lookahead` before they are due.
    """

    heard = EventsIn("beats, downbeats and states of a beat tracker")
    beats = EventsOut(
        "beats as the hands say",
        kinds={
            "beat": "as the tracker's: bpm, period (s), confidence, number, beat (in the bar), bar, meter; "
            "and placed: 1 where a hand has just put it",
            "downbeat": "bpm, bar, meter, confidence",
            "state": "state of the tracker, or conducted",
            "hands": "what (tap, one, ...), mode (following, conducted), bpm, offset (ms)",
            "blackout": "on (0, 1)",
        },
    )

    tap = Moment(help="tap: the beat is here")
    one = Moment(help="this is one: the nearest beat begins a bar")
    follow = Moment(help="hands off: tempo, phase and bars as the tracker hears them")
    nudge = Param(
        0.0, low=-200.0, high=200.0, unit="ms", live=True, momentary=True, help="all beats so much later"
    )
    octave = Param(
        "heard",
        choices=("heard", "half", "double"),
        live=True,
        help="every beat, every second, or twice as many",
    )
    lock = Param(False, live=True, help="keep the tempo; the phase follows the music")
    freeze = Param(False, live=True, help="hold: beats go on by themselves, whatever is heard")
    blackout = Param(False, live=True, help="no beats")
    lookahead = Param(0.25, low=0.0, high=2.0, unit="s", live=True, help="how early own beats are announced")

    def prepare(self, heard: EventsFormat) -> EventsFormat:
        self._rate = heard.rate
        self._fresh()
        # Own beats come `lookahead` early; of twice as many, the second half a (slow) beat earlier still.
        ahead = min(heard.latency[0], -round(self.lookahead * heard.rate)) - round(0.75 * heard.rate)
        return EventsFormat(heard.rate, (ahead, max(0, heard.latency[1])))

    def _fresh(self) -> None:
        self._mode = FOLLOWING
        self._tapped = False
        self._taps = Taps()
        self._offset = 0.0  # samples, what nudges add up to
        self._last: Beat | None = None  # the last beat that has fallen due
        self._index = -1  # its number
        self._heard: dict[int, Beat] = {}  # tracker's key -> beat that is not due yet
        self._indices: dict[int, int] = {}  # tracker's key -> number, while it is not due
        self._said: dict[int, tuple[int, int]] = {}  # number -> (time, revision) of what is not due
        self._bars: tuple[int, int, int] | None = None  # number of a first beat, its bar, the meter
        self._hand_on_bars = False
        self._anchor, self._period = 0.0, 0.0  # of the own grid: sample of beat `_index`, samples
        self._agreed = 0
        self._state = ""
        self._placed = False
        self._actions = self._states = 0
        self._touched: list[tuple[str, Any]] = []
        self._tapped_at = 0.0  # sample of the last tap
        self._now = 0.0  # the instant that is dealt with

    def reset(self) -> None:
        self._fresh()

    def gap(self, start: int, length: int) -> None:
        """The grid goes on; what was foretold before the gap has gone by."""
        self._heard.clear()
        self._indices.clear()

    # ---- hands ---------------------------------------------------------------------------------------

    def changed(self, name: str) -> None:
        """Noted, and done at the beginning of the quantum."""
        self._touched.append((name, getattr(self, name)))

    def _act(self, name: str, value: Any) -> None:
        """A parameter was set, or a button pressed, at the edge of this quantum."""
        press = {"tap": self._tap, "one": self._one, "follow": self._follow}.get(name)
        if press is not None:
            at = self._pressed(value)
            if at is None:
                return
            press(at)
        elif name == "nudge":
            self._nudge(value)
        elif name in ("lock", "freeze"):
            self._grip()
        elif name == "blackout":
            self.beats.emit("blackout", round(self._now), key=self._actions, on=int(value))
            self._withdraw()
            self._say_again()
        elif name == "octave":
            self._withdraw()
            self._say_again()
        if name != "lookahead":
            self._tell(name)

    def _pressed(self, seconds: float) -> float | None:
        """The sample of a press; None if that is too long ago to matter."""
        if seconds < 0:
            return self._now
        at = seconds * self._rate
        return at if abs(at - self._now) < STALE * self._rate else None

    def _tell(self, what: str) -> None:
        period = self._period if self._mode == CONDUCTED else self._last.period if self._last else 0.0
        self.beats.emit(
            "hands", round(self._now), key=self._actions, what=what, mode=self._mode,
            bpm=round(60.0 * self._rate / period, 3) if period else 0.0,
            offset=round(1000.0 * self._offset / self._rate, 3),
        )  # fmt: skip
        self._actions += 1

    def _tap(self, at: float) -> None:
        known = self._period if self._mode == CONDUCTED else self._last.period if self._last else 0.0
        period, place = self._taps.add(at, known, self._rate)
        if period == 0.0:
            return  # the first tap of all: there is no tempo yet
        self._conduct(period)
        self._tapped = self._placed = True
        self._tapped_at = place
        self._agreed = 0
        if self._last is None or place - self._anchor > 0.5 * period:
            self._index += 1  # a new beat falls here
            self._set_anchor(place, period)
            self._say(self._index)
            self._forget_until(self._index)
        else:
            self._set_anchor(place, period)
        self._say_again()

    def _set_anchor(self, at: float, period: float) -> None:
        self._anchor, self._period = at, period
        confidence = self._last.values.get("confidence", 1.0) if self._last else 1.0
        self._last = Beat(at, period, {"confidence": confidence})

    def _one(self, at: float) -> None:
        if self._last is None:
            return
        period = self._period if self._mode == CONDUCTED else self._last.period
        here = self._index + (1 if at - self._last.time > 0.5 * period else 0)
        place = self._place(self._index)
        meter = place[2] if place else 4
        bar = place[1] + (0 if place[0] == 1 and here == self._index else 1) if place else 1
        self._bars, self._hand_on_bars = (here, bar, meter), True
        if here == self._index and not (place and place[0] == 1) and not self.blackout:
            self._say_downbeat(here, round(self._last.time + self._offset), self._last)
        self._withdraw()
        self._say_again()

    def _follow(self, at: float) -> None:
        self._hand_on_bars = False
        self._taps.clear()
        self._listen()

    def _nudge(self, ms: float) -> None:
        most = FARTHEST * self._rate / 1000.0
        self._offset = min(most, max(-most, self._offset + ms * self._rate / 1000.0))
        self._placed = True
        self._say_again()

    def _grip(self) -> None:
        """`lock` or `freeze` has changed, or a beat has come while one is on."""
        if (self.lock or self.freeze) and self._mode == FOLLOWING and self._last is not None:
            self._conduct(self._last.period)
            self._say_again()
        elif not (self.lock or self.freeze) and self._mode == CONDUCTED and not self._tapped:
            self._listen()

    # ---- the two modes -------------------------------------------------------------------------------

    def _conduct(self, period: float) -> None:
        """From now on the own grid."""
        if self._mode == FOLLOWING:
            place = self._place(self._index)
            if place and not self._hand_on_bars:
                self._bars = (self._index - place[0] + 1, place[1], place[2])
            self._mode, self._period, self._agreed = CONDUCTED, period, 0
            self._anchor = self._last.time if self._last else 0.0
            self._say_state(CONDUCTED)

    def _listen(self) -> None:
        """From now on the tracker's beats."""
        if self._mode == FOLLOWING:
            return
        self._mode, self._tapped = FOLLOWING, False
        if not self._hand_on_bars:
            self._bars = None
        number = self._index
        self._indices.clear()
        for key in sorted(self._heard):
            number += 1
            self._indices[key] = number
        self._withdraw(beyond=number)
        self._say_again()
        self._say_state(self._state or "searching")

    def process(self) -> None:
        self._now = float(self.clock.start)
        if self._touched:
            for name, value in self._touched:
                self._act(name, value)
            self._touched.clear()
        for event in self.heard:
            if event.kind == "beat":
                self._take(event)
            elif event.kind == "state" and not event.retracted:
                self._state = str(event.values.get("state", ""))
                if self._mode == FOLLOWING:
                    self._say_state(self._state, event.time)
        self._go_on()

    def _take(self, event: Event) -> None:
        """The tracker says, amends or withdraws a beat."""
        key = event.key
        if event.retracted:
            self._heard.pop(key, None)
            number = self._indices.pop(key, None)
            if number is not None and self._mode == FOLLOWING:
                self._unsay(number)
            return
        beat = event.values.get("beat")
        if isinstance(beat, float) and not beat.is_integer():
            return  # between two beats: the tracker is set to give twice as many
        bpm = float(event.values.get("bpm") or 120.0)
        period = float(event.values.get("period") or 60.0 / bpm) * self._rate
        if self._last is not None and event.time <= self._last.time and key not in self._indices:
            return
        self._heard[key] = Beat(float(event.time), period, dict(event.values))
        if self._mode == FOLLOWING:
            if key not in self._indices:
                self._indices[key] = max([self._index, *self._indices.values()]) + 1
            self._say(self._indices[key])

    def _go_on(self) -> None:
        """All that falls due in this quantum, in its order in time."""
        stop = self.clock.stop
        while True:
            due = min(self._heard.items(), key=lambda item: item[1].time, default=None)
            heard_at = due[1].time if due else float("inf")
            if self._mode == CONDUCTED:
                own_at = self._anchor + self._period
                if own_at <= min(stop, heard_at):
                    self._now = own_at
                    self._index += 1
                    self._set_anchor(own_at, self._period)
                    self._forget_until(self._index)
                    continue
            if due is None or heard_at > stop:
                break
            del self._heard[due[0]]
            self._now = heard_at
            if self._mode == FOLLOWING:
                self._fall_due(due[0], due[1])
            else:
                self._compare(due[1])
        if self._mode == CONDUCTED:
            self._announce()

    def _fall_due(self, key: int, beat: Beat) -> None:
        """A beat of the tracker's has come."""
        self._index = max(self._index + 1, self._indices.pop(key))
        self._last = beat
        self._forget_until(self._index)
        self._grip()

    def _compare(self, beat: Beat) -> None:
        """While conducted: a beat of the tracker's draws the grid, and may show that both agree."""
        if self.freeze or (self._tapped and beat.time < self._tapped_at + self._period):
            return  # a beat that was just tapped stays where it is
        half = 0.5 * self._period
        off = (beat.time - self._anchor + 0.5 * half) % half - 0.5 * half
        whole = (beat.time - self._anchor + half) % self._period - half
        agree = abs(whole) < AGREE[0] * self._period and abs(beat.period / self._period - 1.0) < AGREE[1]
        self._agreed = self._agreed + 1 if agree else 0
        if self._agreed >= AGREE_BEATS and not self.lock:
            self._taps.clear()
            self._listen()
            self._tell("agreed")
        elif abs(off) < REACH * self._period:
            self._anchor += PHASE_GAIN * off
            if not self.lock:
                self._period += PERIOD_GAIN * off
            self._say_again()

    # ---- saying --------------------------------------------------------------------------------------

    def _announce(self) -> None:
        horizon = self.clock.stop + self.lookahead * self._rate
        number = self._index + 1
        while (beat := self._beat(number)) is not None and beat.time + self._offset <= horizon:
            if number not in self._said:
                self._say(number)
            number += 1

    def _beat(self, number: int) -> Beat | None:
        """A beat that has been heard, is foreseen, or lies on the own grid."""
        if number == self._index and self._last is not None:
            return self._last
        if self._mode == CONDUCTED:
            return Beat(
                self._anchor + (number - self._index) * self._period, self._period, {"confidence": 1.0}
            )
        return next((self._heard[k] for k, n in self._indices.items() if n == number), None)

    def _place(self, number: int) -> tuple[int, int, int] | None:
        """(beat in the bar from 1, bar, meter), if anybody knows."""
        if self._bars is not None:
            first, bar, meter = self._bars
            return (number - first) % meter + 1, bar + (number - first) // meter, meter
        beat = self._beat(number)
        if beat is None or not {"beat", "bar", "meter"} <= beat.values.keys():
            return None
        return int(beat.values["beat"]), int(beat.values["bar"]), int(beat.values["meter"])

    def _say(self, number: int) -> None:
        """Say a beat, or say it again."""
        beat = self._beat(number)
        if beat is None or self.blackout:
            return
        time = round(beat.time + self._offset)
        revision = self._said[number][1] + 1 if number in self._said else 0
        place = self._place(number)
        if self.octave == "half" and ((place[0] - 1) if place and place[2] % 2 == 0 else number) % 2:
            return
        self._said[number] = (time, revision)
        factor = {"heard": 1.0, "half": 0.5, "double": 2.0}[self.octave]
        values = {
            **beat.values,
            "bpm": round(60.0 * self._rate / beat.period * factor, 3),
            "period": round(beat.period / self._rate / factor, 6),
            "number": number,
        }
        if place:
            values |= {"beat": place[0], "bar": place[1], "meter": place[2]}
        if self._placed:
            values["placed"] = 1
        self.beats.emit("beat", time, key=2 * number, revision=revision, **values)
        if self.octave == "double":
            between = values | ({"beat": place[0] + 0.5} if place else {})
            half = round(beat.time + self._offset + 0.5 * beat.period)
            self.beats.emit("beat", half, key=2 * number + 1, revision=revision, **between)
        if place and place[0] == 1:
            self._say_downbeat(number, time, beat)

    def _say_downbeat(self, number: int, time: int, beat: Beat) -> None:
        place = self._place(number)
        assert place is not None
        revision = self._said[number][1] if number in self._said else 0
        sure = 1.0 if self._hand_on_bars else beat.values.get("confidence", 1.0)
        bpm = round(60.0 * self._rate / beat.period, 3)
        self.beats.emit(
            "downbeat", time, key=2 * number, revision=revision, bpm=bpm, bar=place[1], meter=place[2],
            confidence=sure,
        )  # fmt: skip

    def _say_again(self) -> None:
        """Amend what has been said and is not due, where it has moved."""
        for number in sorted(
            {*self._said, *self._indices.values()} if self._mode == FOLLOWING else self._said
        ):
            beat = self._beat(number)
            if number <= self._index:
                continue
            if beat is None:
                self._unsay(number)
            elif (
                number not in self._said
                or abs(beat.time + self._offset - self._said[number][0]) >= REVISE * self._rate
            ):
                self._say(number)

    def _withdraw(self, beyond: int | None = None) -> None:
        """Take back what is not due, or only what lies beyond a number."""
        for number in sorted(self._said):
            if number > (self._index if beyond is None else beyond):
                self._unsay(number)

    def _unsay(self, number: int) -> None:
        said = self._said.get(number)
        if said is None or said[0] <= self.clock.start:
            return
        time, revision = said
        self._said[number] = (-(10**12), revision + 1)  # said again, it is a later revision
        for kind, key in (("beat", 2 * number), ("beat", 2 * number + 1), ("downbeat", 2 * number)):
            self.beats.emit(kind, time, key=key, revision=revision + 1, retracted=True)

    def _forget_until(self, number: int) -> None:
        """Beats up to `number` have come."""
        for done in [n for n in self._said if n <= number]:
            del self._said[done]
        for key in [k for k, n in self._indices.items() if n <= number]:
            del self._indices[key]
        self._placed = False

    def _say_state(self, state: str, time: int | None = None) -> None:
        self.beats.emit("state", round(self._now) if time is None else time, key=self._states, state=state)
        self._states += 1

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """For the conformance kit: following, and beating by itself."""
        return [{}, {"octave": "double"}, {"lock": True}]
