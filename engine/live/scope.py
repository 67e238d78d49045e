"""The scope: what a monitor sees of the streams, in memory that the control process reads at leisure.

The engine thread copies every frame and every block of audio into rings in shared memory: one kernel
call a quantum, no lock, no allocation, the oldest is written over. Readers poll; the engine process never
knows how many there are, nor how slow. Predictions go through a ring of their own, so that a monitor
can draw beats ahead of now. Nothing of this exists unless a monitor was asked for.
"""

from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, no_type_check

import numba as nb
import numpy as np
import numpy.typing as npt

from engine.audio.atomics import as_pointer, fence, load_acquire, store_release
from engine.events import Event
from engine.formats import AudioFormat, EventsFormat, FramesFormat
from engine.latency import Latency, latency_table
from engine.plan import Plan, Wire
from engine.ports import Array, Emitter, Frames

_MEMORY = 8 << 20  # bytes for all rings together
_LARGEST_ITEM = 64 << 10  # bytes; what is longer is no picture, and costs to copy
_SECONDS = 0.5  # of every stream, fifteen times what passes between two looks
_ALIGN = 64

#: What is kept of a prediction, as float64: index into `View.sayings`, key, revision, retracted.
_SAYING, _SAYING_ROOM = 4, 1024


@dataclass(frozen=True)
class Track:
    """Where the ring of one stream lies.

    Parameters
    ----------
    output : "node.port".
    format : of the stream.
    shape, dtype : of one item: a frame, or a block of audio (channels, quantum).
    room : items in the ring.
    offset : of the ring in the memory, bytes.
    """

    output: str
    format: AudioFormat | FramesFormat | EventsFormat
    shape: tuple[int, ...]
    dtype: str
    room: int
    offset: int

    @property
    def item_bytes(self) -> int:
        """Size of one item."""
        return int(np.prod(self.shape, dtype=int)) * np.dtype(self.dtype).itemsize

    @property
    def end(self) -> int:
        """Of the ring in the memory, bytes."""
        return -(-(self.offset + 8 + self.room * (8 + self.item_bytes)) // _ALIGN) * _ALIGN


@dataclass(frozen=True)
class View:
    """What the engine process tells a monitor once, when it runs.

    Parameters
    ----------
    tracks : the streams that can be seen; complex ones and very long frames are left out.
    said : the ring of predictions.
    sayings : (source, kind) of the predictions.
    wires, latency : of the plan, to be drawn.
    """

    tracks: tuple[Track, ...]
    said: Track
    sayings: tuple[tuple[str, str], ...]
    wires: tuple[Wire, ...]
    latency: tuple[Latency, ...]


@dataclass(frozen=True)
class Said:
    """A prediction as it was made: like an event, without its values."""

    source: str
    kind: str
    time: int
    key: int
    revision: int
    retracted: bool


# Columns of the table by which the kernel finds a stream: address and size of its items, hop and origin
# of their times, address of its ring, and how many items that holds.
_DATA, _SIZE, _HOP, _ORIGIN, _RING, _ROOM = range(6)


@nb.njit("void(int64[:, ::1], int64[::1], int64[::1])", nogil=True, cache=True)
@no_type_check
def _copy(table, counts, firsts):
    """Append `counts[k]` items of every stream k, the first of which has index `firsts[k]`, to its ring."""
    for k in range(len(table)):
        if counts[k] == 0:
            continue
        size, room = table[k, _SIZE], table[k, _ROOM]
        data = nb.carray(as_pointer(table[k, _DATA]), (counts[k], size), np.uint8)
        head = nb.carray(as_pointer(table[k, _RING]), 1 + room, np.int64)
        items = nb.carray(as_pointer(table[k, _RING] + 8 * (1 + room)), (room, size), np.uint8)
        for n in range(counts[k]):
            written = head[0]
            place = written % room
            head[1 + place] = table[k, _ORIGIN] + (firsts[k] + n) * table[k, _HOP]
            for i in range(size):
                items[place, i] = data[n, i]
            store_release(head, 0, written + 1)


@nb.njit(nogil=True, cache=True)
@no_type_check
def _get(head, items, read, times, out):
    """Copy all from item `read` on that is still there; returns (first, stop) of what was copied."""
    room = len(items)
    written = load_acquire(head, 0)
    first = max(read, written - room + 1)  # the oldest may be written over at this moment
    for n in range(first, written):
        times[n - first] = head[1 + n % room]
        out[n - first] = items[n % room]
    fence()
    safe = max(first, load_acquire(head, 0) - room + 1)
    return first, safe, written


def new_memory() -> Any:
    """Shared memory for the rings, to be handed to the engine process when it is started."""
    return get_context("spawn").RawArray("b", _MEMORY)


def _ring(memory: Any, track: Track) -> tuple[Array, Array]:
    """(head, items) of a track."""
    whole = np.frombuffer(memory, np.uint8)
    items = track.offset + 8 * (1 + track.room)
    head = whole[track.offset : items].view(np.int64)
    size = track.item_bytes
    return head, whole[items : items + track.room * size].reshape(track.room, size)


class Scope:
    """The engine's side.

    Parameters
    ----------
    memory : from `new_memory`.
    plan : whose streams are shown.
    """

    def __init__(self, memory: Any, plan: Plan) -> None:
        kinds = [
            (emitter.source, kind)
            for emitter in plan.streams.values()
            if isinstance(emitter, Emitter)
            for kind in emitter.kinds
        ]
        said = Track("said", EventsFormat(plan.rate), (_SAYING,), "f8", _SAYING_ROOM, 0)
        tracks = tuple(_allot(plan, said.end, len(memory)))
        self.view = View(tracks, said, tuple(kinds), plan.wires, tuple(latency_table(plan)))
        self._sayings = {pair: float(n) for n, pair in enumerate(kinds)}
        self._row = np.zeros(_SAYING)
        streams = [plan.streams[track.output] for track in tracks]
        self._frames = [(k, stream) for k, stream in enumerate(streams) if isinstance(stream, Frames)]
        self._audio = [k for k, stream in enumerate(streams) if not isinstance(stream, Frames)]
        self._pointed_to = memory, streams  # by the addresses in the tables
        self._table = np.array([_row(memory, track, plan) for track in tracks], np.int64)
        self._said = np.array([[self._row.ctypes.data, self._row.nbytes, 1, 0, *_place(memory, said)]])
        # Written from Python, so they are arrays of its own: quicker than numpy's, item by item.
        self._counts, self._firsts = (array.array("q", [1] * len(tracks)) for _ in range(2))
        self._views = np.frombuffer(self._counts, np.int64), np.frombuffer(self._firsts, np.int64)
        self._one, self._when = np.ones(1, np.int64), np.zeros(1, np.int64)
        self._quantum = plan.quantum
        for track in (*tracks, said):
            _ring(memory, track)[0][0] = 0

    def take(self, start: int, events: Sequence[Event]) -> None:
        """Copy what came in the quantum that started at sample `start`. Engine thread."""
        counts, firsts = self._counts, self._firsts
        for k, frames in self._frames:
            count = counts[k] = frames.count
            if count:
                firsts[k] = frames.first
        for k in self._audio:
            firsts[k] = start // self._quantum
        _copy(self._table, *self._views)
        for event in events:
            saying = self._sayings.get((event.source, event.kind))
            if saying is not None:
                self._row[:] = saying, event.key, event.revision, event.retracted
                self._when[0] = event.time
                _copy(self._said, self._one, self._when)


def _row(memory: Any, track: Track, plan: Plan) -> tuple[int, ...]:
    """The row of a stream in the kernel's table."""
    stream = plan.streams[track.output]
    if isinstance(stream, Frames):
        format = stream.format
        return (stream.data.ctypes.data, track.item_bytes, format.hop, format.origin, *_place(memory, track))
    assert isinstance(stream, np.ndarray)
    return (stream.ctypes.data, track.item_bytes, plan.quantum, 0, *_place(memory, track))


def _place(memory: Any, track: Track) -> tuple[int, int]:
    """Address of a track's ring, and its room."""
    return np.frombuffer(memory, np.uint8).ctypes.data + track.offset, track.room


def _allot(plan: Plan, offset: int, limit: int) -> Iterator[Track]:
    """A ring for every stream that can be shown, as long as there is room."""
    for output, format in plan.formats.items():
        stream = plan.streams[output]
        if isinstance(format, AudioFormat) and isinstance(stream, np.ndarray):
            shape, dtype, rate = stream.shape, "f4", plan.rate / plan.quantum
        elif isinstance(format, FramesFormat) and np.dtype(format.dtype).kind in "fiub":
            shape, dtype, rate = format.shape, np.dtype(format.dtype).str, format.frame_rate
        else:
            continue
        track = Track(output, format, shape, dtype, max(4, int(_SECONDS * rate)), offset)
        if track.item_bytes <= _LARGEST_ITEM and track.end <= limit:
            offset = track.end
            yield track


class Reader:
    """The control process's side: what is new since the last look."""

    def __init__(self, memory: Any, view: View) -> None:
        self.view = view
        self._rings = [_ring(memory, track) for track in (*view.tracks, view.said)]
        self._read = [0] * len(self._rings)
        self._times = [np.zeros(len(items), np.int64) for _, items in self._rings]
        self._items = [np.zeros_like(items) for _, items in self._rings]

    def read(self, index: int) -> tuple[npt.NDArray[np.int64], Array]:
        """The new items of `view.tracks[index]`: input samples (n,) and items (n, *shape).

        A frame's sample is its centre, a block's its first. Both arrays are valid until the next call.
        """
        track = self.view.tracks[index]
        times, items = self._new(index)
        return times, items.view(track.dtype).reshape(len(times), *track.shape)

    def said(self) -> list[Said]:
        """The new predictions."""
        times, items = self._new(len(self._rings) - 1)
        rows = items.view(np.float64).reshape(len(times), _SAYING)
        return [
            Said(*self.view.sayings[int(row[0])], int(time), int(row[1]), int(row[2]), bool(row[3]))
            for time, row in zip(times, rows, strict=True)
        ]

    def _new(self, index: int) -> tuple[npt.NDArray[np.int64], Array]:
        times, items = self._times[index], self._items[index]
        first, safe, stop = _get(*self._rings[index], self._read[index], times, items)
        self._read[index] = stop
        return times[safe - first : stop - first], items[safe - first : stop - first]
