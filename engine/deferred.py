"""The deferred lane: work too heavy for a quantum, with a result at a declared moment.

Logical execution time: the input is snapshot at sample s, and the result becomes visible exactly at
s + delay, live and offline alike, however long the work took. Offline it is computed at once; live on
a worker thread (its kernels release the GIL). A result that is not ready in time is dropped and counted
in `late`.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

from engine.node import Node


class DeferredNode(Node):
    """Base of nodes with heavy work. Implement `snapshot`, `compute`, `publish`; `prepare` sets `delay`."""

    lane: ClassVar[str] = "deferred"

    #: Samples from the snapshot to the result; `prepare` sets it.
    delay: int = 0
    #: Results that were not ready in time.
    late: int = 0
    #: A result was late, and the worker is still at it; no new work begins. A replay sets it itself
    #: (`scripted`), at the samples at which it was so in the live run.
    held: bool = False
    scripted: bool = False
    _due: int = 0

    def snapshot(self) -> bool:
        """Every quantum while no work is under way: copy what `compute` needs; True starts it."""
        raise NotImplementedError

    def compute(self) -> Any:
        """The heavy work, on the snapshot alone; the result goes to `publish`."""
        raise NotImplementedError

    def publish(self, result: Any) -> None:
        """Write the outputs. Real-time rules."""
        raise NotImplementedError

    def process(self) -> None:
        if self.held and not self.scripted and self._worker_is_free():
            self.held = False
        job = self.__dict__.get("_job")
        if job is not None and self.clock.stop >= self._due:
            self._job: Future[Any] | _Done | None = None
            if job.done() and not self.held:
                self.publish(job.result())
            else:
                self.late += 1
                self.held = True
        self.observe()
        if self.__dict__.get("_job") is None and not self.held and self.snapshot():
            self._due = self.clock.stop + self.delay
            self._job = self._begin()

    def observe(self) -> None:
        """Every quantum, busy or not: gather input. Real-time rules."""

    def _begin(self) -> Future[Any] | _Done:
        if not self.live:
            return _Done(self.compute())
        if self.__dict__.get("_worker") is None:
            self._worker: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix=self.id)
        assert self._worker is not None
        self._running: Future[Any] = self._worker.submit(self.compute)
        return self._running

    def _worker_is_free(self) -> bool:
        running: Future[Any] | None = self.__dict__.get("_running")
        return running is None or running.done()

    def reset(self) -> None:
        running: Future[Any] | None = self.__dict__.get("_running")
        if running is not None:
            running.exception()  # wait: the worker reads our snapshot
        self._job = None
        self._due = 0
        self.late = 0
        self.held = False

    def release(self) -> None:
        worker: ThreadPoolExecutor | None = self.__dict__.get("_worker")
        if worker is not None:
            worker.shutdown(wait=True)
            self._worker = None


class _Done:
    """A result that is there already."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        return self._value
