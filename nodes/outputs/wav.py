"""Audio to a WAV file."""

from __future__ import annotations

from typing import Any

import numpy as np
import soundfile

from engine.errors import FollowspotError
from engine.sink import AudioFormat, Format, Param, Sink


class Wav(Sink):
    """Writes one audio stream to a WAV file, 32-bit float, of the stream's rate and channels.

    Blocks that never came (a gap of the engine) are written as silence, so that a second of the file
    stays a second of the stream. The header is brought up to date every two seconds: after a kill
    the file is readable up to then by any reader (and to the last block by those built on libsndfile).

    A WAV file ends at 4 GiB: 3.4 hours of stereo at 44.1 kHz.

    Errors: a file that cannot be written is reported and tried again by the dispatcher, which goes
    on at the end of what is there.
    """

    accepts = frozenset({"audio"})
    offline = True

    path = Param("out.wav", help="file to write")

    #: Seconds of audio between two updates of the header.
    SAVE_EVERY = 2

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._file: soundfile.SoundFile | None = None
        self._next: int | None = None

    def open(self, wires: dict[str, Format]) -> None:
        audio = [format for format in wires.values() if isinstance(format, AudioFormat)]
        if len(audio) != 1:
            raise FollowspotError(f"{self.id}: a WAV file takes one audio wire, not {len(audio)}")
        self._format = audio[0]
        if self._next is None:
            self._create()
        else:
            self._go_on()

    def send_audio(self, wire: str, start: int, block: Any) -> None:
        if self._file is None:
            self._go_on()
        if self._next is None:
            self._next = self._saved = start
        for begin in range(self._next, start, self._format.rate):
            count = min(self._format.rate, start - begin)
            self._write(np.zeros((count, self._format.channels), np.float32))
        self._write(block.T)
        if self._next - self._saved >= self.SAVE_EVERY * self._format.rate:
            self.close()
            self._saved = self._next

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _create(self) -> None:
        try:
            self._file = soundfile.SoundFile(
                self.path, "w", self._format.rate, self._format.channels, "FLOAT", format="WAV"
            )
        except soundfile.LibsndfileError as error:
            raise self._unwritable(error) from None

    def _go_on(self) -> None:
        try:
            self._file = soundfile.SoundFile(self.path, "r+")
            self._file.seek(0, soundfile.SEEK_END)
        except soundfile.LibsndfileError as error:
            raise self._unwritable(error) from None

    def _write(self, samples: Any) -> None:
        assert self._file is not None and self._next is not None
        try:
            self._file.write(samples)
        except soundfile.LibsndfileError as error:
            raise self._unwritable(error) from None
        self._next += len(samples)

    def _unwritable(self, error: soundfile.LibsndfileError) -> FollowspotError:
        return FollowspotError(f"{self.path} cannot be written ({error.error_string}): set another path")
