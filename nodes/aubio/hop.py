"""What the aubio adapters share: exact hops for aubio, whatever the quantum."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioIn, FramesFormat, HopNode, Param


class AubioNode(HopNode):
    """Base of the adapters: mono in, one aubio object that is fed `hop` samples at a time.

    aubio keeps its own window; ours is the hop. The object has no way back to its first state, so `reset`
    makes a new one.
    """

    requires = ("aubio",)

    audio = AudioIn("mono audio")

    window = Param(1024, low=64, high=8192, unit="samples", help="aubio's buffer size, at least the hop")
    hop = Param(512, low=32, high=4096, unit="samples", help="aubio's hop size")

    def make(self, aubio: Any) -> Any:
        """The aubio object."""
        raise NotImplementedError

    def hops(self, audio: AudioFormat, **rest: Any) -> FramesFormat:
        """Framing of the hops; frames are stamped with the centre of aubio's window."""
        if audio.channels != 1:
            raise ValueError(f"takes one channel, not {audio.channels}: mix them at the input")
        if self.window < self.hop:
            raise ValueError(f"window {self.window} is shorter than hop {self.hop}: take {2 * self.hop}")
        self._aubio = _import_aubio()
        self.framing(audio, self.hop, self.hop)
        self._hop_in = np.zeros(self.hop, np.float32)
        self._object = self.make(self._aubio)
        self._key, self._origin, self._lag = 0, 0, audio.latency
        half = self.window // 2
        return FramesFormat(
            audio.rate,
            self.hop,
            self.hop - half - audio.latency,
            latency=half + audio.latency,
            **rest,
        )

    def reset(self) -> None:
        super().reset()
        self._object = self.make(self._aubio)
        self._key = 0
        self._origin = 0

    def gap(self, start: int, length: int) -> None:
        key = self._key
        super().gap(start, length)
        # A new aubio object counts from 0: from the first whole hop after the gap.
        self._key, self._origin = key, self._index * self.hop

    def time_of_last(self) -> int:
        """Input sample of the last onset or beat."""
        return int(self._origin + self._object.get_last() - self._lag)

    def heard(self, window: np.ndarray) -> Any:
        """What aubio says to the next hop."""
        self._hop_in[:] = window[0]  # aubio wants memory of its own
        return self._object(self._hop_in)


def _import_aubio() -> Any:
    try:
        import aubio
    except ImportError as error:
        raise FollowspotError(
            f"aubio cannot be imported ({error}): pip install 'followspot[aubio]'"
        ) from None
    return aubio
