"""The telemetry page: what the engine process shows, in memory that the control process reads at leisure.

One writer, any number of readers, no lock: a sequence number that is odd while the page is written
(seqlock). The page is anonymous shared memory, handed over when the process is started, so nothing
is left behind whichever process is killed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, no_type_check

import numba as nb
import numpy as np

from engine.audio.atomics import fence, load_acquire, store_release
from engine.budget import OVERLOAD
from engine.live.dispatcher import SINK_STATES
from engine.live.scope import View

#: The most nodes, sinks and channels that are shown.
MAX_NODES, MAX_SINKS, MAX_CHANNELS = 128, 32, 16

STATES = ("starting", "running", "waiting for the input", "ended")

_PAGE = np.dtype(
    [
        ("heartbeat", "i8"),
        ("state", "i8"),
        ("position", "i8"),
        ("ns", "i8"),
        ("line", "f8", 3),
        ("ppm", "f8"),
        ("jitter", "f8"),
        ("overload", "i8"),
        ("backlog", "i8"),
        ("entered", "i8", len(OVERLOAD)),
        ("xruns", "i8"),
        ("gaps", "i8"),
        ("lost", "i8"),
        ("overruns", "i8"),
        ("wake", "f8", 3),
        ("levels", "f8", (MAX_CHANNELS, 2)),
        ("nodes", "f8", (MAX_NODES, 4)),
        ("sinks", "f8", (MAX_SINKS, 8)),
    ]
)


@dataclass(frozen=True)
class Names:
    """What the rows of the page stand for; the engine process sends it once, when it runs."""

    rate: int
    quantum: int
    channels: int
    nodes: tuple[str, ...]
    sinks: tuple[str, ...]
    device: str = ""
    view: View | None = None


@dataclass(frozen=True)
class SinkHealth:
    """One sink: its status, lateness in ms, and counts."""

    status: str
    late_p50: float
    late_p99: float
    late_max: float
    fired: int
    stale: int
    dropped: int
    failures: int


@dataclass(frozen=True)
class Snapshot:
    """The engine at one moment.

    Attributes
    ----------
    state : one of STATES. heartbeat : turns of the engine's loop so far.
    position : samples consumed. ns : monotonic host time of the snapshot.
    line : (sample, host ns, ns a sample), the clock; None before the first sample.
    ppm, jitter : of the device's clock; jitter in ms.
    overload, entered : state of the ladder, and how often each was entered.
    backlog : quanta waiting. xruns : blocks flagged by the device.
    gaps, lost : declared gaps and the samples in them. overruns : quanta that took too long.
    wake : ms from the callback to the engine thread: median, 99 %, maximum.
    levels : per channel (peak, root mean square), 0 to 1.
    loads : per node, and "quantum" for all: us a quantum (mean, p50, p99, maximum).
    sinks : health by id.
    """

    state: str = STATES[0]
    heartbeat: int = 0
    position: int = 0
    ns: int = 0
    line: tuple[float, float, float] | None = None
    ppm: float = 0.0
    jitter: float = 0.0
    overload: str = "ok"
    entered: dict[str, int] = field(default_factory=dict)
    backlog: int = 0
    xruns: int = 0
    gaps: int = 0
    lost: int = 0
    overruns: int = 0
    wake: tuple[float, float, float] = (0.0, 0.0, 0.0)
    levels: tuple[tuple[float, float], ...] = ()
    loads: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    sinks: dict[str, SinkHealth] = field(default_factory=dict)


@nb.njit("void(int8[::1], int64[::1], int8[::1])", nogil=True, cache=True)
@no_type_check
def _publish(shared, sequence, private):
    odd = sequence[0] | 1
    store_release(sequence, 0, odd)
    fence()
    for i in range(len(private)):
        shared[i] = private[i]
    store_release(sequence, 0, odd + 1)


@nb.njit("boolean(int8[::1], int64[::1], int8[::1])", nogil=True, cache=True)
@no_type_check
def _copy(shared, sequence, private):
    before = load_acquire(sequence, 0)
    if before & 1:
        return False
    for i in range(len(private)):
        private[i] = shared[i]
    fence()
    return load_acquire(sequence, 0) == before


@nb.njit("void(float32[:, :], float64[:, ::1])", nogil=True, cache=True)
def measure(block, levels):  # type: ignore[no-untyped-def]
    """Add a quantum to per-channel (peak, sum of squares)."""
    for c in range(min(block.shape[0], levels.shape[0])):
        for n in range(block.shape[1]):
            x = block[c, n]
            levels[c, 0] = max(levels[c, 0], abs(x))
            levels[c, 1] += x * x


def new_memory() -> Any:
    """Shared memory for a page, to be handed to the engine process when it is started."""
    return get_context("spawn").RawArray("b", 8 + _PAGE.itemsize)


class Page:
    """A view of the shared page; the engine process writes, the control process reads."""

    def __init__(self, memory: Any) -> None:
        whole = np.frombuffer(memory, np.int8)
        self._sequence = whole[:8].view(np.int64)
        self._shared = whole[8:]
        self._bytes = np.zeros(_PAGE.itemsize, np.int8)
        #: What the writer fills before `publish`.
        self.row = self._bytes.view(_PAGE)[0]
        self._last = Snapshot()

    def publish(self) -> None:
        """Show `row` as it is now. One thread of the engine process."""
        _publish(self._shared, self._sequence, self._bytes)

    def clear(self) -> None:
        """Before an engine process is started: forget what the last one wrote, half a page maybe."""
        self._bytes[:] = 0
        self._sequence[:] = 0
        self.publish()
        self._last = Snapshot()

    def read(self, names: Names | None) -> Snapshot:
        """The page now. While it is being written, look again for a millisecond, then the last one."""
        for _ in range(10):
            if _copy(self._shared, self._sequence, self._bytes):
                self._last = _snapshot(self.row, names)
                break
            time.sleep(0.0001)
        return self._last


def _snapshot(row: Any, names: Names | None) -> Snapshot:
    nodes = (*names.nodes, "quantum") if names else ()
    sinks = names.sinks if names else ()
    overload = list(OVERLOAD)
    return Snapshot(
        state=STATES[int(row["state"])],
        heartbeat=int(row["heartbeat"]),
        position=int(row["position"]),
        ns=int(row["ns"]),
        line=tuple(float(x) for x in row["line"]) if row["line"][2] > 0 else None,  # type: ignore[arg-type]
        ppm=float(row["ppm"]),
        jitter=float(row["jitter"]),
        overload=overload[int(row["overload"])],
        entered=dict(zip(overload, (int(n) for n in row["entered"]), strict=True)),
        backlog=int(row["backlog"]),
        xruns=int(row["xruns"]),
        gaps=int(row["gaps"]),
        lost=int(row["lost"]),
        overruns=int(row["overruns"]),
        wake=(float(row["wake"][0]), float(row["wake"][1]), float(row["wake"][2])),
        levels=tuple((float(p), float(r)) for p, r in row["levels"][: names.channels if names else 0]),
        loads={
            name: (float(cost[0]), float(cost[1]), float(cost[2]), float(cost[3]))
            for name, cost in zip(nodes, row["nodes"], strict=False)
        },
        sinks={id: _health(health) for id, health in zip(sinks, row["sinks"], strict=False)},
    )


def _health(row: Any) -> SinkHealth:
    return SinkHealth(
        SINK_STATES[int(row[0])],
        float(row[1]),
        float(row[2]),
        float(row[3]),
        int(row[4]),
        int(row[5]),
        int(row[6]),
        int(row[7]),
    )
