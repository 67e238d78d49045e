"""Latency by audio loopback: clicks go out, come back in, and are found by correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.audio.devices import find_input, sound_library
from engine.errors import FollowspotError, suggestion

RATE = 48000
CLICKS = 12
LONGEST = 2.0  # seconds that the way round may take
TRIES, SCATTER = 3, 3.0  # times, and ms of spread that will do
SURE = 6.0  # the found peak stands out from the rest by so many times their RMS

Signal = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Loop:
    """What a loopback showed.

    Parameters
    ----------
    device : name of the output.
    round_trip_ms : from the moment a click is handed over to the moment it is heard, median of the clicks.
    spread_ms : of single clicks around it, half the range of the middle 80 %.
    input_ms : what of it the input says is its own part.
    """

    device: str
    round_trip_ms: float
    spread_ms: float
    input_ms: float

    @property
    def output_ms(self) -> float:
        """The output's part: what a sink that plays there is late by."""
        return self.round_trip_ms - self.input_ms


def chirp(rate: int) -> Signal:
    """A click of 6 ms that correlates sharply: a sweep from 800 to 6000 Hz under a Hann window."""
    t = np.arange(round(0.006 * rate)) / rate
    sweep = np.sin(2 * np.pi * (800 * t + (6000 - 800) / (2 * 0.006) * t**2))
    return (0.7 * sweep * np.hanning(len(t))).astype(np.float32)


def clicks(rate: int) -> tuple[Signal, npt.NDArray[np.int64]]:
    """The signal that is played and where its clicks begin, unevenly, so that a shift is unique."""
    gaps = np.random.default_rng(1).uniform(0.25, 0.45, CLICKS)
    starts = np.round(np.cumsum(gaps) * rate).astype(np.int64)
    played = np.zeros(starts[-1] + round((LONGEST + 0.1) * rate), np.float32)
    click = chirp(rate)
    for start in starts:
        played[start : start + len(click)] = click
    return played, starts


def delays(heard: Signal, rate: int) -> npt.NDArray[np.float64]:
    """ms by which every click of `clicks` came back in `heard`; FollowspotError if they are not there."""
    played, starts = clicks(rate)
    size = 1 << int(np.ceil(np.log2(2 * len(played))))
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    whole = np.abs(np.fft.irfft(spectrum, size)[: round(LONGEST * rate)])
    lag = int(np.argmax(whole))
    if whole[lag] < SURE * np.sqrt(np.mean(whole**2)) or whole[lag] == 0.0:
        raise FollowspotError(
            "the clicks did not come back: turn the output up and hold the microphone to it, or use a cable"
        )
    click, reach = chirp(rate), round(0.02 * rate)
    found = []
    for start in starts:
        first = max(0, start + lag - reach)
        near = heard[first : start + lag + reach + len(click)]
        if len(near) >= len(click):
            found.append(first + int(np.argmax(np.abs(np.correlate(near, click, "valid")))) - start)
    return np.array(found) * 1000.0 / rate


def find_output(name: str) -> tuple[int, str]:
    """Index and name of the output device whose name contains `name`; the default one for ""."""
    devices = sound_library().query_devices()
    outputs = {i: found["name"] for i, found in enumerate(devices) if found["max_output_channels"] > 0}
    if not outputs:
        raise FollowspotError(
            "no audio output: plug in an interface, or start a sound server (JACK, PulseAudio, PipeWire)"
        )
    default = sound_library().default.device[1]
    if not name and default in outputs:
        return default, outputs[default]
    for index, known in outputs.items():
        if name.lower() in known.lower():
            return index, known
    raise FollowspotError(f"there is no output {name!r}; {suggestion(name, list(outputs.values()))}")


def measure(output: str, input: str) -> Loop:
    """Play the clicks to an output, hear them at an input; again if they scatter. About seven seconds each.

    Raises FollowspotError if they do not come back, or scatter each time: a busy machine loses blocks.
    """
    index, name = find_output(output)
    microphone = find_input(input)
    played, _ = clicks(RATE)
    sounddevice: Any = sound_library()
    for _ in range(TRIES):
        try:
            heard = sounddevice.playrec(
                played, RATE, channels=1, device=(microphone.index, index), dtype="float32", blocking=True,
                latency="high",
            )  # fmt: skip
            latency = sounddevice.get_stream().latency
        except sounddevice.PortAudioError as error:
            raise FollowspotError(
                f"{name} and {microphone.name}: {error}; choose devices of one system"
            ) from None
        found = delays(heard[:, 0], RATE)
        low, high = np.percentile(found, [10, 90])
        loop = Loop(name, float(np.median(found)), float(high - low) / 2, 1000.0 * float(latency[0]))
        if loop.spread_ms <= SCATTER:
            return loop
    raise FollowspotError(
        f"the clicks came back between {low:.1f} and {high:.1f} ms: the machine loses sound; "
        "close other programs"
    )
