"""DMX over sACN (E1.31)."""

from __future__ import annotations

import os
import uuid
from importlib import import_module
from typing import Any

from engine.sink import Param
from nodes.outputs.dmx import Dmx, resolve

PORT = 5568

#: Where a packet of E1.31 holds its sequence number and its channels.
SEQUENCE, DATA = 111, 126


class Sacn(Dmx):
    """Plays a small rig over streaming ACN, ANSI E1.31 (UDP 5568).

    Universes are 1 to 63999. `host` "multicast" sends each universe to its own multicast group, which is
    what most sACN devices listen to; a name or an address sends to one receiver.
    """

    tick_ms = 25.0
    requires = ("sacn",)

    host = Param("127.0.0.1", help="receiver to send to, or 'multicast'")
    universe = Param(1, low=1, high=63999, help="universe of fixtures that name none")
    priority = Param(100, low=0, high=200, help="the receiver follows the source of the highest priority")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._sequence: dict[int, int] = {}

    @property
    def home(self) -> int:
        return self.universe

    def connect(self) -> None:
        self._templates: dict[tuple[int, bool], bytes] = {}
        self._acn = import_module("sacn.messages.data_packet")
        self._address = "" if self.host == "multicast" else resolve(self.id, self.host)
        # The same for every start of this sink, so that a receiver takes it for the same source.
        self._source = tuple(uuid.uuid5(uuid.NAMESPACE_DNS, f"followspot.{self.id}").bytes)

    def leave(self, universe: int) -> None:
        for _ in range(3):  # E1.31 section 6.2.6: three packets with the bit Stream_Terminated
            self._transmit(*self.packet(universe, bytes(512), last=True))

    def packet(self, universe: int, channels: bytes, last: bool = False) -> tuple[bytes, tuple[str, int]]:
        # A receiver drops what seems up to 20 packets old. It may remember a Followspot that was killed,
        # so the sequence begins anywhere.
        sequence = self._sequence.get(universe, os.urandom(1)[0]) + 1 & 255
        self._sequence[universe] = sequence
        packet = bytearray(self._template(universe, last))
        packet[SEQUENCE], packet[DATA:] = sequence, channels
        return bytes(packet), (self._address or self._acn.calculate_multicast_addr(universe), PORT)

    def _template(self, universe: int, last: bool) -> bytes:
        """A packet as the library writes it, once: that takes 0.5 ms."""
        if (universe, last) not in self._templates:
            packet = self._acn.DataPacket(
                self._source,
                f"Followspot {self.id}",
                universe,
                (0,) * 512,
                priority=self.priority,
                streamTerminated=last,
            )
            self._templates[universe, last] = bytes(packet.getBytes())
        return self._templates[universe, last]
