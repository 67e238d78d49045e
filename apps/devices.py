"""List the audio inputs and outputs of this machine, and the MIDI outputs.

Anything that a part of a name fits can be given to --input, to `device` in a preset or of the sink
`playback`, and to `port` of a MIDI sink. Names stay when something is plugged in; numbers would not.
"""

from __future__ import annotations

import argparse

from apps.terminal import note, quietly, table
from engine.audio.devices import input_devices, output_devices
from nodes.outputs.midi_port import output_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # it takes none


def run(args: argparse.Namespace) -> None:
    with quietly():
        devices, speakers, ports = input_devices(), output_devices(), output_names()
    inputs = [
        (device.name, device.host, str(device.channels), str(device.rate), "mic" if device.default else "")
        for device in devices
    ]
    outputs = [
        (
            device.name,
            device.host,
            str(device.channels),
            str(device.rate),
            "the default" if device.default else "",
        )
        for device in speakers
    ]
    print(table(("audio input", "system", "channels", "Hz", "also called"), inputs, right=(2, 3)))
    print()
    print(table(("audio output", "system", "channels", "Hz", ""), outputs, right=(2, 3)))
    print()
    print(table(("MIDI output",), [(name,) for name in ports]))
    if not inputs:
        note("\nno audio input: plug in an interface, or start a sound server (JACK, PulseAudio, PipeWire)")
