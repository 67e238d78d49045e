"""MIDI time code (MMA RP-004): quarter frames of a position in seconds, and full frames where it jumps."""

from __future__ import annotations

from collections.abc import Iterator

#: Frames a second by their code in the last piece.
RATES = {24: 0, 25: 1, 30: 3}


def full_frame(seconds: float, fps: int) -> tuple[int, ...]:
    """The system exclusive message that sets a receiver to `seconds`."""
    hours, minutes, second, frame = _fields(int(seconds * fps + 1e-6), fps)
    return (0xF0, 0x7F, 0x7F, 0x01, 0x01, hours | RATES[fps] << 5, minutes, second, frame, 0xF7)


def quarter_frame(number: int, fps: int) -> tuple[int, int]:
    """Quarter frame `number` since zero: one eighth of the time at which its group of eight began."""
    piece = number % 8
    hours, minutes, second, frame = _fields((number - piece) // 4, fps)
    value = (frame, second, minutes, hours | RATES[fps] << 5)[piece // 2]
    return 0xF1, piece << 4 | (value >> 4 if piece % 2 else value & 15)


def _fields(frames: int, fps: int) -> tuple[int, int, int, int]:
    seconds, frame = divmod(max(frames, 0), fps)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return hours % 24, minute, second, frame


class TimeCode:
    """Messages for a position that runs, waits and jumps."""

    #: Seconds by which a position may be off what was sent before a full frame is sent.
    JUMP = 0.5

    def __init__(self, fps: int) -> None:
        self.fps = fps
        self._next: int | None = None

    def to(self, seconds: float) -> Iterator[tuple[int, ...]]:
        """The messages that are due when the position has come to `seconds`; a small step back waits."""
        here = int(max(seconds, 0.0) * 4 * self.fps + 1e-6)
        if self._next is None or abs(here - self._next) > self.JUMP * 4 * self.fps:
            yield full_frame(seconds, self.fps)
            self._next = here - here % 8 + 8
        while self._next <= here:
            yield quarter_frame(self._next, self.fps)
            self._next += 1
