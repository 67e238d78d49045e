"""What people see: tables, durations, colours where there is a terminal to show them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at `stream` on a terminal that understands cursor movements."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def note(text: str) -> None:
    """A remark for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns under a header, two spaces apart; the columns in `right` are aligned to the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def row(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([row(header), row(["-" * width for width in widths]), *map(row, rows)])


def duration(seconds: float) -> str:
    """Stream time for people: 83.5 -> "1:23.5", 3723 -> "1:02:03.0"."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{clock}:{tenths // 10:02d}.{tenths % 10}"


def milliseconds(seconds: float) -> str:
    """Seconds as "12.3 ms"."""
    return f"{seconds * 1000:.1f} ms"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep C libraries from writing to stderr (ALSA and JACK, when asked what is there, tell what is not)."""
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
