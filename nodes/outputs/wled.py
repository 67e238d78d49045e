"""WLED audio sync: level, bands and beats for LED strips, over UDP."""

from __future__ import annotations

import socket
import struct
from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.sink import Event, Format, FramesFormat, Param, Sink
from nodes.outputs.dmx import resolve

#: Frequency range in Hz that WLED's sixteen channels share.
LOWEST, HIGHEST = 43.0, 9259.0
CHANNELS = 16


class Wled(Sink):
    """Sends WLED's audio sync packets, version 2 (44 bytes, WLED 0.14 and later, UDP 11988).

    Wire to it: a level in dBFS (a scalar stream), a spectrum or bands in Hz (a stream labelled with
    frequencies), and events. Each packet has the latest of both; `peak` is set in the packet that goes out
    at once when an event of the kinds in `peaks` is due. The volume is 0 to 255 for `floor` to 0 dBFS; a
    channel is 255 at the largest that any channel was in the last seconds.
    """

    accepts = frozenset({"events", "frames"})
    tick_ms = 20.0

    host = Param("127.0.0.1", help="a WLED device, or 239.0.0.1 for all that listen on the network")
    port = Param(11988, low=1, high=65535, help="UDP port of WLED's audio sync")
    peaks = Param("beat", help="kinds of events that set the peak flag, with blanks between them")
    floor = Param(-60.0, low=-120.0, high=-10.0, unit="dB", live=True, help="level that counts as no sound")

    #: Share of the loudest channel that is kept from one packet to the next: half in 7 seconds.
    KEEP = 0.998

    def open(self, wires: dict[str, Format]) -> None:
        self._level = 0.0
        self._smooth = 0.0
        self._bands = np.zeros(CHANNELS)
        self._loudest = 1e-6
        self._strongest = (0.0, 1.0)
        self._count = 0
        self._channel_of: dict[str, Any] = {}
        self._centres: dict[str, Any] = {}
        for wire, format in wires.items():
            if isinstance(format, FramesFormat) and format.shape:
                self._take_labels(wire, format)
        self._address = (resolve(self.id, self.host), self.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def _take_labels(self, wire: str, format: FramesFormat) -> None:
        if len(format.labels) != format.shape[0] or not all(
            isinstance(x, int | float) for x in format.labels
        ):
            raise FollowspotError(
                f"{self.id}: {wire} is not labelled with frequencies: wire bands of a spectrum, or a level"
            )
        centres = np.array(format.labels, float)
        edges = np.geomspace(LOWEST, HIGHEST, CHANNELS + 1)
        self._centres[wire] = centres
        self._channel_of[wire] = np.searchsorted(edges, centres, side="right") - 1

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        if event.kind in self.peaks.split():
            self._send(True)

    def send_frame(self, wire: str, time: int, frame: Any) -> None:
        channels = self._channel_of.get(wire)
        if channels is None:
            level = 255 * (1 - float(frame) / self.floor)
            self._level = min(255.0, max(0.0, level))
            return
        inside = (channels >= 0) & (channels < CHANNELS)
        self._bands[:] = 0
        np.maximum.at(self._bands, channels[inside], np.asarray(frame, float)[inside])
        top = int(np.argmax(frame))
        self._strongest = float(frame[top]), float(self._centres[wire][top])

    def tick(self, now_ns: int) -> int:
        self._send(False)
        return super().tick(now_ns)

    def close(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()

    def _send(self, peak: bool) -> None:
        self._smooth += 0.3 * (self._level - self._smooth)
        self._loudest = max(self._loudest * self.KEEP, float(self._bands.max()), 1e-6)
        channels = np.clip(255 * self._bands / self._loudest, 0, 255).astype(np.uint8)
        magnitude = min(4096.0, 4096 * self._strongest[0] / self._loudest)
        packet = struct.pack(
            "<6s2xffBB16s2xff",
            b"00002",
            self._level,
            self._smooth,
            int(peak),
            self._count,
            channels.tobytes(),
            magnitude,
            self._strongest[1],
        )
        self._count = self._count + 1 & 255
        try:
            self._socket.sendto(packet, self._address)
        except OSError as error:
            raise OSError(
                f"WLED at {self.host} fails ({error.strerror}): check host and the network"
            ) from None
