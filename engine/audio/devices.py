"""Audio devices, chosen by a part of their name. Indices move when something is plugged in; names stay."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from engine.errors import FollowspotError, suggestion

#: Words that mean the system's default input or output.
DEFAULT = ("", "mic", "default input")

#: Streams that play; the sound system cannot be started afresh, or left, while one is open.
open_outputs: set[Any] = set()


@dataclass(frozen=True)
class Device:
    """A device as it is now, `channels` in one direction. `index` is good until the next `refresh`."""

    name: str
    host: str
    index: int
    channels: int
    rate: int
    default: bool = False

    def __str__(self) -> str:
        mark = " (default)" if self.default else ""
        return f"{self.name} [{self.host}], {self.channels} channels, {self.rate} Hz{mark}"


def sound_library() -> Any:
    """sounddevice, which starts PortAudio; without PortAudio on the machine, one clear line."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # looking for devices must not start a server
    try:
        import sounddevice
    except OSError as error:
        raise FollowspotError(f"no live input: {error}; install PortAudio (Debian: libportaudio2)") from None
    return sounddevice


def refresh() -> None:
    """Look again at what is plugged in. Only while no input is open: PortAudio is started afresh, and outputs
    are closed (whoever plays opens its own again)."""
    sounddevice = sound_library()
    _close_outputs()
    sounddevice._terminate()
    sounddevice._initialize()


def shut() -> None:
    """Let go of the sound system, when no input is open: a sound server is told that we leave."""
    _close_outputs()
    sound_library()._terminate()


def _close_outputs() -> None:
    for stream in list(open_outputs):
        stream.close()


def input_devices() -> list[Device]:
    """All devices that sound can come from."""
    return _devices("input")


def output_devices() -> list[Device]:
    """All devices that sound can go to."""
    return _devices("output")


def _devices(direction: str) -> list[Device]:
    sounddevice = sound_library()
    hosts = [host["name"] for host in sounddevice.query_hostapis()]
    default = sounddevice.default.device[direction == "output"]
    if default < 0:
        default = next((h[f"default_{direction}_device"] for h in sounddevice.query_hostapis()), -1)
    return [
        Device(
            name=found["name"],
            host=hosts[found["hostapi"]],
            index=index,
            channels=found[f"max_{direction}_channels"],
            rate=round(found["default_samplerate"]),
            default=index == default,
        )
        for index, found in enumerate(sounddevice.query_devices())
        if found[f"max_{direction}_channels"] > 0
    ]


def find_input(name: str) -> Device:
    """The device whose name, or "name host", contains `name`; the default one for "mic" or "".

    The whole name wins over its beginning, that over a part of it; among equals the first listed.
    """
    devices = input_devices()
    if not devices:
        raise FollowspotError("no input device: plug in a microphone or interface, or use --input FILE")
    return _find(name, devices, "input")


def find_output(name: str) -> Device:
    """The same for outputs; the default one for ""."""
    devices = output_devices()
    if not devices:
        raise FollowspotError("no output device: plug in an interface, or start a sound server")
    return _find(name, devices, "output")


def _find(name: str, devices: list[Device], direction: str) -> Device:
    wanted = name.strip().lower()
    if wanted in DEFAULT:
        return next((device for device in devices if device.default), devices[0])
    ranked = [
        [d for d in devices if d.name.lower() == wanted],
        [d for d in devices if d.name.lower().startswith(wanted)],
        [d for d in devices if wanted in f"{d.name} {d.host}".lower()],
    ]
    for matches in ranked:
        if matches:
            return matches[0]
    known = [d.name for d in devices]
    raise FollowspotError(f"no {direction} device {name!r}; {suggestion(name, known)}")


def opening(device: Device, channels: str | tuple[int, ...], rate: int) -> tuple[int, int]:
    """How to open it: (channels, rate) that serve the preset's choice, the engine's rate if it can.

    "mix" takes the first two channels: a line feed is stereo, and sound servers claim 32.
    """
    sounddevice = sound_library()
    count = min(2, device.channels) if isinstance(channels, str) else max(channels)
    if count > device.channels:
        raise FollowspotError(
            f"device {device.name} has {device.channels} input channels, the preset wants channel {count}: "
            "set input.channels"
        )
    for wanted in (rate, device.rate):
        try:
            sounddevice.check_input_settings(device.index, count, "float32", samplerate=wanted)
        except (sounddevice.PortAudioError, ValueError):
            continue
        return count, wanted
    return count, device.rate


def output_rate(device: Device, channels: int, rate: int) -> int:
    """The rate to play `channels` channels at: the engine's if the device can, else its own."""
    sounddevice = sound_library()
    try:
        sounddevice.check_output_settings(device.index, channels, "float32", samplerate=rate)
    except (sounddevice.PortAudioError, ValueError):
        return device.rate
    return rate
