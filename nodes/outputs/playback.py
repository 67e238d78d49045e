"""Audio to the channels of an output device."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from engine.audio import devices
from engine.audio.playback import OutputStream
from engine.errors import FollowspotError, suggestion
from engine.sink import AudioFormat, Format, Param, Sink
from nodes.outputs.mapping import MappingParam, parse_mapping

RESAMPLER = 0.005  # seconds that the resampler lags
STEER, MOST = 0.02, 0.001  # of the buffer's error that is made up a second; change of speed, at most
SMOOTH = 0.02  # of each block in the mean level of the buffer
LONGEST_QUANTUM = 4096  # samples; the engine's


def parse_channels(text: str) -> dict[str, list[int]]:
    """Channels of the device (from 1) by stream."""
    found = {}
    for stream, words in parse_mapping(text):
        if not all(word.isdigit() and 1 <= int(word) <= 256 for word in words):
            raise ValueError(f"{' '.join(words)!r} are no channels, as in 'drums -> 1 2' (they count from 1)")
        found[stream] = [int(word) for word in words]
    return found


class Playback(Sink):
    """Plays audio streams on channels of an output device, aligned to each other.

    `channels` says which stream goes where, by "port" or "node.port"; streams that it does not name are not
    played, those on the same channel are added. A stream of one channel sounds on all of its channels, one
    of several on as many in turn, or on a single one as their mean. Streams of different latency are delayed
    to the latest.

    Sound waits in a buffer of `buffer_ms`, which the device plays; the device's clock is followed by
    resampling (at most 0.1 % faster or slower), so it need not be that of the input. What it takes from a
    sound at the input to the device is told when it begins to play. A buffer that runs dry plays silence
    until it is full again; what has piled up after a hold-up is passed over. Both are counted and told.

    Errors: a device that is missing, too small or gone is reported in one line, and tried again.
    """

    accepts = frozenset({"audio"})
    tick_ms = 1000.0

    device = Param("", help="part of the name of the output device; empty: the default one")
    channels = MappingParam(
        "",
        parse=parse_channels,
        help="channels of the device by stream, as in 'drums -> 1 2; vocals -> 3 4'; empty: all on 1 and 2",
    )
    buffer_ms = Param(30.0, low=2.0, high=2000.0, unit="ms", help="sound that waits for the device")
    gain = Param(0.0, low=-60.0, high=12.0, unit="dB", live=True, help="of everything; 0: as it is")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._stream: OutputStream | None = None

    def open(self, wires: dict[str, Format]) -> None:
        formats = {wire: format for wire, format in wires.items() if isinstance(format, AudioFormat)}
        mapping = parse_channels(self.channels) or {wire: [1, 2] for wire in formats}
        self._places = _places(self.id, mapping, formats)
        self._latest = max(formats[wire].latency for wire in self._places)
        self._delays = {wire: self._latest - formats[wire].latency for wire in self._places}
        count = max(max(places) for places in self._places.values()) + 1
        device = devices.find_output(self.device)
        if device.channels < count:
            raise FollowspotError(
                f"device {device.name} has {device.channels} output channels, channel {count} is wanted: "
                "set channels"
            )
        self._rate = devices.output_rate(device, count, self.rate)
        self._target = max(1, round(self.buffer_ms * self._rate / 1000))
        try:
            most = 2 * self._target + round(LONGEST_QUANTUM * self._rate / self.rate)
            self._stream = OutputStream(device.index, count, self._rate, self._target, most)
        except Exception as error:
            raise FollowspotError(
                f"device {device.name} cannot be opened ({error}); close what else uses it, or choose another"
            ) from None
        self._described = f"{device.name} [{device.host}], {count} channels at {self._rate} Hz"
        self._begin(count)

    def _begin(self, count: int) -> None:
        """Nothing has been mixed yet."""
        fastest = (1 + MOST) * self.rate  # the resampler goes no higher than the ratio it begins with
        self._resampler = soxr.ResampleStream(
            fastest, self._rate, count, dtype="float32", quality="HQ", vr=True
        )
        self._resampler.set_io_ratio(self.rate, self._rate)
        self._mixed = np.zeros((self.rate, count), np.float32)  # from sample _start on
        self._start: int | None = None
        self._reached = dict.fromkeys(self._places, 0)
        self._level = float(self._target)
        self._left_out = 0  # frames of the device
        self._quantum = 0
        self.notice = ""

    def send_audio(self, wire: str, start: int, block: Any) -> None:
        if self._stream is None or wire not in self._places:
            return
        frames = block.shape[1]
        at = start + self._delays[wire]
        if self._start is None or at + frames - self._start > len(self._mixed):
            # The first block, or one stream has stood still for a second: all begin anew from here.
            if self._start is not None and self._stream.ring.begun:
                self._left_out += round(max(0, start - self._start) * self._rate / self.rate)
            self._start = start
            self._mixed[:] = 0.0
            self._reached = dict.fromkeys(self._places, self._start)
            self._quantum = frames
        if at >= self._start:
            sound, places = block, self._places[wire]
            if len(places) == 1 and len(block) > 1:
                sound = block.mean(axis=0, keepdims=True)
            for k, place in enumerate(places):
                self._mixed[at - self._start :][:frames, place] += sound[k % len(sound)]
        self._reached[wire] = at + frames
        ready = min(self._reached.values()) - self._start
        if ready > 0:
            self._play(ready)

    def _play(self, ready: int) -> None:
        """The first `ready` frames of the mix go to the device; the rest moves up."""
        assert self._stream is not None and self._start is not None
        filled = max(self._reached.values()) - self._start
        sound = self._mixed[:ready] * np.float32(10 ** (self.gain / 20))
        self._mixed[: filled - ready] = self._mixed[ready:filled].copy()
        self._mixed[filled - ready : filled] = 0.0
        self._start += ready
        self._push(self._resampler.resample_chunk(sound), ready)

    def _push(self, sound: Any, samples: int) -> None:
        """Sound at the device's rate, made of so many samples, goes to the buffer; the speed is steered."""
        assert self._stream is not None
        ring, target = self._stream.ring, self._target
        ring.push(sound)
        self._level = self._level + SMOOTH * (ring.waiting - self._level) if ring.plays else target
        error = (self._level - target) / self._rate  # seconds too many
        speed = 1.0 + min(MOST, max(-MOST, STEER * error))
        self._resampler.set_io_ratio(speed * self.rate, self._rate, samples)

    def tick(self, now_ns: int) -> int:
        if self._stream is not None:
            if not self._stream.active:
                raise OSError(f"the output device {self._described} has gone: plug it in again")
            self.notice = self._said() if self._quantum else ""
        return super().tick(now_ns)

    def _said(self) -> str:
        """The device, the latency and the losses, for people."""
        assert self._stream is not None
        graph = (self._latest + self._quantum) / self.rate
        waits = RESAMPLER + self._target / self._rate + self._stream.latency
        said = f"{self._described}; {1000 * graph:.0f} ms in the graph, {1000 * waits:.0f} ms to the device"
        ring = self._stream.ring
        lost = (self._left_out + ring.lost) / self._rate
        if lost > 0:
            said += f"; ran dry {ring.dry} times, {lost:.2f} s lost (a larger buffer_ms helps)"
        return said

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _places(id: str, mapping: dict[str, list[int]], formats: dict[str, AudioFormat]) -> dict[str, list[int]]:
    """Channels of the device, from 0, by wire."""
    found: dict[str, list[int]] = {}
    for name, channels in mapping.items():
        wires = [wire for wire in formats if name in (wire, wire.partition(".")[2])]
        if len(wires) != 1:
            reason = "is wired to it" if not wires else "is wired more than once: say node.port"
            none = "no audio " if not wires else ""
            raise FollowspotError(f"{id}: channels: {none}{name!r} {reason}; {suggestion(name, formats)}")
        found.setdefault(wires[0], []).extend(channel - 1 for channel in channels)
    if not found:
        raise FollowspotError(f"{id}: nothing to play is wired to it: set from")
    return found
