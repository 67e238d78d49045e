"""The formats that travel along wires, resolved once when a graph is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class AudioFormat:
    """Audio, float32 of shape (channels, quantum).

    Parameters
    ----------
    rate : sample rate in Hz.
    channels : number of channels.
    latency : samples by which the stream lags the input: its sample n belongs to input sample n - latency.
    """

    rate: int
    channels: int = 1
    latency: int = 0

    def __str__(self) -> str:
        return f"audio {self.channels} ch {self.rate} Hz"


@dataclass(frozen=True)
class FramesFormat:
    """Frames on a regular grid: frame i belongs to input sample origin + i * hop (its window centre).

    Parameters
    ----------
    rate : sample rate in Hz of the input that `hop`, `origin` and `latency` count.
    hop : samples from one frame to the next.
    origin : input sample of frame 0; negative where the first window reaches back before the start.
    shape : shape of one frame; () for a scalar.
    dtype : of one frame.
    latency : samples from the frame's time to the moment it can be delivered (half a window for a
        centred frame).
    unit : of the values, for people.
    labels : what the entries of a frame stand for (band centres in Hz, tempi in BPM, pitch classes).
    """

    rate: int
    hop: int
    origin: int
    shape: tuple[int, ...] = ()
    dtype: Any = np.float32
    latency: int = 0
    unit: str = ""
    labels: tuple[float | str, ...] = ()

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.rate / self.hop

    def time(self, index: int) -> int:
        """Input sample that frame `index` belongs to."""
        return self.origin + index * self.hop

    def count_at(self, consumed: int) -> int:
        """How many frames can have been delivered once `consumed` input samples have gone in."""
        return max(0, (consumed - self.latency - self.origin) // self.hop + 1)

    def __str__(self) -> str:
        shape = "x".join(str(n) for n in self.shape) or "scalar"
        return f"frames {shape} at {self.frame_rate:.4g} Hz"


@dataclass(frozen=True)
class EventsFormat:
    """Sparse events, each with its own time.

    Parameters
    ----------
    rate : sample rate in Hz of the event times.
    latency : (least, most) samples from an event's time to its emission; negative where it is
        foretold.
    """

    rate: int
    latency: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        return "events"


Format = AudioFormat | FramesFormat | EventsFormat
