"""Streams on channels of an output device that is played by hand."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import pytest

from engine.audio import devices
from engine.audio.devices import Device
from engine.audio.playback import PlaybackRing, native_callback
from engine.errors import FollowspotError
from engine.sink import AudioFormat
from nodes.outputs import playback
from nodes.outputs.playback import Playback

RATE, QUANTUM = 44100, 256


class Hand:
    """A device that plays when the test says so."""

    latency, active = 0.01, True

    def __init__(self, device: int, channels: int, rate: int, target: int, most: int) -> None:
        self.ring, self.channels = PlaybackRing(channels, target, most), channels
        type(self).last = self

    def play(self, frames: int) -> np.ndarray:
        out = np.full((frames, self.channels), np.nan, np.float32)
        self.ring.pull(out)
        return out

    def close(self) -> None: ...


@pytest.fixture
def hand(monkeypatch):
    monkeypatch.setattr(playback, "OutputStream", Hand)
    monkeypatch.setattr(devices, "output_devices", lambda: [Device("stage box", "test", 0, 8, RATE, True)])
    monkeypatch.setattr(devices, "output_rate", lambda device, channels, rate: RATE)
    return Hand


def opened(wires, **params):
    sink = Playback(**params)
    sink.id, sink.rate = "out", RATE
    sink.open(wires)
    return sink


def feed(sink, streams, periods=QUANTUM, frames=QUANTUM):
    """Blocks of all streams (channels, samples), the device playing after each turn; what it played."""
    length, heard = next(iter(streams.values())).shape[1], []
    for start in range(0, length, frames):
        for wire, samples in streams.items():
            sink.send_audio(wire, start, samples[:, start : start + frames])
        heard.append(Hand.last.play(periods))
    return np.concatenate(heard)


def lag(heard, sent):
    """Samples by which `sent` comes later in `heard`."""
    size = 1 << 17
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size))
    return int(np.argmax(np.fft.irfft(spectrum)[: size // 2]))


def test_streams_come_out_on_their_channels_and_aligned(hand):
    rng = np.random.default_rng(1)
    # Smooth noise: the resampler moves it by parts of a sample, which white noise does not survive.
    noise = np.apply_along_axis(np.convolve, 1, rng.standard_normal((3, RATE)), np.hanning(32), "same")
    early, late = np.split((0.02 * noise).astype(np.float32), [1])
    late[:, 300:], late[:, :300] = late[:, :-300].copy(), 0.0  # this node is 300 samples later, and says so
    sink = opened(
        {"a.one": AudioFormat(RATE, 1, 100), "b.two": AudioFormat(RATE, 2, 400)},
        channels="one -> 1 2; two -> 4 3",
    )
    heard = feed(sink, {"a.one": early, "b.two": late})
    np.testing.assert_array_equal(heard[:, 0], heard[:, 1])
    lags = [lag(heard[:, 0], early[0]), lag(heard[:, 3], late[0]) + 300, lag(heard[:, 2], late[1]) + 300]
    assert max(lags) - min(lags) <= 1
    assert lags[0] / RATE < (300 + QUANTUM) / RATE + 0.030 + 0.006
    start = lags[0]
    at = slice(RATE // 2, RATE // 2 + 4000)
    assert np.corrcoef(heard[at, 0], early[0, RATE // 2 - start :][:4000])[0, 1] > 0.98  # resampled


def test_streams_on_one_channel_add_up_and_a_pair_on_one_is_its_mean(hand):
    ones = np.ones((1, RATE // 2), np.float32)
    pair = np.stack([ones[0], 3 * ones[0]])
    wires = {"s.a": AudioFormat(RATE, 1), "s.b": AudioFormat(RATE, 1), "s.c": AudioFormat(RATE, 2)}
    sink = opened(wires, channels="a -> 1; b -> 1; c -> 2", gain=-6.0206)
    heard = feed(sink, {"s.a": ones, "s.b": 2 * ones, "s.c": pair})
    np.testing.assert_allclose(heard[-2000:], [[1.5, 1.0]] * 2000, atol=1e-3)


def test_a_device_of_another_speed_is_followed(hand):
    """300 ppm fast: without steering the buffer of 30 ms would run dry after 100 s; here its level holds."""
    sink = opened({"s.a": AudioFormat(RATE, 1)}, channels="a -> 1", buffer_ms=30.0)
    block, owed = np.zeros((1, 512), np.float32), 0.0
    for k in range(20 * RATE // 512 * 8):
        sink.send_audio("s.a", 512 * k, block)
        owed += 512 * 1.0003
        Hand.last.play(int(owed))
        owed -= int(owed)
    assert Hand.last.ring.dry == 0 and "lost" not in sink._said()
    assert sink._level == pytest.approx(sink._target, abs=0.02 * RATE)


def test_running_dry_and_catching_up_are_told(hand):
    sink = opened({"s.a": AudioFormat(RATE, 1, 512)}, channels="a -> 1")
    music = np.ones((1, RATE // 2), np.float32)
    feed(sink, {"s.a": music})
    sink.tick(0)
    assert sink.notice == (
        "stage box [test], 1 channels at 44100 Hz; 17 ms in the graph, 45 ms to the device"
    )
    assert not Hand.last.play(RATE)[-1].any()  # the graph was held up for a second
    assert Hand.last.ring.dry == 1 and not Hand.last.ring.plays
    for k in range(200):  # and now all comes at once
        sink.send_audio("s.a", RATE // 2 + QUANTUM * k, music[:, :QUANTUM])
    Hand.last.play(QUANTUM)
    assert Hand.last.ring.waiting == sink._target - QUANTUM  # what is heard is no older than stated
    sink.tick(0)
    assert "ran dry 1 times, " in sink.notice and " s lost" in sink.notice


def test_a_gap_of_the_input_is_silence_of_its_length(hand):
    sink = opened({"s.a": AudioFormat(RATE, 1)}, channels="a -> 1")
    ones = np.ones((1, QUANTUM), np.float32)
    heard = []
    for k in [*range(100), *range(120, 220)]:
        sink.send_audio("s.a", QUANTUM * k, ones)
        heard.append(Hand.last.play(QUANTUM * (21 if k == 120 else 1)))
    heard = np.concatenate(heard)[:, 0]
    quiet = np.flatnonzero(np.abs(heard) < 0.5)
    quiet = quiet[quiet > 10_000]
    assert len(quiet) == pytest.approx(20 * QUANTUM, abs=30 * RATE / 1000 + QUANTUM)


def test_a_device_that_goes_is_one_line(hand, monkeypatch):
    sink = opened({"s.a": AudioFormat(RATE, 1)}, channels="a -> 1")
    monkeypatch.setattr(Hand, "active", False)
    with pytest.raises(OSError, match=r"stage box .* has gone: plug it in again"):
        sink.tick(0)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"device": "stagebox"}, "no output device 'stagebox'; did you mean 'stage box'"),
        ({"channels": "a -> 9"}, "has 8 output channels, channel 9 is wanted"),
        ({"channels": "c -> 1"}, "no audio 'c' is wired to it"),
        ({"channels": "b -> 1"}, "'b' is wired more than once"),
    ],
)
def test_faults_are_one_line(hand, params, words):
    wires = {"s.a": AudioFormat(RATE, 1), "s.b": AudioFormat(RATE, 1), "t.b": AudioFormat(RATE, 1)}
    with pytest.raises(FollowspotError, match=words) as raised:
        opened(wires, **params)
    assert "\n" not in str(raised.value)


def test_channels_are_checked_when_they_are_set():
    for text in ("a -> 0", "a -> left", "a"):
        with pytest.raises(ValueError, match="channels"):
            Playback(channels=text)


@pytest.mark.skipif(sys.platform != "linux", reason="the compiled callback is tried on Linux only")
def test_the_compiled_callback_plays_the_ring():
    ring = PlaybackRing(2, 8, 24)
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int, *[ctypes.c_void_p] * 2, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
    )
    callback = kind(native_callback().address)
    user = np.array([ring.audio.ctypes.data, 2, len(ring.audio), ring.state.ctypes.data], np.int64)
    sound, out = np.arange(40, dtype=np.float32).reshape(20, 2), np.full((12, 2), np.nan, np.float32)

    def call():
        assert callback(None, out.ctypes.data, 12, None, 0, user.ctypes.data) == 0
        return out

    assert not call().any() and ring.lost == 0  # nothing yet is no loss
    ring.push(sound)
    np.testing.assert_array_equal(call(), sound[8:])  # the newest, so much as is asked for
    assert (ring.dry, ring.lost, ring.plays) == (0, 0, True)
    ring.push(sound[:10])
    np.testing.assert_array_equal(call(), [*sound[:10], [0, 0], [0, 0]])
    assert (ring.dry, ring.lost, ring.plays) == (1, 2, False)
    ring.push(sound[:7])
    assert not call().any() and ring.lost == 14  # it waits until there is enough
    ring.push(sound)
    np.testing.assert_array_equal(call(), sound[8:])
    assert (ring.dry, ring.lost, ring.plays) == (1, 14 + 15, True)
    assert ring.push(np.zeros((100, 2), np.float32)) == 64  # no more than there is room
