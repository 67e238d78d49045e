"""The patch: fixtures, their addresses and what each of their channels does."""

from __future__ import annotations

from dataclasses import dataclass

from nodes.outputs.mapping import parse_mapping
from nodes.outputs.rig.colour import Colour

#: What a letter of a profile stands for.
LETTERS = {
    "d": "dimmer",
    "r": "red",
    "g": "green",
    "b": "blue",
    "w": "white",
    "x": "always full",
    "0": "always off",
}


@dataclass(frozen=True)
class Fixture:
    """A light.

    Parameters
    ----------
    universe : that it listens to, or None for the sink's own.
    address : of its first channel, 1 to 512.
    profile : a letter per channel, see `LETTERS`; "drgb" is a PAR with a dimmer and three colours.
    """

    name: str
    universe: int | None
    address: int
    profile: str

    def write(self, channels: bytearray, colour: Colour, level: float) -> None:
        """Set its channels of a universe (512 bytes) to a colour at a level from 0 to 1.

        Without a dimmer channel the level scales the colour; a white channel takes what red, green
        and blue have in common; a fixture with a dimmer only shows the brightest part of the colour.
        """
        colour_level = 1.0 if "d" in self.profile else level
        red, green, blue = colour
        white = 0.0
        if "w" in self.profile:
            white = min(colour)
            if set("rgb") <= set(self.profile):
                red, green, blue = red - white, green - white, blue - white
        dimmer = level if set(self.profile) & set("rgbw") else level * max(colour)
        parts = {
            "d": dimmer,
            "r": red * colour_level,
            "g": green * colour_level,
            "b": blue * colour_level,
            "w": white * colour_level,
            "x": 1.0,
            "0": 0.0,
        }
        for n, letter in enumerate(self.profile):
            channels[self.address - 1 + n] = round(255 * parts[letter])


def parse_patch(text: str) -> dict[str, Fixture]:
    """Fixtures by name from lines "name -> address profile", the address as 17 or universe.address.

    ValueError names the fault: a bad profile, an address outside 1 to 512, two fixtures that overlap.
    """
    found: dict[str, Fixture] = {}
    taken: dict[tuple[int | None, int], str] = {}
    for name, words in parse_mapping(text):
        if len(words) != 2:
            raise ValueError(
                f"{name} -> {' '.join(words)}: give an address and a profile, as in 'par -> 1 drgb'"
            )
        fixture = _fixture(name, *words)
        if name in found:
            raise ValueError(f"fixture {name} is patched twice")
        for channel in range(fixture.address, fixture.address + len(fixture.profile)):
            other = taken.setdefault((fixture.universe, channel), name)
            if other != name:
                raise ValueError(f"fixtures {other} and {name} share channel {channel}")
        found[name] = fixture
    return found


def _fixture(name: str, place: str, profile: str) -> Fixture:
    universe, dot, address = place.rpartition(".")
    try:
        fixture = Fixture(name, int(universe) if dot else None, int(address), profile)
    except ValueError:
        raise ValueError(f"{name}: {place!r} is no address: write 17 or universe.17") from None
    if strange := set(profile) - set(LETTERS):
        known = ", ".join(f"{letter} {word}" for letter, word in LETTERS.items())
        raise ValueError(f"{name}: {sorted(strange)[0]!r} in profile {profile!r} is unknown; known: {known}")
    if not 1 <= fixture.address <= 513 - len(profile):
        raise ValueError(f"{name}: channels {place} + {len(profile)} do not fit into 1 to 512")
    return fixture
