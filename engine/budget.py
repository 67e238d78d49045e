"""Time spent per node and quantum, and the named states of overload."""

from __future__ import annotations

import array
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

# 16 buckets an octave up to 2^40 ns: percentiles are exact to 6 %.
_BUCKETS = 41 * 16


@nb.njit("int64(int64[::1], int64[:, ::1], int64[::1], int64[::1])", nogil=True, cache=True)
def _observe(stamps, histograms, worst, total):  # type: ignore[no-untyped-def]
    """Counts the steps between the stamps and, last, their sum, which is returned."""
    ns = 0
    last = len(stamps) - 1
    for i in range(last + 1):
        ns = stamps[i + 1] - stamps[i] if i < last else stamps[last] - stamps[0]
        octave = 0
        while (ns >> (octave + 1)) > 0 and octave < 39:
            octave += 1
        part = ((ns << 4) >> octave) & 15
        histograms[i, octave * 16 + part] += 1
        total[i] += ns
        if ns > worst[i]:
            worst[i] = ns
    return ns


@nb.njit("float64(int64[::1], float64)", nogil=True, cache=True)
def _quantile(counts, q):  # type: ignore[no-untyped-def]
    """Microseconds that a share `q` of the counted durations stays below; 0 if there are none."""
    wanted = q * counts.sum()
    if wanted == 0.0:
        return 0.0
    seen = 0
    for bucket in range(len(counts)):
        seen += counts[bucket]
        if seen >= wanted:
            return 2.0 ** (bucket // 16) * (1.0 + (bucket % 16 + 0.5) / 16.0) / 1e3
    return 0.0


@nb.njit("void(int64[:, ::1], int64[::1], int64[::1], int64, float64[:, :])", nogil=True, cache=True)
def _summarise(histograms, worst, total, quanta, out):  # type: ignore[no-untyped-def]
    for i in range(min(len(out), len(worst))):
        out[i, 0] = total[i] / max(1, quanta) / 1e3
        out[i, 1] = _quantile(histograms[i], 0.5)
        out[i, 2] = _quantile(histograms[i], 0.99)
        out[i, 3] = worst[i] / 1e3


@dataclass(frozen=True)
class Cost:
    """What one node (or the whole quantum) has cost, in microseconds per quantum."""

    name: str
    mean: float
    p50: float
    p99: float
    p999: float
    max: float


class Budget:
    """Collects how long every step of a plan takes, without allocating.

    Parameters
    ----------
    names : of the steps, in order; one more row, "quantum", holds their sum.
    period : seconds of audio in a quantum: what may be spent.
    """

    def __init__(self, names: list[str], period: float) -> None:
        self.names = [*names, "quantum"]
        self.period = period
        #: Host time in ns before the first step and after each; the runner writes it.
        self.stamps = array.array("q", [0] * len(self.names))
        self._stamps = np.frombuffer(self.stamps, np.int64)
        self._histograms = np.zeros((len(self.names), _BUCKETS), np.int64)
        self._worst = np.zeros(len(self.names), np.int64)
        self._total = np.zeros(len(self.names), np.int64)
        self.quanta = 0
        self.overruns = 0
        self.guilty = ""

    def observe(self) -> None:
        """Count the quantum whose stamps have been written."""
        spent = _observe(self._stamps, self._histograms, self._worst, self._total)
        self.quanta += 1
        if spent > self.period * 1e9:
            self.overruns += 1
            self.guilty = self.names[int(np.argmax(np.diff(self._stamps)))]

    def reset(self) -> None:
        """Forget everything counted so far."""
        self._histograms[:] = 0
        self._worst[:] = 0
        self._total[:] = 0
        self.quanta = self.overruns = 0
        self.guilty = ""

    def summary(self, out: npt.NDArray[np.float64]) -> None:
        """Write mean, p50, p99 and maximum in us of every row, "quantum" last; without allocating."""
        _summarise(self._histograms, self._worst, self._total, self.quanta, out)

    def costs(self) -> list[Cost]:
        """One row per step and a last one for the whole quantum."""
        return [
            Cost(
                name,
                self._total[i] / max(1, self.quanta) / 1e3,
                _quantile(self._histograms[i], 0.5),
                _quantile(self._histograms[i], 0.99),
                _quantile(self._histograms[i], 0.999),
                self._worst[i] / 1e3,
            )
            for i, name in enumerate(self.names)
        ]


#: The states of overload with the backlog, in quanta, that each begins at.
OVERLOAD = {"ok": 0, "absorb": 2, "degrade": 5, "skip": 13}
_RECOVERY_SECONDS = 2.0


class Overload:
    """The ladder ok, absorb, degrade, skip: from the backlog of the input ring to what is done about it.

    absorb: catch up, nothing is lost. degrade: nodes with quality levels step down. skip: all but the
    newest quantum is dropped and declared as a gap; not for a mere stall, but when the backlog does not
    shrink while we try. One step down the ladder needs two seconds without a cause.
    """

    #: Quanta in a row without a smaller backlog before anything is skipped.
    TRIES = 8

    def __init__(self, period: float) -> None:
        self._recovery = max(1, round(_RECOVERY_SECONDS / period))
        self._calm = 0
        self._least = self._tries = 0
        self.state = "ok"
        self.entered = dict.fromkeys(OVERLOAD, 0)

    def update(self, backlog: int) -> str:
        """The state for a backlog of so many quanta; call once per quantum."""
        states = list(OVERLOAD)
        wanted = [state for state, begins in OVERLOAD.items() if backlog >= begins][-1]
        if wanted != "skip":
            self._tries = 0
        elif not self._stuck(backlog):
            wanted = "degrade"
        if states.index(wanted) > states.index(self.state):
            self._enter(wanted)
        elif wanted == self.state:
            self._calm = 0
        else:
            self._calm += 1
            if self._calm >= self._recovery or self.state == "skip":
                # After a skip the backlog is gone, but not its cause: stay degraded.
                self._enter(states[states.index(self.state) - 1])
        return self.state

    def _stuck(self, backlog: int) -> bool:
        """Whether the backlog has not shrunk for a while."""
        if self._tries == 0 or backlog < self._least:
            self._least, self._tries = backlog, 1
        else:
            self._tries += 1
        return self._tries > self.TRIES

    def _enter(self, state: str) -> None:
        self.state = state
        self.entered[state] += 1
        self._calm = 0
