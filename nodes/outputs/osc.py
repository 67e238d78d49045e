"""OSC over UDP: events and frames as messages with plain numbers."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import numpy as np
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.errors import FollowspotError
from engine.sink import Event, Format, FramesFormat, Param, Sink
from nodes.outputs.mapping import MappingParam, names
from nodes.outputs.osc_alias import parse_aliases

#: The longest frame that is sent: a message has to fit into one datagram.
MAX_VALUES = 1024


def check_address(template: str) -> str:
    """The template if it makes an OSC address; else ValueError."""
    try:
        address = template.format(instance="i", node="n", kind="k")
    except (KeyError, IndexError, ValueError):
        raise ValueError(f"{template!r} may hold {{instance}}, {{node}} and {{kind}} only") from None
    if not address.startswith("/") or any(c in address for c in " #*,?[]{}"):
        raise ValueError(
            f"{template!r} is no OSC address: it starts with '/' and has no blanks or #*,?[]{{}}"
        )
    return template


class Osc(Sink):
    """Sends each event as an OSC message, and streams decimated to at most `frame_rate`.

    Native scheme: `/followspot/<instance>/<node>/<kind> index value ...` with the event's number and its
    numeric values in the order in which the node gives them; for a stream the address ends in the name
    of its port and the arguments are the frame. Arguments are int32 and float32 (float64 and strings
    are not understood everywhere); strings are sent only if asked for. A boolean is sent as 0 or 1.

    With `aliases`, a table of messages replaces the native scheme: what the table does not name is not
    sent.

    Errors: an unknown host or a refused datagram is reported and tried again by the dispatcher.
    """

    accepts = frozenset({"events", "frames"})

    host = Param("127.0.0.1", help="name or address of the receiver")
    port = Param(9000, low=1, high=65535, help="UDP port of the receiver")
    instance = Param("main", help="name of this Followspot in the addresses")
    address = MappingParam(
        "/followspot/{instance}/{node}/{kind}",
        parse=check_address,
        help="template of the addresses",
    )
    aliases = MappingParam(
        "",
        parse=parse_aliases,
        help="messages instead of the native ones: the name of a table (resolume, touchdesigner, qlab, "
        "real_time_plp) or lines such as 'beat -> /tap 1'",
    )
    bundle = Param(
        False,
        help="wrap each event in a bundle with the time tag at which it takes effect; set latency_ms to "
        "send it that much ahead",
    )
    strings = Param(False, help="send strings as well as numbers")
    frame_rate = Param(100.0, low=0.1, high=100.0, unit="Hz", help="most frames a second per stream")

    def open(self, wires: dict[str, Format]) -> None:
        for wire, format in wires.items():
            if isinstance(format, FramesFormat) and np.prod(format.shape, dtype=int) > MAX_VALUES:
                raise FollowspotError(
                    f"{self.id}: a frame of {wire} has shape {format.shape}, too long for one OSC message "
                    f"(at most {MAX_VALUES} values): wire something smaller"
                )
        self._aliases = parse_aliases(self.aliases)
        self._slots = {wire: -1 for wire in wires}
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        try:
            info = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise FollowspotError(
                f"{self.id}: host {self.host!r} is not known ({error.strerror}): "
                "check host in the preset and the network"
            ) from None
        family, kind, protocol, _, address = info[0]
        connection = socket.socket(family, kind, protocol)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        connection.setblocking(False)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        tag = ntp if self.bundle else 0
        if not self.aliases:
            address = self.address.format(instance=self.instance, node=event.source, kind=event.kind)
            self._send(address, [event.key, *self._values(event.values.values())], tag)
            return
        heard = {"index": event.key, **event.values}
        for name in names(event):
            for alias in self._aliases.get(name, ()):
                self._send(alias.address, alias.values(heard), tag)

    def send_frame(self, wire: str, time: int, frame: Any) -> None:
        slot = int(time * self.frame_rate // self.rate)
        if slot == self._slots[wire]:
            return
        self._slots[wire] = slot
        node, _, port = wire.partition(".")
        values = np.ravel(frame).tolist()
        if not self.aliases:
            self._send(self.address.format(instance=self.instance, node=node, kind=port), values, 0)
            return
        for name in (port, wire):
            for alias in self._aliases.get(name, ()):
                sent = alias.values({"value": values[0]}) if alias.arguments else values
                self._send(alias.address, sent, 0)

    def close(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()

    def _values(self, values: Iterable[Any]) -> Iterable[int | float | str]:
        for value in values:
            if isinstance(value, np.generic):
                value = value.item()
            if isinstance(value, int | float) or (self.strings and isinstance(value, str)):
                yield value

    def _send(self, address: str, values: Iterable[int | float | str], tag: int) -> None:
        message = OscMessageBuilder(address)
        for value in values:
            message.add_arg(*_typed(value))
        datagram = message.build().dgram
        if tag:
            datagram = b"#bundle\0" + tag.to_bytes(8) + len(datagram).to_bytes(4) + datagram
        try:
            self._socket.send(datagram)
        except ConnectionRefusedError:
            raise ConnectionRefusedError(
                f"nobody listens for OSC at {self.host}:{self.port}: start the receiver or set its port"
            ) from None
        except BlockingIOError:
            raise OSError(
                f"the network to {self.host}:{self.port} is congested: a message was dropped"
            ) from None


def _typed(value: int | float | str) -> tuple[int | float | str, str]:
    """A value and its OSC type tag; a whole number beyond int32 goes as a float."""
    if isinstance(value, str):
        return value, "s"
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return int(value), "i"
    return float(value), "f"
