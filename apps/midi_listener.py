"""What comes in on MIDI ports, heard on a thread of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import rtmidi

PATIENCE = 0.002  # s between two looks


class MidiListener:
    """Hears open MIDI inputs until it is closed, which closes them.

    Parameters
    ----------
    ports : open inputs.
    hear : called on the listener's thread with the bytes of each message and the seconds since the one
        before it on its port (0 for the first), as stamped by the MIDI system; at most 2 ms late.

    The ports are asked and do not call back: a callback would wait for the interpreter on the MIDI system's
    thread, and a port that is closed meanwhile hangs or crashes the process (JACK, rtmidi 1.5).
    """

    def __init__(self, ports: Sequence[rtmidi.MidiIn], hear: Callable[[list[int], float], None]) -> None:
        self._ports = list(ports)
        self._hear = hear
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="midi inputs", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closed.wait(PATIENCE):
            for port in self._ports:
                while (heard := port.get_message()) is not None:
                    self._hear(*heard)

    def close(self) -> None:
        """Stop listening and close the ports; may be called again."""
        self._closed.set()
        self._thread.join()
        while self._ports:
            self._ports.pop().delete()
