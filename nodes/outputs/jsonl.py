"""JSON Lines: one event a line, to a file or to the standard output."""

from __future__ import annotations

import sys
from typing import Any

from engine.errors import FollowspotError
from engine.sink import Event, Format, Param, Sink


class JsonLines(Sink):
    """Writes each event as one JSON object a line, flushed at once, so that a kill loses nothing.

    Times are seconds of the input stream. A number that is not finite is written as null.

    Errors: a file that cannot be written is reported and tried again by the dispatcher; what was
    written stays.
    """

    offline = True

    path = Param("-", help="file to write; '-' is the standard output")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._begun = False

    def open(self, wires: dict[str, Format]) -> None:
        if self.path == "-":
            self._file = sys.stdout
        else:
            try:
                self._file = open(self.path, "a" if self._begun else "w", encoding="utf-8")  # noqa: SIM115
            except OSError as error:
                raise FollowspotError(
                    f"{self.path} cannot be written ({error.strerror}): set another path"
                ) from None
        self._begun = True

    def send_event(self, event: Event, due_ns: int, ntp: int) -> None:
        self._file.write(event.to_line(self.rate) + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._begun and self._file is not sys.stdout:
            self._file.close()
