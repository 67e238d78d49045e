"""MIDI output ports by name, over whichever MIDI system runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import rtmidi

from engine.errors import FollowspotError

Client = TypeVar("Client", rtmidi.MidiIn, rtmidi.MidiOut)


class MidiPort:
    """An open MIDI output.

    Parameters
    ----------
    port : part of the name of the port to send to; "" makes a virtual port that others connect to.
    name : under which we show up.

    The first MIDI system that runs here and has the port is taken (ALSA, then JACK, on Linux).

    Raises FollowspotError if no system runs, the port is not there, or the system has no virtual
    ports; the message lists the ports that are there.
    """

    def __init__(self, port: str, name: str) -> None:
        self.port = port
        listing: list[str] = []
        running = False
        for output in _clients(rtmidi.MidiOut, name):
            running = True
            if self._take(output, name):
                self._output = output
                return
            listing += output.get_ports()
            output.delete()
        if not running:
            raise FollowspotError(
                "no MIDI system runs here: start JACK, or load ALSA's sequencer (modprobe snd-seq)"
            )
        raise FollowspotError(self._missing(listing))

    def _take(self, output: rtmidi.MidiOut, name: str) -> bool:
        if not self.port:
            try:
                output.open_virtual_port(name)
            except (NotImplementedError, rtmidi.SystemError, rtmidi.InvalidUseError):
                return False
            return True
        for index, found in enumerate(output.get_ports()):
            if self.port.lower() in found.lower():
                try:
                    output.open_port(index, name)
                except rtmidi.SystemError as error:
                    raise FollowspotError(f"MIDI port {found!r} cannot be opened ({error})") from None
                return True
        return False

    def _missing(self, listing: list[str]) -> str:
        there = "there are: " + ", ".join(repr(port) for port in listing) if listing else "there are none"
        if self.port:
            return f"there is no MIDI port with {self.port!r} in its name; {there}"
        return f"this system has no virtual MIDI ports: set port to part of a name; {there}"

    def send(self, message: Sequence[int]) -> None:
        """Send the bytes of one MIDI message."""
        try:
            self._output.send_message(message)
        except rtmidi.SystemError as error:
            raise OSError(f"MIDI port {self.port or 'virtual'} fails ({error})") from None

    def check(self) -> None:
        """OSError if the port has gone (unplugged, its program ended)."""
        if self.port and not any(self.port.lower() in found.lower() for found in self._output.get_ports()):
            raise OSError(f"MIDI port {self.port!r} is gone: plug it in or start its program again")

    def close(self) -> None:
        """Close the port."""
        self._output.delete()


def _clients(kind: type[Client], name: str) -> Iterator[Client]:
    """A client of each MIDI system that runs here, made only when it is asked for."""
    for api in rtmidi.get_compiled_api():
        absent = api == rtmidi.API_LINUX_ALSA and not Path("/dev/snd/seq").exists()
        if api == rtmidi.API_RTMIDI_DUMMY or absent:  # ALSA would complain on the terminal
            continue
        try:
            client = kind(api, name=name)
        except rtmidi.SystemError:
            continue
        yield client


def output_names() -> list[str]:
    """The ports that a part of a name may choose, of every MIDI system that runs here."""
    names = []
    for output in _clients(rtmidi.MidiOut, "followspot"):
        names += output.get_ports()
        output.delete()
    return names


def open_inputs(name: str) -> list[rtmidi.MidiIn]:
    """Every MIDI input port that is there now, opened; `name` is our own side of the connections."""
    opened = []
    for probe in _clients(rtmidi.MidiIn, name):
        for index in range(probe.get_port_count()):
            client = rtmidi.MidiIn(probe.get_current_api(), name=name)
            client.open_port(index, name)
            opened.append(client)
        probe.delete()
    return opened


def open_input(port: str, name: str) -> rtmidi.MidiIn:
    """The first MIDI input port with `port` in its name; FollowspotError lists those there are."""
    listing: list[str] = []
    running = False
    for client in _clients(rtmidi.MidiIn, name):
        running = True
        for index, found in enumerate(client.get_ports()):
            if port.lower() in found.lower():
                client.open_port(index, name)
                return client
            listing.append(found)
        client.delete()
    if not running:
        raise FollowspotError(
            "no MIDI system runs here: start JACK, or load ALSA's sequencer (modprobe snd-seq)"
        )
    there = "there are: " + ", ".join(repr(found) for found in listing) if listing else "there are none"
    raise FollowspotError(f"there is no MIDI input with {port!r} in its name; {there}")
