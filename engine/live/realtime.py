"""What is done at the start of the engine process so that nothing holds it up later.

Every step says whether it worked; none is fatal. Denormals are not flushed: that would make live results
differ from those of a file.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from dataclasses import dataclass

#: Set before numpy is imported: one thread each, because a pool wakes up late.
SINGLE_THREADED = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}

# Not above JACK's clients (5 and up), above everything that has no real-time priority.
AUDIO_PRIORITY, ENGINE_PRIORITY, SINK_PRIORITY = 4, 3, 2

_MCL_CURRENT, _MCL_ONFAULT = 1, 4


@dataclass(frozen=True)
class Step:
    """One step of the set-up: what, whether it worked, and what that means."""

    name: str
    ok: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'no':3}{self.name}: {self.detail}"


def prepare_process() -> list[Step]:
    """Everything but thread priorities; call when all is imported, prepared and warmed up."""
    return [_collector(), _switching(), _memory(), _libraries()]


def raise_priority(priority: int, *, inherited: bool = False) -> Step:
    """Real-time priority (SCHED_FIFO) for the thread that calls; `inherited` by threads it starts, or not."""
    name = "real-time priority"
    if not hasattr(os, "sched_setscheduler"):
        return Step(name, False, f"{sys.platform} has no SCHED_FIFO; expect later wake-ups under load")
    try:
        policy = os.SCHED_FIFO if inherited else os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError as error:
        mend = "allow rtprio in /etc/security/limits.d (Debian: group audio)"
        return Step(name, False, f"{error.strerror}; {mend}")
    return Step(name, True, f"SCHED_FIFO {priority}")


def _collector() -> Step:
    gc.collect()
    gc.freeze()
    gc.disable()
    return Step("garbage collector", True, f"off, {gc.get_freeze_count()} objects frozen")


def _switching() -> Step:
    sys.setswitchinterval(0.0005)
    return Step("thread switch interval", True, "0.5 ms")


def _memory() -> Step:
    """Keep what is resident; pages of mapped files are locked only once they are touched."""
    name = "memory lock"
    if sys.platform != "linux":
        return Step(name, False, f"not done on {sys.platform}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_ONFAULT) != 0:
        reason = os.strerror(ctypes.get_errno())
        return Step(name, False, f"{reason}; allow memlock in /etc/security/limits.d")
    return Step(name, True, "pages stay in memory")


def _libraries() -> Step:
    wrong = [name for name, value in SINGLE_THREADED.items() if os.environ.get(name) != value]
    if wrong:
        return Step("one thread in libraries", False, f"set {' '.join(f'{name}=1' for name in wrong)}")
    return Step("one thread in libraries", True, "no thread pools")
