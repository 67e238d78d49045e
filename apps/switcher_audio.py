"""Sound of several recordings, second by second, at one rate, as a page can join it without a seam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from engine.audio.files import AudioFile

Array = npt.NDArray[Any]

#: Samples a second that the page is given.
RATE = 44100
_PEAKS = 1200  # points of an outline


class Recording:
    """One recording, read where it is wanted.

    Raises FollowspotError, one line, if it is no sound file.
    """

    def __init__(self, path: str) -> None:
        AudioFile(path, RATE, RATE)  # says what is wrong with it
        self.path = path
        info = soundfile.info(path)
        self.rate = info.samplerate
        self.channels = min(2, info.channels)
        self.seconds = info.frames / info.samplerate

    def samples(self, second: int, count: int) -> bytes:
        """`count` whole seconds from `second` on, int16 little-endian, interleaved, zeros after the end.

        Resampled with a second of context at either side: parts that are fetched apart join exactly,
        as a whole second is a whole number of samples at both rates.
        """
        before = min(second, 1)
        with soundfile.SoundFile(self.path) as file:
            start = (second - before) * self.rate
            wanted = (count + before + 1) * self.rate
            sound = np.zeros((wanted, file.channels), np.float32)
            if start < file.frames:
                file.seek(start)
                got = file.read(wanted, "float32", always_2d=True)
                sound[: len(got)] = got
        sound = sound[:, : self.channels]
        if self.rate != RATE:
            sound = soxr.resample(sound, self.rate, RATE)
        part = sound[before * RATE : (before + count) * RATE]
        return np.round(np.clip(part, -1.0, 1.0) * 32767).astype("<i2").tobytes()

    def outline(self) -> list[float]:
        """Peaks of the sound from beginning to end, 0 to 1, for a drawing."""
        peaks = []
        with soundfile.SoundFile(self.path) as file:
            size = max(1, -(-file.frames // _PEAKS))
            for block in file.blocks(size, dtype="float32", always_2d=True):
                peaks.append(round(float(np.abs(block).max(initial=0.0)), 3))
        return peaks

    @property
    def name(self) -> str:
        """Of the file, without the folder."""
        return Path(self.path).name
