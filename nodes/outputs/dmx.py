"""What Art-Net and sACN have in common: a show that is rendered and sent when it changes."""

from __future__ import annotations

import math
import socket
from contextlib import suppress
from typing import Any

from engine.errors import FollowspotError
from engine.sink import Event, Format, Param, Sink
from nodes.outputs.mapping import MappingParam
from nodes.outputs.rig.cue import parse_cues
from nodes.outputs.rig.patch import parse_patch
from nodes.outputs.rig.show import Show


class Dmx(Sink):
    """Base of the DMX sinks: subclasses turn universes into packets.

    A frame goes out when a channel changes, at most `frame_rate` a second and placed so that one lands on
    the next step of a cue, and again every 0.8 s if nothing changes. Events that cues step on are
    rendered at once. When the sink closes it sends darkness.

    Set `latency_ms` to what the fixtures take: the show runs that much ahead.
    """

    patch = MappingParam("", parse=parse_patch, help="fixtures, as in 'par1 -> 1 drgb' or 'led -> 2.17 rgbw'")
    cues = Param("", help="what they do, as in 'beat -> chase par* red; bar -> colour wash blue amber'")
    frame_rate = Param(40.0, low=1.0, high=44.0, unit="Hz", help="most frames a second; DMX carries 44")
    master = Param(1.0, low=0.0, high=1.0, live=True, help="scales every level")
    blackout = Param(False, live=True, help="everything dark")

    #: Nanoseconds after which an unchanged universe is sent again.
    KEEP_ALIVE = 800_000_000

    def open(self, wires: dict[str, Format]) -> None:
        fixtures = parse_patch(self.patch)
        if not fixtures:
            raise FollowspotError(f"{self.id}: no fixture is patched: set patch, as in 'par1 -> 1 drgb'")
        try:
            cues = parse_cues(self.cues, fixtures)
        except ValueError as error:
            raise FollowspotError(f"{self.id}: cues: {error}") from None
        self._show = Show(fixtures, cues, self.home)
        self._sent: dict[int, bytes] = {}
        self._sent_at: dict[int, int] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.connect()

    @property
    def home(self) -> int:
        """The universe of fixtures that name none."""
        raise NotImplementedError

    def connect(self) -> None:
        """Make ready to send; the socket is open."""

    def packet(self, universe: int, channels: bytes) -> tuple[bytes, tuple[str, int]]:
        """The datagram that carries a universe, and where it goes."""
        raise NotImplementedError

    def leave(self, universe: int) -> None:
        """Say that no more will come, after darkness has been sent."""

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        at = due_ns - int(self.latency_ms * 1e6)
        if self._show.observe(event, at):
            self._send(at)

    def tick(self, now_ns: int) -> int:
        self._send(now_ns)
        frame = 1e9 / self.frame_rate
        step = self._show.next_step_ns(now_ns)
        # A frame that would come just before a step waits for it, so that the step is not late by a frame.
        near = now_ns + frame < step < now_ns + 2 * frame
        return math.ceil(step if near else now_ns + frame)

    def close(self) -> None:
        if hasattr(self, "_socket"):
            with suppress(OSError):
                for universe in self._sent:
                    self._transmit(*self.packet(universe, bytes(512)))
                    self.leave(universe)
            self._socket.close()

    def _send(self, now_ns: int) -> None:
        universes = self._show.render(now_ns, 0.0 if self.blackout else self.master)
        for universe, channels in universes.items():
            waited = now_ns - self._sent_at.get(universe, -self.KEEP_ALIVE)
            if channels != self._sent.get(universe) or waited >= self.KEEP_ALIVE:
                self._transmit(*self.packet(universe, bytes(channels)))
                self._sent[universe] = bytes(channels)
                self._sent_at[universe] = now_ns

    def _transmit(self, datagram: bytes, address: tuple[str, int]) -> None:
        try:
            self._socket.sendto(datagram, address)
        except OSError as error:
            raise OSError(
                f"DMX to {address[0]} fails ({error.strerror}): check host and the network"
            ) from None


def resolve(id: str, host: str) -> str:
    """The IPv4 address of a host, or FollowspotError that says what to check."""
    try:
        info: Any = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise FollowspotError(
            f"{id}: host {host!r} is not known ({error.strerror}): check host in the preset and the network"
        ) from None
    return str(info[0][4][0])
