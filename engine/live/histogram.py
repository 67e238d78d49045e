"""A histogram of durations that any thread may read while one fills it."""

from __future__ import annotations


class Histogram:
    """Counts durations in ns: eight buckets an octave, so quantiles are right to 6 %."""

    def __init__(self) -> None:
        self._counts = [0] * (48 * 8)
        self.count = 0
        self.max = 0

    def add(self, ns: int) -> None:
        """Count one duration; a negative one counts as none."""
        ns = max(ns, 0)
        octave = max(ns.bit_length() - 4, 0)  # below 16 ns every value has its bucket
        self._counts[min(octave * 8 + (ns >> octave), len(self._counts) - 1)] += 1
        self.count += 1
        self.max = max(self.max, ns)

    def quantile(self, q: float) -> float:
        """The duration in ns that a share `q` stays below; 0 if there is none."""
        wanted, seen = q * self.count, 0
        if self.count == 0:
            return 0.0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                octave = max((bucket - 8) // 8, 0)
                middle = (bucket - octave * 8 + 0.5) * (1 << octave)
                return min(middle, float(self.max))
        return float(self.max)

    def milliseconds(self) -> tuple[float, float, float]:
        """Median, 99 % quantile and maximum in ms."""
        return self.quantile(0.5) / 1e6, self.quantile(0.99) / 1e6, self.max / 1e6
