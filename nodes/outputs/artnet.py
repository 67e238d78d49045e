"""DMX over Art-Net."""

from __future__ import annotations

import socket
import struct

from engine.sink import Param
from nodes.outputs.dmx import Dmx, resolve

PORT = 6454


class ArtNet(Dmx):
    """Plays a small rig over Art-Net 4 (ArtDMX, UDP 6454).

    Universes are port addresses 0 to 32767 (net, sub-net and universe in one number). A broadcast address
    as `host` reaches every node of the network.
    """

    tick_ms = 25.0

    host = Param("127.0.0.1", help="node to send to, or a broadcast address")
    universe = Param(0, low=0, high=32767, help="port address of fixtures that name none")

    @property
    def home(self) -> int:
        return self.universe

    def connect(self) -> None:
        self._address = resolve(self.id, self.host)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._sequence: dict[int, int] = {}

    def packet(self, universe: int, channels: bytes) -> tuple[bytes, tuple[str, int]]:
        sequence = self._sequence.get(universe, 0) % 255 + 1  # 0 would switch the ordering off
        self._sequence[universe] = sequence
        head = b"Art-Net\0" + struct.pack("<H", 0x5000) + struct.pack(">HBB", 14, sequence, 0)
        return head + struct.pack("<H", universe) + struct.pack(">H", 512) + channels, (self._address, PORT)
