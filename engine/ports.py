"""Ports: declared on the class, bound to a live stream when a graph is compiled.

In `process` the attribute of a port *is* its stream: an `AudioIn` is the array of this quantum, a
`FramesIn` the frames delivered in it, an `EventsIn` the list of events of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from engine.events import Event
from engine.formats import FramesFormat

Array = npt.NDArray[Any]


class Frames:
    """The frames of one stream that were delivered in this quantum.

    Attributes
    ----------
    format : of the stream.
    data : shape (capacity, *shape); only the first `count` entries are of this quantum.
    slots : the entries of `data` as views made once.
    count : frames delivered in this quantum.
    first : index of the first of them; frame k belongs to input sample `time(k)`.
    """

    __slots__ = ("count", "data", "first", "format", "slots")

    def __init__(self, format: FramesFormat, capacity: int) -> None:
        self.format = format
        self.data: Array = np.zeros((capacity, *format.shape), format.dtype)
        self.slots: tuple[Array, ...] = tuple(self.data[k, ...] for k in range(capacity))
        self.count = 0
        self.first = 0

    def time(self, k: int) -> int:
        """Input sample of the k-th frame of this quantum."""
        return self.format.origin + (self.first + k) * self.format.hop

    def push(self, index: int) -> Array:
        """The slot to write frame `index` into. Called by the node that owns the output."""
        count = self.count
        if count == 0:
            self.first = index
        self.count = count + 1
        return self.slots[count]

    def clear(self) -> None:
        """Forget the frames of the last quantum."""
        self.count = 0


class Emitter:
    """Where a node puts its events. `clock` is shared by the plan and holds the samples consumed so far."""

    __slots__ = ("clock", "events", "kinds", "source")

    def __init__(self, source: str, kinds: tuple[str, ...], clock: Clock) -> None:
        self.source = source
        self.kinds = kinds
        self.clock = clock
        self.events: list[Event] = []

    def emit(
        self,
        kind: str,
        time: int,
        *,
        key: int = 0,
        revision: int = 0,
        retracted: bool = False,
        **values: Any,
    ) -> None:
        """Say that `kind` happens at input sample `time`; `values` are its payload."""
        if kind not in self.kinds:
            raise FollowspotError(f"{self.source} emits {kind!r}, but declares only {', '.join(self.kinds)}")
        self.events.append(
            Event(kind, int(time), self.clock.stop, self.source, key, revision, retracted, values)
        )


class Clock:
    """The quantum being processed: input samples [start, stop)."""

    __slots__ = ("start", "stop")

    def __init__(self) -> None:
        self.start = 0
        self.stop = 0


class Port:
    """A declared port. `optional` inputs may stay unconnected."""

    kind = ""
    direction = ""

    def __init__(self, help: str = "", *, optional: bool = False) -> None:
        self.help = help
        self.optional = optional
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def _unbound(self, instance: object) -> FollowspotError:
        return FollowspotError(
            f"{type(instance).__name__}.{self.name} is not connected: compile a graph first"
        )


class AudioIn(Port):
    """Audio in: in `process`, an array (channels, quantum), float32, read only."""

    kind, direction = "audio", "in"

    @overload
    def __get__(self, instance: None, owner: type) -> AudioIn: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Array: ...
    def __get__(self, instance: object | None, owner: type) -> AudioIn | Array:
        if instance is None:
            return self
        raise self._unbound(instance)


class AudioOut(Port):
    """Audio out: in `process`, an array (channels, quantum), float32, to be filled whole."""

    kind, direction = "audio", "out"

    @overload
    def __get__(self, instance: None, owner: type) -> AudioOut: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Array: ...
    def __get__(self, instance: object | None, owner: type) -> AudioOut | Array:
        if instance is None:
            return self
        raise self._unbound(instance)


class FramesIn(Port):
    """Frames in. The frame inputs of one node are aligned: frames of equal times come together."""

    kind, direction = "frames", "in"

    @overload
    def __get__(self, instance: None, owner: type) -> FramesIn: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Frames: ...
    def __get__(self, instance: object | None, owner: type) -> FramesIn | Frames:
        if instance is None:
            return self
        raise self._unbound(instance)


class FramesOut(Port):
    """Frames out. `on_fault`: what consumers see when the node has failed ("nothing" or "hold")."""

    kind, direction = "frames", "out"

    def __init__(self, help: str = "", *, on_fault: str = "nothing") -> None:
        super().__init__(help)
        self.on_fault = on_fault

    @overload
    def __get__(self, instance: None, owner: type) -> FramesOut: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Frames: ...
    def __get__(self, instance: object | None, owner: type) -> FramesOut | Frames:
        if instance is None:
            return self
        raise self._unbound(instance)


class EventsIn(Port):
    """Events in: in `process`, the list of events said in this quantum."""

    kind, direction = "events", "in"

    @overload
    def __get__(self, instance: None, owner: type) -> EventsIn: ...
    @overload
    def __get__(self, instance: object, owner: type) -> list[Event]: ...
    def __get__(self, instance: object | None, owner: type) -> EventsIn | list[Event]:
        if instance is None:
            return self
        raise self._unbound(instance)


class EventsOut(Port):
    """Events out. `kinds` names what may be emitted, each with one line about its payload.

    `corrections`: a revision of an event that has already fired is sent on as well (a drum class put
    right); without it a late revision is dropped, because a light cannot be taken back.
    """

    kind, direction = "events", "out"

    def __init__(self, help: str, *, kinds: Mapping[str, str], corrections: bool = False) -> None:
        super().__init__(help)
        self.kinds = dict(kinds)
        self.corrections = corrections

    @overload
    def __get__(self, instance: None, owner: type) -> EventsOut: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Emitter: ...
    def __get__(self, instance: object | None, owner: type) -> EventsOut | Emitter:
        if instance is None:
            return self
        raise self._unbound(instance)


def ports_of(owner: type, direction: str) -> dict[str, Port]:
    """All ports of a class and its bases in one direction, in the order of declaration."""
    found: dict[str, Port] = {}
    for base in reversed(owner.__mro__):
        for name, item in vars(base).items():
            if isinstance(item, Port) and item.direction == direction:
                found[name] = item
    return found
