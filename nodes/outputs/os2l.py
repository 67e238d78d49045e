"""OS2L, Open Sound to Light: beats for QLC+ and other lighting programs over TCP."""

from __future__ import annotations

import json
import socket

from engine.errors import FollowspotError
from engine.sink import Event, Format, Param, Sink


class Os2l(Sink):
    """Tells a lighting program each beat, with its number and the tempo (os2l.org).

    The program is the server; QLC+ listens on port 9996. One JSON object goes out per beat. `strength` is the
    beat's confidence in percent; `change` is true where the tempo has just changed by more than 2 %.

    Errors: a program that is not there, or goes, is reported and connected to again.
    """

    host = Param("127.0.0.1", help="where the lighting program runs")
    port = Param(9996, low=1, high=65535, help="TCP port of the lighting program")

    #: Seconds that a connection may take, or a full socket may block.
    PATIENCE = 0.5

    def open(self, wires: dict[str, Format]) -> None:
        self._bpm = 0.0
        try:
            self._socket = socket.create_connection((self.host, self.port), self.PATIENCE)
        except OSError as error:
            raise FollowspotError(
                f"{self.id}: no lighting program answers OS2L at {self.host}:{self.port} "
                f"({error.strerror or error}): start it or set host and port"
            ) from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        if event.kind != "beat":
            return
        bpm = float(event.values.get("bpm", 0.0))
        beat = {
            "evt": "beat",
            "change": abs(bpm - self._bpm) > 0.02 * bpm,
            "pos": event.key,
            "bpm": round(bpm, 3),
            "strength": round(100 * float(event.values.get("confidence", 1.0)), 1),
        }
        self._bpm = bpm
        try:
            self._socket.sendall(json.dumps(beat).encode() + b"\n")
        except OSError as error:
            raise OSError(f"the lighting program at {self.host}:{self.port} has gone ({error})") from None

    def close(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()
