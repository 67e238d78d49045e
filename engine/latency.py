"""The latency table of a plan: from a sound at the input to what each output says of it.

Static part, in samples of the input: the wait until a quantum is full (0 to a quantum), and what every
node declares (half a window, context, look-ahead as a negative number). The device, the wake-up of
the engine thread and computing come on top; a live run measures them.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.formats import AudioFormat, EventsFormat, Format
from engine.plan import Plan


@dataclass(frozen=True)
class Latency:
    """One row: from a sound to `output` (and on to `sink`), in seconds; negative is ahead of the sound.

    Parameters
    ----------
    least, typical, most : of the output itself, whole quanta included.
    advance : seconds by which the sink asks to fire early (its latency less its offset).
    """

    output: str
    sink: str
    least: float
    typical: float
    most: float
    advance: float = 0.0

    @property
    def shortfall(self) -> float:
        """Seconds by which the output comes too late for its sink to fire on time; 0 if it never does."""
        return max(0.0, self.most + self.advance)


def latency_of(format: Format, quantum: int) -> tuple[float, float, float]:
    """(least, typical, most) seconds from a sound to its output in this format."""
    if isinstance(format, EventsFormat):
        low, high = format.latency
    else:
        low = high = format.latency
    # A frame or event waits for the end of its quantum; a block goes out whole, with its last sample.
    waits = (quantum,) * 3 if isinstance(format, AudioFormat) else (0, quantum // 2, quantum)
    typical = (low + high) / 2 + waits[1]
    return (low + waits[0]) / format.rate, typical / format.rate, (high + waits[2]) / format.rate


def latency_table(plan: Plan) -> list[Latency]:
    """A row for every sink's wire, and for every event output that no sink is wired to."""
    rows = []
    for wire in plan.wires:
        if wire.target in plan.sinks:
            sink = plan.sinks[wire.target]
            advance = (sink.latency_ms - sink.offset_ms) / 1000
            rows.append(Latency(wire.output, wire.target, *latency_of(wire.format, plan.quantum), advance))
    heard = {row.output for row in rows}
    for output, format in plan.formats.items():
        if isinstance(format, EventsFormat) and output not in heard:
            rows.append(Latency(output, "", *latency_of(format, plan.quantum)))
    return rows
