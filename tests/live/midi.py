"""A JACK server of our own on the dummy driver, and a MIDI receiver on it."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import rtmidi

from apps.midi_listener import MidiListener
from tests.live.conftest import stop_server

RATE = 48000


@contextmanager
def jack_server(name: str, *, period: int = 256) -> Iterator[None]:
    """Runs `jackd -d dummy` under a name of this process and makes it the default of this process.

    JACK hands MIDI over once a period (samples), so that bounds the jitter of any message. On a
    machine that is held up it loses some; with -S it would wait for its clients, and hang where one goes.
    Clients may be held up for 4.5 s: one that the server throws out (after 0.5 s, if not told) can crash.
    """
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed: apt install jackd2")
    if rtmidi.API_UNIX_JACK not in rtmidi.get_compiled_api():
        pytest.skip("python-rtmidi was built without JACK")
    name = f"{name}-{os.getpid()}"
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = name
    command = ["jackd", "-n", name, "-R", "-t", "4500", "-d", "dummy", "-r", str(RATE), "-p", str(period)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # what it complains of is shown by pytest
    try:
        subprocess.run(
            ["jack_wait", "-s", name, "-w", "-t", "30"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        yield
    finally:
        stop_server(server)
        if before is None:
            del os.environ["JACK_DEFAULT_SERVER"]
        else:
            os.environ["JACK_DEFAULT_SERVER"] = before


class Receiver:
    """A MIDI input; `heard` are (monotonic ns of arrival, bytes), as stamped by the MIDI system.

    Parameters
    ----------
    name : under which senders see its port, "name:in".
    source : part of the name of a port to listen to; "" makes a port that senders connect to.
    """

    def __init__(self, name: str, source: str = "") -> None:
        self._at = 0
        self.heard: list[tuple[int, tuple[int, ...]]] = []
        self._input = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name)
        self._input.ignore_types(sysex=True, timing=False, active_sense=True)
        if source:
            (port,) = (n for n, found in enumerate(self._input.get_ports()) if source in found)
            self._input.open_port(port, "in")
        else:
            self._input.open_virtual_port("in")
        self._listener = MidiListener([self._input], self._hear)
        time.sleep(0.3)  # JACK connects at the next periods

    def _hear(self, message: list[int], since: float) -> None:
        self._at = self._at + round(since * 1e9) if self.heard else time.monotonic_ns()
        self.heard.append((self._at, tuple(message)))

    def wait(self, count: int) -> list[tuple[int, ...]]:
        """The messages, once there are `count`."""
        for _ in range(2000):
            if len(self.heard) >= count:
                break
            time.sleep(0.01)
        messages = [message for _, message in self.heard]
        assert len(messages) >= count, messages
        return messages

    def close(self) -> None:
        self._listener.close()
