"""The rig as it would look: the cues of every DMX output, rendered here from the events it gets."""

from __future__ import annotations

import time

from apps.console.desk import Desk
from engine.events import Event
from nodes.outputs.dmx import Dmx
from nodes.outputs.rig.cue import parse_cues
from nodes.outputs.rig.patch import Fixture, parse_patch
from nodes.outputs.rig.show import Show

_HOME = 0  # universe of fixtures that name none; which one is sent makes no difference here


class _Part:
    """One DMX sink of the preset."""

    def __init__(self, desk: Desk, id: str) -> None:
        self.id = id
        self.fixtures = parse_patch(desk.values[f"{id}.patch"])
        self.show = Show(self.fixtures, parse_cues(desk.values[f"{id}.cues"], self.fixtures), _HOME)
        self.sources = {source.partition(".")[0] for source, target in desk.preset.wires if target == id}

    def colour(self, fixture: Fixture, channels: bytearray) -> list[int]:
        """Red, green and blue of a fixture, 0 to 255, read from its channels."""
        values = dict(zip(fixture.profile, channels[fixture.address - 1 :], strict=False))
        dimmer = values.get("d", 255) / 255
        white = values.get("w", 0)
        coloured = set("rgbw") & set(fixture.profile)
        return [
            round(dimmer * min(255, values.get(letter, 0) + white)) if coloured else round(dimmer * 255)
            for letter in "rgb"
        ]


class Rig:
    """All DMX sinks of a preset; a patch or cues that are not understood leave their sink out.

    Attributes
    ----------
    last : colour of every fixture, 0 to 255 for red, green and blue, when `lights` was last asked.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts: list[_Part] = []
        for id, (kind, _) in desk.preset.sinks.items():
            if issubclass(kind, Dmx):
                try:
                    self._parts.append(_Part(desk, id))
                except ValueError:
                    continue  # the sink itself reports it
        self.last: dict[str, list[int]] | None = None

    def describe(self) -> list[str]:
        """Names of the fixtures, "sink.fixture", in the order of the patch."""
        return [f"{part.id}.{name}" for part in self._parts for name in part.fixtures]

    def observe(self, event: Event) -> None:
        """An event fell due."""
        line = self._desk.snapshot().line
        if not self._parts or line is None:
            return
        sample, ns, period = line
        for part in self._parts:
            if event.source in part.sources:
                part.show.observe(event, ns + (event.time - sample) * period)

    def lights(self) -> dict[str, list[int]] | None:
        """Colour of every fixture now, or None if nothing has changed."""
        if not self._parts:
            return None
        now, values = time.monotonic_ns(), self._desk.values
        lights: dict[str, list[int]] = {}
        for part in self._parts:
            dark = values.get(f"{part.id}.blackout", False)
            universes = part.show.render(now, 0.0 if dark else values.get(f"{part.id}.master", 1.0))
            for name, fixture in part.fixtures.items():
                channels = universes[_HOME if fixture.universe is None else fixture.universe]
                lights[f"{part.id}.{name}"] = part.colour(fixture, channels)
        if lights == self.last:
            return None
        self.last = lights
        return lights
