"""Tempo and phase from taps."""

from __future__ import annotations

MOST = 8
LONGEST = 2.5  # seconds between two taps of one series; slower than 24 BPM
SHORTEST = 0.2  # seconds; quicker than 300 BPM is a bounce of the button


class Taps:
    """The last taps, at most eight, as a straight line: place of the last one and period.

    A tap that comes later than 2.5 s, or not at a multiple of the period so far (within a quarter of it),
    begins a new series. A tap left out is allowed.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._numbers: list[int] = []

    def clear(self) -> None:
        """The next tap begins a new series."""
        self._times.clear()
        self._numbers.clear()

    def add(self, at: float, known: float, rate: float) -> tuple[float, float]:
        """A tap at sample `at`; returns the period and the place of the beat here, both in samples.

        `known`: the period that goes on as long as there is one tap only (0: none, and then 0 comes back).
        """
        times, numbers = self._times, self._numbers
        since = at - times[-1] if times else float("inf")
        if since < SHORTEST * rate:
            return (self._line() if len(times) > 1 else (known, times[-1])) if times else (known, at)
        if since > LONGEST * rate:
            self.clear()
        step = 1
        if len(times) > 1:
            period = self._line()[0]
            step = round(since / period)
            if step < 1 or abs(since / period - step) > 0.25:
                del times[:-1], numbers[:-1]
                step = 1
        times.append(at)
        numbers.append(numbers[-1] + step if numbers else 0)
        del times[:-MOST], numbers[:-MOST]
        return self._line() if len(times) > 1 else (known, at)

    def _line(self) -> tuple[float, float]:
        """Least squares through (number, time): slope, and the line's value at the last tap."""
        count = len(self._times)
        middle, mean = sum(self._numbers) / count, sum(self._times) / count
        spread = sum((n - middle) ** 2 for n in self._numbers)
        slope = (
            sum((n - middle) * (t - mean) for n, t in zip(self._numbers, self._times, strict=True)) / spread
        )
        return slope, mean + slope * (self._numbers[-1] - middle)
