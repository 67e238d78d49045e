"""Sound files, read as a stream: an hour never lies in memory. They come in by the same door as a device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.door import Block, Door
from engine.errors import FollowspotError

_CHUNK = 4096  # frames a read; any value gives the same quanta


class AudioFile:
    """Anything soundfile reads (WAV, FLAC, Ogg, MP3, AIFF, CAF, ...), as quanta of the engine.

    Parameters
    ----------
    path : of the file.
    rate, quantum : of the engine.
    channels : "mix" or 1-based channel numbers.
    even : see `Door`.

    Raises FollowspotError, one line, if it is missing, no sound file, empty, or lacks a channel.
    """

    def __init__(
        self,
        path: str | Path,
        rate: int,
        quantum: int,
        channels: str | tuple[int, ...] = "mix",
        even: bool = True,
    ) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FollowspotError(f"input {path}: there is no such file; check the path")
        if self.path.is_dir():
            raise FollowspotError(f"input {path}: is a folder; name one file in it")
        if self.path.stat().st_size == 0:
            raise FollowspotError(f"input {path}: the file is empty; record or copy it again")
        try:
            self._file = soundfile.SoundFile(str(path))
        except (soundfile.LibsndfileError, OSError) as error:
            reason = str(getattr(error, "error_string", error)).rstrip(". ")
            raise FollowspotError(
                f"input {path}: cannot be read as sound ({reason}); "
                "give a WAV, FLAC, Ogg, MP3 or AIFF file, or convert it"
            ) from None
        if self._file.frames == 0:
            self._file.close()
            raise FollowspotError(f"input {path}: holds no sound; record or copy it again")
        try:
            self._door = Door(self._file.samplerate, self._file.channels, rate, quantum, channels, even)
        except FollowspotError as error:
            self._file.close()
            raise FollowspotError(f"input {path}: {error}") from None

    @property
    def samples(self) -> int:
        """Samples at the engine's rate, as the header promises; for progress."""
        return self._door.samples(self._file.frames)

    @property
    def seconds(self) -> float:
        """Duration as the header promises."""
        return float(self._file.frames / self._file.samplerate)

    def blocks(self) -> Iterator[Block]:
        """Quanta (channels, quantum), float32, the last filled with zeros; each is valid until the next.

        A file that breaks off gives all that can be read before FollowspotError is raised.
        """
        fault = ""
        read = 0
        chunk = np.zeros((_CHUNK, self._file.channels), np.float32)
        with self._file:
            while True:
                chunk.fill(np.nan)
                try:
                    got = self._file.read(_CHUNK, "float32", always_2d=True, out=chunk)
                except (soundfile.LibsndfileError, OSError) as error:
                    fault = str(getattr(error, "error_string", error)).rstrip(". ")
                    # What came before the fault lies in the chunk; libsndfile does not say how much.
                    filled = np.flatnonzero(np.isfinite(chunk).all(axis=1))
                    got = chunk[: filled[-1] + 1] if len(filled) else chunk[:0]
                read += len(got)
                self._door.push(got)
                while (block := self._door.pull()) is not None:
                    yield block
                if fault or len(got) == 0:
                    break
            fault = fault or self._shortfall(read)
        self._door.finish()
        while (block := self._door.pull()) is not None:
            yield block
        if fault:
            at = read / self._door.source_rate
            raise FollowspotError(
                f"input {self.path}: breaks off at {at:.2f} s ({fault}); "
                "all before that was used; copy the file again"
            )

    def _shortfall(self, read: int) -> str:
        """How the file falls short of its header, or ""."""
        if read < self._file.frames:
            return f"its header promises {self.seconds:.2f} s"
        # libsndfile takes a truncated WAV for shorter and tells only its log: "data : 400 (should be 200)".
        wrong = re.search(r"^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", self._file.extra_info, re.M)
        if wrong and int(wrong.group(2)) < int(wrong.group(1)) < 0x7FFF0000:
            return "its header promises more"
        return ""

    def close(self) -> None:
        """Close without reading to the end."""
        self._file.close()


class Silence:
    """Nothing to hear for `seconds`: the clock of a graph that listens to something else (MIDI)."""

    def __init__(
        self, seconds: float, rate: int, quantum: int, channels: str | tuple[int, ...] = "mix"
    ) -> None:
        self.seconds = seconds
        self.samples = round(seconds * rate)
        self._block = np.zeros((1 if isinstance(channels, str) else len(channels), quantum), np.float32)

    def blocks(self) -> Iterator[Block]:
        """As many quanta as it takes."""
        for _ in range(-(-self.samples // self._block.shape[1])):
            self._block.fill(0.0)
            yield self._block

    def close(self) -> None:
        """Nothing is open."""


def open_sound(
    path: str, rate: int, quantum: int, channels: str | tuple[int, ...] = "mix"
) -> AudioFile | Silence:
    """A sound file, or `silence:SECONDS`."""
    what, _, seconds = path.partition(":")
    if what != "silence":
        return AudioFile(path, rate, quantum, channels)
    try:
        length = float(seconds)
    except ValueError:
        raise FollowspotError(f"input {path}: silence:SECONDS takes a number, as in silence:60") from None
    return Silence(length, rate, quantum, channels)
