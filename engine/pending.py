"""Predictions that wait for their moment and may be amended until then."""

from __future__ import annotations

import heapq

from engine.events import Event


class Pending:
    """Events ordered by when they are due; the highest revision of an identity wins.

    Parameters
    ----------
    lead : samples by which an event is due before its time (negative: after it).
    corrections : output ports as (source, kind) whose late revisions are passed on as corrections.
    """

    #: Identities of fired events are remembered for this many further events.
    MEMORY = 4096

    def __init__(self, lead: int = 0, corrections: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.lead = lead
        self._corrections = corrections
        self._heap: list[tuple[int, int, tuple[str, str, int], int]] = []
        self._waiting: dict[tuple[str, str, int], Event] = {}
        self._fired: dict[tuple[str, str, int], int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        """Take a new prediction or a new revision of one; what has fired is not fired again."""
        identity = event.identity
        fired = self._fired.get(identity)
        if fired is not None:
            correctable = (event.source, event.kind) in self._corrections
            if event.revision <= fired or not correctable:
                return
        waiting = self._waiting.get(identity)
        if waiting is not None and event.revision < waiting.revision:
            return
        self._waiting[identity] = event
        heapq.heappush(self._heap, (event.time - self.lead, self._count, identity, event.revision))
        self._count += 1

    def next_due(self) -> int | None:
        """Input sample at which the next event is due, or None."""
        while self._heap and self._stale(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, sample: int) -> list[Event]:
        """The events due before input sample `sample`, in the order of their due time."""
        due: list[Event] = []
        while (at := self.next_due()) is not None and at < sample:
            identity = heapq.heappop(self._heap)[2]
            event = self._waiting.pop(identity)
            if not event.retracted:
                due.append(event)
                self._remember(identity, event.revision)
        return due

    def clear(self) -> None:
        """Forget what waits and what has fired."""
        self._heap.clear()
        self._waiting.clear()
        self._fired.clear()

    def _stale(self, entry: tuple[int, int, tuple[str, str, int], int]) -> bool:
        at, _, identity, revision = entry
        event = self._waiting.get(identity)
        return event is None or event.revision != revision or event.time - self.lead != at

    def _remember(self, identity: tuple[str, str, int], revision: int) -> None:
        self._fired.pop(identity, None)
        self._fired[identity] = revision
        if len(self._fired) > self.MEMORY:
            del self._fired[next(iter(self._fired))]
