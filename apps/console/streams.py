"""Streams as they go to a browser: reduced to what a screen can show, in compact binary messages."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.formats import AudioFormat, FramesFormat
from engine.live.scope import Track

_HEAT_ROWS = 96
_CURVES = 6  # a frame of at most so many values is drawn as curves
_DECIBELS = 72.0  # of a spectrum, from its peak down
_FADE_SECONDS = 8.0  # in which the peak that colours are scaled by falls to a third
_LOWEST, _HIGHEST = 40.0, 16000.0  # Hz

#: Of a message: number, 0, stream seconds now. Of a part: stream, items, rows, type (0 float32, 1 uint8), 0,
#: seconds of the first item, seconds from one to the next.
MESSAGE, PART = struct.Struct("<IId"), struct.Struct("<HHHBBdd")


class Stream:
    """One stream and how it is drawn.

    Attributes
    ----------
    mode : "wave" (least and largest sample of each quantum), "curves" (values) or "heat" (0 to 255).
    rows : numbers per item. axis : what the rows of a heat map stand for, or empty.
    """

    def __init__(self, index: int, track: Track, rate: int) -> None:
        self.index, self.track = index, track
        format = track.format
        self._rate = rate
        self.axis: list[float | str] = []
        if isinstance(format, AudioFormat):
            self.mode, self.rows, self._hop = "wave", 2, track.shape[-1]
            return
        assert isinstance(format, FramesFormat)
        self._hop = format.hop
        size = int(np.prod(track.shape, dtype=int))
        self.mode = "curves" if size <= _CURVES else "heat"
        self.rows = size
        labels: list[Any] = list(format.labels)
        self.axis = labels if len(labels) == size else []
        if self.mode == "curves":
            return
        last = track.shape[-1]
        self._spectrum = len(labels) == last and all(isinstance(x, int | float) for x in labels)
        self._spectrum = self._spectrum and labels[-1] > 1500  # otherwise BPM or other small numbers
        starts, centres = _pools(labels if self._spectrum else [], last)
        self._starts, self.rows = starts, len(starts)
        if self._spectrum:
            self.axis = [round(hz, 1) for hz in centres]
        elif len(labels) == last:
            self.axis = [labels[start] for start in starts]
        self._peak = 0.0
        self._fade = float(np.exp(-self._hop / rate / _FADE_SECONDS))

    def describe(self, type: str) -> dict[str, Any]:
        """For `about`; `type` is that of the node."""
        return {
            "index": self.index,
            "output": self.track.output,
            "type": type,
            "mode": self.mode,
            "rows": self.rows,
            "axis": self.axis,
            "unit": getattr(self.track.format, "unit", ""),
            "step": self._hop / self._rate,
        }

    def parts(self, times: npt.NDArray[np.int64], items: npt.NDArray[Any]) -> bytes:
        """New items as parts of a message; more than one where time jumps."""
        if len(times) == 0:
            return b""
        numbers = self._reduce(items)
        breaks = np.flatnonzero(np.diff(times) != self._hop) + 1
        edges = [0, *breaks.tolist(), len(times)]
        return b"".join(self._part(int(times[a]), numbers[a:b]) for a, b in pairwise(edges))

    def _part(self, time: int, numbers: npt.NDArray[Any]) -> bytes:
        kind = 1 if numbers.dtype == np.uint8 else 0
        head = PART.pack(
            self.index, len(numbers), self.rows, kind, 0, time / self._rate, self._hop / self._rate
        )
        body = numbers.tobytes()
        return head + body + bytes(-len(body) % 8)

    def _reduce(self, items: npt.NDArray[Any]) -> npt.NDArray[Any]:
        count = len(items)
        if self.mode == "wave":
            flat = items.reshape(count, -1)
            return np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1).astype(np.float32)
        if self.mode == "curves":
            return np.nan_to_num(items.reshape(count, -1).astype(np.float32))
        rows = np.nan_to_num(items.reshape(count, -1, self.track.shape[-1]).max(axis=1).astype(np.float32))
        return self._colours(np.maximum.reduceat(rows, self._starts, axis=1))

    def _colours(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """0 to 255, scaled by the peak of the last seconds; a spectrum in dB."""
        scaled = np.empty(rows.shape, np.float32)
        for out, row in zip(scaled, np.abs(rows) if self._spectrum else rows, strict=True):
            self._peak = max(float(row.max()), self._peak * self._fade, 1e-9)
            np.divide(row, self._peak, out=out)
        if self._spectrum:
            scaled = 1 + 20 * np.log10(np.maximum(scaled, 1e-6)) / _DECIBELS
        return np.clip(scaled * 255, 0, 255).astype(np.uint8)


def _pools(frequencies: list[float], size: int) -> tuple[npt.NDArray[np.int64], list[float]]:
    """Where each row of the picture begins among the entries of a frame, and its centre in Hz.

    A long frame is pooled; frequencies are spaced evenly in pitch as far as the bins allow.
    """
    if not frequencies or size <= _HEAT_ROWS:
        starts = np.unique(np.linspace(0, size, min(size, _HEAT_ROWS), endpoint=False).astype(np.int64))
    else:
        low, high = max(_LOWEST, frequencies[1]), min(_HIGHEST, frequencies[-1])
        edges = np.geomspace(low, high, _HEAT_ROWS + 1)[:-1]
        starts = np.unique(np.searchsorted(frequencies, edges)).astype(np.int64)
    stops = np.append(starts[1:], size)
    centres = (
        [frequencies[(a + b - 1) // 2] for a, b in zip(starts, stops, strict=True)] if frequencies else []
    )
    return starts, centres


def message(parts: dict[int, bytes], wanted: frozenset[int], number: int, now: float | None) -> bytes:
    """A binary message with the parts that one client watches."""
    head = MESSAGE.pack(number & 0xFFFFFFFF, 0, float("nan") if now is None else now)
    return head + b"".join(parts[index] for index in sorted(wanted) if index in parts)
