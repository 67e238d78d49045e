"""Beats for people and for pipes: a line that flashes on a terminal, plain columns anywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TextIO

from apps.terminal import duration
from engine.events import Event

_WIDTH = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Beat:
    """A beat as it is shown: stream time in seconds, tempo in BPM, confidence 0 to 1, place in the bar."""

    time: float
    bpm: float
    confidence: float
    place: str = ""

    @classmethod
    def of(cls, event: Event, rate: int) -> Beat:
        """The beat that an event tells of."""
        values = event.values
        place = f"{values['beat']}/{values['meter']}" if values.get("meter") else ""
        return cls(
            event.time / rate, float(values.get("bpm", 0.0)), float(values.get("confidence", 0.0)), place
        )

    def columns(self) -> str:
        """Seconds, BPM, confidence, between tabs."""
        return f"{self.time:.6f}\t{self.bpm:.2f}\t{self.confidence:.3f}"

    def text(self) -> str:
        """One line for people."""
        sure = f"{bar(self.confidence)} {self.confidence:.2f}"
        return f"{duration(self.time):>9}  {self.place:>4}  {self.bpm:6.1f} BPM  {sure}".rstrip()


class BeatLine:
    """One line of a terminal that flashes with the beat, redrawn by `draw`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._beats = 0
        self._last: Beat | None = None
        self._length = 0

    def beat(self, beat: Beat) -> None:
        """A beat has come; it shows at the next `draw`."""
        self._last = beat
        self._beats += 1

    def draw(self, now: float, remark: str = "") -> None:
        """Show the line as it is at stream time `now` in seconds."""
        last = self._last
        if last is None:
            text = f"  {'':{_WIDTH}}  listening ...  {duration(now)}"
        else:
            phase = min(1.0, max(0.0, (now - last.time) * last.bpm / 60))
            text = (
                f"  {bar((1 - phase) ** 2)} {last.place:>4}  {last.bpm:6.1f} BPM  "
                f"confidence {last.confidence:.2f}  beat {self._beats:<4} {duration(now)}"
            )
        text += f"  {remark}" if remark else ""
        self._stream.write("\r" + text.ljust(self._length))
        self._stream.flush()
        self._length = len(text)

    def above(self, text: str) -> None:
        """A remark on a line of its own; the flashing line goes on below it."""
        self._stream.write("\r" + text.ljust(self._length) + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line as it is and go on below it."""
        self._stream.write("\n")
        self._stream.flush()


def bar(part: float, width: int = _WIDTH) -> str:
    """0 to 1 as a bar of fixed width."""
    eighths = round(min(1.0, max(0.0, part)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
