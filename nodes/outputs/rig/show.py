"""The show: patch and cues, moved by beats and events, rendered as DMX universes."""

from __future__ import annotations

import math

from engine.events import Event
from nodes.outputs.beat_line import BeatLine
from nodes.outputs.mapping import names
from nodes.outputs.rig.colour import NAMES
from nodes.outputs.rig.cue import Cue, Look, Trigger
from nodes.outputs.rig.patch import Fixture


class Show:
    """Renders cues at any instant; in virtual time, without a clock of its own.

    Musical time comes from a `BeatLine` through the beats, so steps of note values fall between beats,
    and the show goes on at the last tempo when no beats come. Bars count from the last downbeat: an
    event "downbeat", or a beat whose value `beat` is 1; `meter` says how many beats a bar has, else 4.

    Parameters
    ----------
    universe : of fixtures that name none.
    """

    def __init__(self, fixtures: dict[str, Fixture], cues: list[Cue], universe: int) -> None:
        self._fixtures = fixtures
        self._cues = cues
        self._universe = universe
        self._line = BeatLine()
        self._downbeat, self._bar, self._meter = 0, 0, 4
        self._triggers = {cue.when: Trigger() for cue in cues if cue.step is None}
        used = {f.universe if f.universe is not None else universe for f in fixtures.values()}
        self._universes = {number: bytearray(512) for number in sorted(used)}

    def observe(self, event: Event, at_ns: float) -> bool:
        """An event takes effect at `at_ns`; True if a cue steps on events of this kind."""
        if event.kind == "beat":
            self._line.observe(at_ns, event.values.get("bpm", 0.0), bool(event.values.get("placed")))
        if event.kind == "downbeat" or (event.kind == "beat" and event.values.get("beat") == 1):
            self._begin_bar(at_ns, event.values.get("meter") or 4)
        struck = [self._triggers[name] for name in names(event) if name in self._triggers]
        for trigger in struck:
            trigger.strike(at_ns)
        return bool(struck)

    def render(self, now_ns: float, master: float = 1.0) -> dict[int, bytearray]:
        """The universes, 512 bytes each, at an instant; reused by the next call.

        `master` scales every level, 0 to 1.
        """
        looks: dict[str, Look] = dict.fromkeys(self._fixtures, (NAMES["white"], 0.0))
        for cue in self._cues:
            at = self._place(cue, now_ns)
            if at is not None:
                cue.apply(looks, *at)
        for name, fixture in self._fixtures.items():
            colour, level = looks[name]
            number = self._universe if fixture.universe is None else fixture.universe
            fixture.write(self._universes[number], colour, level * master)
        return self._universes

    def next_step_ns(self, now_ns: float) -> float:
        """When the next step of a cue in musical time comes, or infinity."""
        if not self._line.locked:
            return math.inf
        moments = [math.inf]
        for cue in self._cues:
            if cue.step is not None:
                length, origin = self._step(cue)
                passed = math.floor((self._line.position(now_ns) - origin) / length + 1e-6)
                moments.append(self._line.time_of(origin + (passed + 1) * length))
        return min(moments)

    def _begin_bar(self, at_ns: float, meter: int) -> None:
        if self._line.locked:
            here = round(self._line.position(at_ns))
            self._bar += max(0, round((here - self._downbeat) / self._meter))
            self._downbeat, self._meter = here, max(1, int(meter))

    def _step(self, cue: Cue) -> tuple[float, float]:
        """Length of a step in beats, and the position of step 0."""
        count, unit = cue.step or (1.0, "beat")
        if unit == "beat":
            return count, float(self._downbeat % count if count >= 1 else 0)
        return count * self._meter, float(self._downbeat - (self._bar % count) * self._meter)

    def _place(self, cue: Cue, now_ns: float) -> tuple[int, float, float] | None:
        """Step, phase and ms since the step, or None before the first."""
        if cue.step is None:
            trigger = self._triggers[cue.when]
            since = now_ns - trigger.at_ns
            if not trigger.count or since < 0:
                return None
            return trigger.count - 1, min(1.0, since / trigger.period_ns), since / 1e6
        if not self._line.locked:
            return None
        length, origin = self._step(cue)
        steps = (self._line.position(now_ns) - origin) / length
        whole = math.floor(steps + 1e-6)
        phase = min(1.0, max(0.0, steps - whole))
        number = whole
        if cue.step[1] == "bar":
            number += int(self._bar // cue.step[0])
        return number, phase, phase * length * self._line.period_ns / 1e6
