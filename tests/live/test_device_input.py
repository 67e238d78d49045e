"""What becomes of lost input: a device played by hand, whose samples tell which frame they are."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from engine.audio import devices
from engine.audio.devices import Device
from engine.audio.ring import DEVICE, OVERFLOW, Ring
from engine.errors import FollowspotError
from engine.live import inputs
from engine.live.inputs import DeviceInput, DeviceStuck
from engine.live.session import Gap

RATE, QUANTUM, BLOCK = 44100, 256, 441


class Hand:
    """A stream that delivers what the test pushes, block k being due at `epoch` + k * 10 ms."""

    backend, active, latency = "hand", True, 0.0
    epoch = 0
    hangs = False

    def __init__(self, *_: object, **__: object) -> None:
        self.ring = Ring(1, 2 * RATE)
        self.wake = self
        self.frame = 0
        self.late = 0.0  # seconds by which the device is behind
        type(self).last = self

    last: Hand

    def wait(self, seconds: float) -> bool:
        return False

    def post(self) -> None: ...

    def close(self) -> None:
        if self.hangs:
            threading.Event().wait(5.0)

    def deliver(self, blocks: int, jitter: float = 0.0, flags: int = 0) -> None:
        """Push blocks whose samples count the frames."""
        for _ in range(blocks):
            audio = np.arange(self.frame, self.frame + BLOCK, dtype=np.float32)[:, None]
            self.frame += BLOCK
            arrival = self.epoch + round((self.frame / RATE + self.late + jitter) * 1e9)
            self.ring.push(audio, arrival, flags=flags)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> DeviceInput:
    monkeypatch.setattr(Hand, "epoch", time.monotonic_ns())
    monkeypatch.setattr(Hand, "active", True)
    monkeypatch.setattr(Hand, "hangs", False)
    monkeypatch.setattr(inputs, "InputStream", Hand)
    monkeypatch.setattr(inputs, "raise_priority", lambda *_, **__: None)
    monkeypatch.setattr(devices, "find_input", lambda name: Device("hand", "test", 0, 1, RATE))
    monkeypatch.setattr(devices, "opening", lambda *_: (1, RATE))
    monkeypatch.setattr(devices, "refresh", lambda: None)
    return DeviceInput("hand", RATE, QUANTUM, (1,), lambda *_: None)


def drain(device: DeviceInput) -> list[tuple[int, object]]:
    """All there is to read, as (position, first sample or Gap)."""
    found: list[tuple[int, object]] = []
    position = getattr(device, "test_position", 0)
    while (item := device.read()) is not None:
        found.append((position, item if isinstance(item, Gap) else float(item[0, 0])))  # type: ignore[index]
        position += item.quanta * QUANTUM if isinstance(item, Gap) else QUANTUM
    device.test_position = position  # type: ignore[attr-defined]
    return found


def test_without_loss_sample_n_is_frame_n(device: DeviceInput) -> None:
    Hand.last.deliver(100)
    found = drain(device)
    assert len(found) == 100 * BLOCK // QUANTUM
    assert all(position == value for position, value in found)


def test_frames_dropped_by_the_ring_become_a_gap_of_their_length(device: DeviceInput) -> None:
    Hand.last.deliver(10)
    drain(device)
    Hand.last.ring.state[DEVICE] += 5000
    Hand.last.frame += 5000
    Hand.last.deliver(50)
    found = drain(device)
    gaps = [item for _, item in found if isinstance(item, Gap)]
    assert len(gaps) == 1
    assert 5000 <= gaps[0].quanta * QUANTUM < 5000 + 3 * QUANTUM
    # Physical time goes on: sample n is still frame n.
    assert all(position == item for position, item in found if not isinstance(item, Gap))


def test_a_lasting_jump_of_the_arrival_times_is_a_gap(device: DeviceInput) -> None:
    Hand.last.deliver(250)
    drain(device)
    Hand.last.late = 0.1
    Hand.last.deliver(1, flags=OVERFLOW)
    Hand.last.deliver(100)
    found = drain(device)
    gaps = [item.quanta for _, item in found if isinstance(item, Gap)]
    assert len(gaps) == 1
    assert gaps[0] * QUANTUM / RATE == pytest.approx(0.1, abs=0.03)
    position, frame = found[-1]
    assert isinstance(frame, float)
    assert (position - frame) / RATE == pytest.approx(0.1, abs=0.005)
    assert device.xruns == 1
    line = device.clock.line
    assert line is not None
    true = Hand.epoch + (frame / RATE + 0.1) * 1e9
    assert line.at(position) == pytest.approx(true, abs=5e6)


def test_a_late_burst_is_no_gap(device: DeviceInput) -> None:
    Hand.last.deliver(250)
    drain(device)
    before = device.clock.line
    assert before is not None
    Hand.last.deliver(12, jitter=0.12, flags=OVERFLOW)
    Hand.last.deliver(100)
    found = drain(device)
    assert not [item for _, item in found if isinstance(item, Gap)]
    after = device.clock.line
    assert after is not None
    assert after.at(20 * RATE) == pytest.approx(before.at(20 * RATE), abs=1e6)


def test_skipping_leaves_the_newest_and_declares_the_rest(device: DeviceInput) -> None:
    Hand.last.deliver(20)
    drain(device)
    Hand.last.deliver(100)
    assert device.backlog > 150
    gap = device.skip()
    assert gap is not None
    assert gap.quanta * QUANTUM == pytest.approx(99 * BLOCK, abs=3 * QUANTUM)
    device.test_position += gap.quanta * QUANTUM  # type: ignore[attr-defined]
    Hand.last.deliver(20)
    found = drain(device)
    assert all(position == frame for position, frame in found)
    assert len(found) >= 20 * BLOCK // QUANTUM


def test_a_device_that_comes_back_goes_on_in_the_time_that_has_passed(
    device: DeviceInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeviceInput, "RETRY", 0.0)
    Hand.last.deliver(250)
    drain(device)
    Hand.last.active = False
    assert device.read() is None
    assert not device.present
    assert device.read() is None  # looks, and finds it
    assert device.present
    Hand.last.late = 10.0  # from the first stream's epoch; its first frame comes then
    Hand.last.deliver(100)
    found = drain(device)
    assert isinstance(found[0][1], Gap)
    position, frame = found[-1]
    assert isinstance(frame, float)
    assert (position - frame) / RATE == pytest.approx(10.0, abs=0.005)


def test_a_machine_that_stood_still_has_not_lost_its_device(device: DeviceInput) -> None:
    Hand.last.late = -30.0  # the last block came half a minute ago, when the machine was put to sleep
    Hand.last.deliver(5)
    drain(device)
    assert device.read() is None
    assert device.present
    for _ in range(round(DeviceInput.SILENCE / inputs._PATIENCE)):
        device.read()
    assert not device.present  # awake for a second, and still nothing came


def test_a_device_that_hangs_when_closed_asks_for_a_new_process(
    device: DeviceInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeviceInput, "CLOSING", 0.05)
    monkeypatch.setattr(Hand, "hangs", True)
    Hand.last.deliver(5)
    drain(device)
    Hand.last.active = False
    with pytest.raises(DeviceStuck):
        device.read()


def test_a_device_that_cannot_be_opened_is_one_line(
    device: DeviceInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("Device unavailable")

    monkeypatch.setattr(inputs, "InputStream", fails)
    with pytest.raises(FollowspotError, match=r"hand cannot be opened \(Device unavailable\)"):
        DeviceInput("hand", RATE, QUANTUM, (1,), lambda *_: None)
