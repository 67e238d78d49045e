"""Time: the sample index of the input mapped to host time, and host time to NTP.

Sample times are what the engine thinks in. `StreamClock` filters the times at which blocks arrive with a
delay-locked loop, as JACK and scsynth do; `WallClock` makes the NTP tags of OSC.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """Host time as a line over sample index; replaced whole, so any thread may read it."""

    sample: float
    ns: float
    period: float  # ns a sample

    def at(self, sample: float) -> int:
        """Host time in ns of a sample, past or future."""
        return round(self.ns + (sample - self.sample) * self.period)

    def sample_at(self, ns: float) -> float:
        """The sample at a host time."""
        return self.sample + (ns - self.ns) / self.period


class StreamClock:
    """Second-order delay-locked loop (Adriaensen, "Using a DLL to filter time", LAC 2005).

    Parameters
    ----------
    rate : nominal samples a second.
    bandwidth : of the loop in Hz once settled; for the first two seconds it is ten times that.

    Attributes
    ----------
    line : the mapping now, or None before the first update. One thread updates, any thread reads.
    jitter : of the arrival times around the line, root mean square over some seconds, in ns.
    """

    SETTLING = 2.0

    def __init__(self, rate: float, bandwidth: float = 0.1) -> None:
        self.rate, self.bandwidth = rate, bandwidth
        self.line: Line | None = None
        self.jitter = 0.0
        self._start = 0.0

    def update(self, sample: float, ns: float) -> float:
        """This sample was at the converter at host time `ns`. Returns the forecast's error in ns."""
        line = self.line
        if line is None:
            self._start = sample
            self.line = Line(sample, ns, 1e9 / self.rate)
            return 0.0
        samples = sample - line.sample
        if samples <= 0:
            return 0.0
        forecast = line.ns + samples * line.period
        error = ns - forecast
        seconds = samples / self.rate
        settling = sample - self._start < self.SETTLING * self.rate
        # Beyond half a radian per update the loop would overshoot.
        omega = min(2 * math.pi * (10 if settling else 1) * self.bandwidth * seconds, 0.5)
        period = line.period + omega * omega * error / samples
        self.line = Line(sample, forecast + math.sqrt(2) * omega * error, period)
        blend = min(1.0, seconds)
        self.jitter = math.sqrt((1 - blend) * self.jitter**2 + blend * error**2)
        return error

    def error(self, sample: float, ns: float) -> float:
        """How far, in ns, host time `ns` lies behind the forecast for this sample."""
        return 0.0 if self.line is None else ns - self.line.at(sample)

    def reset(self, sample: float, ns: float) -> None:
        """The stream starts anew at this sample, as behind a gap; the rate learnt so far is kept."""
        period = self.line.period if self.line is not None else 1e9 / self.rate
        self._start = sample
        self.line = Line(sample, ns, period)

    @property
    def ppm(self) -> float:
        """By how many millionths the device runs faster than it says."""
        return 0.0 if self.line is None else (1e9 / self.rate / self.line.period - 1) * 1e6


class CaptureTime:
    """The host time at which a block's first sample was at the converter, out of what PortAudio says.

    Its ADC times give the age of a block at its arrival. They are believed as long as they are plausible:
    not zero, not frozen, not going back, and no age that wanders off while blocks arrive steadily (PortAudio
    issues 121, 531, 586, 850; PulseAudio's age falls from 210 ms to 0 within a second). For a fault now
    and then the last age holds; after twenty the ages are given up for good, and a block is as old as
    it is long.

    Attributes
    ----------
    faults : how often each fault was seen.
    trusted : whether the ADC times still count.
    """

    PATIENCE = 20
    #: Seconds by which the age may change, beside the length of a block.
    JUMP = 0.02

    def __init__(self) -> None:
        self.faults = {"zero": 0, "frozen": 0, "back": 0, "jump": 0}
        self.trusted = True
        self._age: float | None = None
        self._first: float | None = None
        self._last = 0.0

    def host_ns(self, adc: float, now: float, arrival: int, seconds: float) -> float:
        """Host time in ns for a block `seconds` long with these times (PortAudio's in s, arrival in ns)."""
        if self.trusted:
            fault = self._fault(adc, now, seconds)
            self._last = adc
            if fault:
                self.faults[fault] += 1
                self.trusted = sum(self.faults.values()) < self.PATIENCE
            else:
                self._age = now - adc
                self._first = self._age if self._first is None else self._first
        age = self._age if self.trusted and self._age is not None else seconds
        return arrival - age * 1e9

    def _fault(self, adc: float, now: float, seconds: float) -> str:
        if not adc > 0.0 or not now > 0.0:
            return "zero"
        if adc == self._last:
            return "frozen"
        if adc < self._last:
            return "back"
        age = now - adc
        if self._first is None:
            return "" if 0.0 <= age < 1.0 + seconds else "jump"
        return "" if abs(age - self._first) < self.JUMP + seconds else "jump"


class WallClock:
    """Monotonic host time to UTC, for OSC's NTP time tags.

    The offset follows slow corrections of the system clock without steps; it jumps only when the system
    clock has been set by more than 50 ms, and says so in `steps`.
    """

    STEP_NS = 50_000_000
    _NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970

    def __init__(self) -> None:
        self.steps = 0
        self._offset = time.time_ns() - time.monotonic_ns()

    def update(self) -> None:
        """Compare the clocks; call about once a second."""
        self.correct(time.time_ns() - time.monotonic_ns())

    def correct(self, offset: int) -> None:
        """Go towards this measured UTC - monotonic, in ns."""
        error = offset - self._offset
        if abs(error) > self.STEP_NS:
            self._offset = offset
            self.steps += 1
        else:
            self._offset += error // 8

    def to_utc(self, ns: int) -> int:
        """Monotonic ns to ns since 1970."""
        return ns + self._offset

    def to_ntp(self, ns: int) -> int:
        """Monotonic ns to the 64-bit NTP time tag: seconds since 1900 and 2^-32 fractions of a second."""
        seconds, nanos = divmod(self.to_utc(ns), 1_000_000_000)
        return ((seconds + self._NTP_EPOCH) << 32) | ((nanos << 32) // 1_000_000_000)
