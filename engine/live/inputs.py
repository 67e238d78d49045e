"""Where the engine process gets its input: a device, a file or a recorded session at the pace of real time.

All give the same: quanta and what else there is, one at a time, with the clock they run by.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from engine.audio import devices
from engine.audio.callback import InputStream
from engine.audio.door import Door
from engine.audio.files import open_sound
from engine.audio.ring import OVERFLOW
from engine.clock import CaptureTime, Line, StreamClock
from engine.errors import FollowspotError
from engine.live.dispatcher import Report
from engine.live.histogram import Histogram
from engine.live.realtime import AUDIO_PRIORITY, ENGINE_PRIORITY, raise_priority
from engine.live.session import Gap, Item

_PATIENCE = 0.05  # seconds that `read` waits at most


class Input(Protocol):
    """What the engine thread reads from.

    Attributes
    ----------
    clock : maps samples of the engine to host time.
    wake : from the arrival of a block to the engine thread.
    backlog : quanta that wait beyond what the device brings at once.
    xruns : blocks that the device flagged.
    present : False while the device is away.
    ended : True at the end of a file; `fault` says if it broke off.
    """

    clock: StreamClock
    wake: Histogram
    xruns: int
    present: bool
    ended: bool
    fault: str

    @property
    def backlog(self) -> int: ...

    def read(self) -> Item | None:
        """The next quantum or gap, or None if there is nothing for a twentieth of a second."""

    def skip(self) -> Gap | None:
        """Drop all but the newest."""

    def close(self) -> None:
        """Stop."""


class DeviceStuck(Exception):
    """PortAudio does not let go of a device that is gone; only a new process helps."""


class PacedInput:
    """Items of a file or a session, each when its last sample would have sounded."""

    present = True
    backlog = 0  # a file waits; it never skips
    xruns = 0

    def __init__(self, items: Iterator[Item], rate: int, quantum: int, resume: Line | None) -> None:
        self.clock = StreamClock(rate)
        self.wake = Histogram()
        self.ended = False
        self.fault = ""
        self._items, self._quantum = items, quantum
        self._position = 0
        self._next: Item | None = None
        now = time.monotonic_ns()
        self._line = resume or Line(0.0, now + 50e6, 1e9 / rate)
        self.clock.line = self._line
        self._resume_at = self._line.sample_at(now) if resume else 0.0

    def read(self) -> Item | None:
        if self._position < self._resume_at and not self.ended:
            return self._catch_up()
        if self._next is None:
            self._fetch()
            if self._next is None:
                return None
        item = self._next
        if isinstance(item, np.ndarray):
            due = self._line.at(self._position + self._quantum)
            pause = (due - time.monotonic_ns()) / 1e9
            if pause > 0:
                time.sleep(min(pause, _PATIENCE))
            if pause > _PATIENCE:
                return None
            self.wake.add(time.monotonic_ns() - due)
        self._next = None
        self._position += self._length(item)
        return item

    def _length(self, item: Item) -> int:
        if isinstance(item, np.ndarray):
            return self._quantum
        return item.quanta * self._quantum if isinstance(item, Gap) else 0

    def _fetch(self) -> None:
        try:
            self._next = next(self._items, None)
        except FollowspotError as error:
            self.fault = str(error)
        self.ended = self._next is None

    def _catch_up(self) -> Gap | None:
        """After a restart: pass over what would have been played meanwhile."""
        start = self._position
        while self._position < self._resume_at and not self.ended:
            self._fetch()
            if self._next is not None:
                self._position += self._length(self._next)
        self._next = None
        return Gap((self._position - start) // self._quantum)

    def skip(self) -> Gap | None:
        return None

    def close(self) -> None:
        self.ended = True


def paced_file(
    path: str, rate: int, quantum: int, channels: str | tuple[int, ...], resume: Line | None
) -> PacedInput:
    """A sound file, or `silence:SECONDS`, at the pace of real time."""
    return PacedInput(open_sound(path, rate, quantum, channels).blocks(), rate, quantum, resume)


class DeviceInput:
    """A device, through the ring and the door, with what is lost declared.

    The sample index keeps physical time: a gap is as long as what was lost, rounded up to whole quanta,
    and the samples up to the next edge are left out. Lost samples are known from the ring's log, or
    seen as a lasting jump of the arrival times, or by the device being away for a while.

    Parameters
    ----------
    name : part of the device's name.
    rate, quantum, channels : of the engine.
    resume : the clock of an engine process that died; the stream goes on where it would be by now.
    report : told when the device goes away and comes back.
    backend : of the callback, see `engine.audio.callback.InputStream`.
    """

    ended = False
    fault = ""
    #: Seconds of waiting without a block after which a device counts as gone; before its first block, longer.
    SILENCE = 1.0
    FIRST = 5.0
    #: Seconds that closing a lost device may take.
    CLOSING = 1.0
    #: Seconds between two looks for a device that is away.
    RETRY = 0.5

    def __init__(
        self,
        name: str,
        rate: int,
        quantum: int,
        channels: str | tuple[int, ...],
        report: Report,
        resume: Line | None = None,
        backend: str = "auto",
    ) -> None:
        self.name, self.rate, self.quantum, self.channels = name, rate, quantum, channels
        self.clock = StreamClock(rate)
        self.clock.line = resume
        self.wake = Histogram()
        self.xruns = 0
        self.present = False
        self._report, self._backend = report, backend
        self._stream: InputStream | None = None
        self._door: Door | None = None
        self._next = 0  # sample of the engine's next quantum
        self._fresh = resume is None  # nothing has ever been heard
        self._retry_at = 0
        try:
            self._open()
        except FollowspotError:
            if resume is None:
                raise
            self._retry_later()

    # Opening and losing the device.

    def _open(self) -> None:
        device = devices.find_input(self.name)
        self.name = device.name  # "mic" must not become another one later
        count, rate = devices.opening(device, self.channels, self.rate)
        # PortAudio's ALSA thread gets the priority of the thread that opens the stream.
        raise_priority(AUDIO_PRIORITY, inherited=True)
        try:
            self._stream = InputStream(device.index, count, rate, backend=self._backend)
        except Exception as error:
            raise FollowspotError(
                f"device {device.name} cannot be opened ({error}); close what else uses it, or choose another"
            ) from None
        finally:
            raise_priority(ENGINE_PRIORITY)
        self._door = Door(rate, count, self.rate, self.quantum, self.channels)
        self._capture = CaptureTime()
        self._ratio = self.rate / rate
        self._origin = 0.0  # sample of the engine at the stream's first frame
        self._expected = 0  # index of the next frame of the stream
        self._largest = 0
        self._behind: deque[float] = deque(maxlen=1024)
        self._joined = False  # whether the stream has its place in the engine's time
        self._waits = 0  # in vain, since the last block
        self.present = True
        described = f"{device.name} [{device.host}], {count} channels at {rate} Hz, {self._stream.backend}"
        self._report("device", "ok", described)

    def _lose(self) -> None:
        """The device is gone. PortAudio may hang over it (JACK's server killed): then raise `DeviceStuck`."""
        assert self._stream is not None
        closing = threading.Thread(target=self._stream.close, daemon=True)
        closing.start()
        closing.join(self.CLOSING)
        if closing.is_alive():
            raise DeviceStuck(self.name)
        self._stream = None
        self.present = False
        self._report("device", "waiting", f"{self.name or 'the input'} is gone; plug it in again")
        self._retry_later()

    def _retry_later(self) -> None:
        self._retry_at = time.monotonic_ns() + int(self.RETRY * 1e9)

    def _look_again(self) -> None:
        if time.monotonic_ns() < self._retry_at:
            time.sleep(_PATIENCE)
            return
        try:
            devices.refresh()
            self._open()
        except Exception:
            self._retry_later()

    def close(self) -> None:
        closing = threading.Thread(target=self._shut, daemon=True)
        closing.start()
        closing.join(self.CLOSING)

    def _shut(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        devices.shut()

    # Reading.

    @property
    def backlog(self) -> int:
        if self._stream is None:
            return 0
        frames = self._stream.ring.waiting - self._largest
        return max(0, int(frames * self._ratio / self.quantum))

    def read(self) -> Item | None:
        if self._stream is None or self._door is None:
            self._look_again()
            return None
        block = self._door.pull()
        waited = False
        while block is None:
            gap = self._take()
            if gap is not None:
                return gap
            block = self._door.pull()
            if block is None and self._stream.ring.waiting == 0:
                if waited:
                    self._check_presence()
                    return None
                self._waits += not self._stream.wake.wait(_PATIENCE)
                waited = True
        self._next += self.quantum
        return block

    def _check_presence(self) -> None:
        """Waits are counted, not seconds: when the whole machine stood still, the device did not go."""
        assert self._stream is not None
        limit = self.SILENCE if self._joined else self.FIRST
        if not self._stream.active or self._waits * _PATIENCE > limit:
            self._lose()

    def skip(self) -> Gap | None:
        if self._stream is None or self._door is None:
            return None
        ring = self._stream.ring
        start = self._expected
        while ring.waiting > self._largest and (block := ring.take()) is not None:
            start = block.start + len(block.audio)
            self._place(block.start, len(block.audio), block.adc, block.now, block.arrival, block.flags)
        self._expected = start
        return self._gap_before(start)

    def _take(self) -> Gap | None:
        """Move one block of the device through the door; a Gap if something is missing before it."""
        assert self._stream is not None and self._door is not None
        block = self._stream.ring.take()
        if block is None:
            return None
        frames = len(block.audio)
        self._waits = 0
        self._largest = max(self._largest, frames)
        self.wake.add(time.monotonic_ns() - block.arrival)
        gap = block.start > self._expected
        self._expected = block.start + frames
        gap = self._place(block.start, frames, block.adc, block.now, block.arrival, block.flags) or gap
        declared = self._gap_before(block.start) if gap else None
        self._door.push(block.audio)
        return declared

    def _gap_before(self, frame: int) -> Gap:
        """Begin anew at this frame of the stream, on the edge of a quantum."""
        assert self._door is not None
        target = self._origin + frame * self._ratio
        quanta = max(1, math.ceil((target - self._next) / self.quantum))
        self._door.restart(skip=max(0, round(self._next + quanta * self.quantum - target)))
        self._next += quanta * self.quantum
        return Gap(quanta)

    def _place(self, start: int, frames: int, adc: float, now: float, arrival: int, flags: int) -> bool:
        """Steer the clock by one block. True if input was lost before it."""
        trusted = self._capture.trusted
        host = self._capture.host_ns(adc, now, arrival, frames * self._ratio / self.rate)
        if self._joined and self._capture.trusted != trusted:
            self.clock.reset(self._origin + start * self._ratio, host)  # another origin of time, no loss
        if not self._joined:
            self._joined = True
            return self._join(start, host)
        if flags & OVERFLOW:
            self.xruns += 1
        sample = self._origin + start * self._ratio
        seconds = frames * self._ratio / self.rate
        behind = self.clock.error(sample, host) / 1e9
        # Blocks come late now and then; what was lost makes all later ones late by as much.
        limit = max(2 * self.quantum / self.rate, 0.01 + seconds)
        if abs(behind) <= limit:
            self._behind.clear()
            self.clock.update(sample, host)
            return False
        self._behind.append(behind)
        if len(self._behind) * seconds < 0.15:
            return False
        lasting = min(self._behind) if behind > 0 else max(self._behind)
        self._behind.clear()
        if lasting > limit:
            self._origin += lasting * self.rate
            self.clock.reset(self._origin + start * self._ratio, host)
            return True
        if lasting < -limit:
            self.clock.reset(sample, host)  # the first blocks came late, or the times went back
        return False

    def _join(self, start: int, host: float) -> bool:
        """Give a new stream its place in the engine's time; True if there was one before it."""
        line = self.clock.line
        if self._fresh or line is None:
            self._fresh = False
            self.clock.update(self._origin, host)
            return False
        self._origin = line.sample_at(host) - start * self._ratio
        self.clock.reset(line.sample_at(host), host)
        return True
