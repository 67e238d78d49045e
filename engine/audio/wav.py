"""WAV files that survive a crash: 32-bit float, and readable at every moment while they are written."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from engine.audio.door import Block

_FLOAT = 3  # WAVE_FORMAT_IEEE_FLOAT
_HEADER = 12 + 36 + 24 + 8  # RIFF, room for ds64, fmt, head of data
_LARGEST = 0xFFFFFFFF


class WavWriter:
    """Writes blocks (channels, samples), float32, exactly as they are.

    The header is put right at every `flush`, so a killed process leaves a good file up to there. Beyond
    4 GiB the file turns into RF64 (EBU Tech 3306), for which room is kept in the header.
    """

    def __init__(self, path: str | Path, rate: int, channels: int) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 (lives as long as the writer)
        self._frame = 4 * channels
        self._rate, self._channels = rate, channels
        self.samples = 0
        self._write_header()

    def write(self, block: Block) -> None:
        """Append a block (channels, samples)."""
        self._file.write(np.ascontiguousarray(block.T, "<f4").tobytes())
        self.samples += block.shape[1]

    def flush(self) -> None:
        """Make the file on disk good up to here."""
        self._file.flush()
        self._write_header()
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def _write_header(self) -> None:
        data = self.samples * self._frame
        total = data + _HEADER - 8
        big = total > _LARGEST
        header = struct.pack("<4sI4s", b"RF64" if big else b"RIFF", min(total, _LARGEST), b"WAVE")
        sizes = (total, data, self.samples) if big else (0, 0, 0)
        header += struct.pack("<4sIQQQI", b"ds64" if big else b"JUNK", 28, *sizes, 0)
        header += struct.pack(
            "<4sIHHIIHH",
            b"fmt ",
            16,
            _FLOAT,
            self._channels,
            self._rate,
            self._rate * self._frame,
            self._frame,
            32,
        )
        header += struct.pack("<4sI", b"data", min(data, _LARGEST))
        assert len(header) == _HEADER
        self._file.seek(0)
        self._file.write(header)
        self._file.seek(0, 2)
