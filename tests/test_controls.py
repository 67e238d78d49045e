"""Live controls: what comes in by OSC, for real, and what MIDI messages mean."""

from __future__ import annotations

import socket
from queue import SimpleQueue

import pytest
from pythonosc.udp_client import SimpleUDPClient

from apps.controls import Controls
from engine.errors import FollowspotError
from engine.node import AudioIn, AudioNode, AudioOut, Param
from engine.preset import Preset


class Effect(AudioNode):
    """Parameters of every kind. Latency: none."""

    audio = AudioIn("audio")
    out = AudioOut("audio")
    gain = Param(0.5, low=0.0, high=1.0, live=True, help="factor")
    steps = Param(4, low=0, high=127, live=True, help="whole")
    muted = Param(False, live=True, help="switch")
    shape = Param("sine", choices=("sine", "square"), live=True, help="word")
    free = Param(1.0, live=True, help="no range")


def preset(**controls: str) -> Preset:
    named = {f"effect.{name}": (control,) for name, control in controls.items()}
    return Preset("p", "", 44100, 256, 0, "", "mix", {"effect": (Effect, {})}, (), {}, named)


@pytest.fixture
def changes():
    return SimpleQueue()


@pytest.fixture
def make(changes):
    made = []

    def make(**controls: str) -> Controls:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            make.port = free.getsockname()[1]
        made.append(
            Controls(preset(**controls), lambda *change: changes.put(change), f"127.0.0.1:{make.port}")
        )
        return made[-1]

    yield make
    for controls in made:
        controls.close()


def test_osc_sets_parameters(make, changes, capsys):
    make(gain="osc:/gain", muted="osc:/mute")
    with SimpleUDPClient("127.0.0.1", make.port) as sender:
        sender.send_message("/gain", 0.25)
        assert changes.get(timeout=5) == ("effect.gain", 0.25)
        sender.send_message("/gain", 7.0)  # refused, and said so
        sender.send_message("/gain", [])
        sender.send_message("/mute", 1.0)
        assert changes.get(timeout=5) == ("effect.muted", True)
    assert changes.empty()
    assert "control of effect.gain: gain = 7.0 is out of range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("control", "message", "value"),
    [
        ({"gain": "midi:cc:1:20"}, [0xB0, 20, 127], 1.0),
        ({"gain": "midi:cc:1:20"}, [0xB0, 20, 0], 0.0),
        ({"steps": "midi:cc:16:7"}, [0xBF, 7, 5], 5),
        ({"muted": "midi:cc:1:20"}, [0xB0, 20, 64], True),
        ({"shape": "midi:cc:1:20"}, [0xB0, 20, 64], "square"),
        ({"shape": "midi:cc:1:20"}, [0xB0, 20, 63], "sine"),
        ({"muted": "midi:note:10:36"}, [0x99, 36, 1], True),
        ({"gain": "midi:note:10:36"}, [0x99, 36, 127], 1.0),
    ],
)
def test_midi_sets_parameters(make, changes, control, message, value):
    make(**control)._message(message)
    ((name, _),) = control.items()
    assert changes.get(timeout=1) == (f"effect.{name}", value)


def test_a_note_toggles_and_its_end_does_nothing(make, changes):
    controls = make(muted="midi:note:1:60")
    for message in ([0x90, 60, 100], [0x90, 60, 0], [0x80, 60, 0], [0x90, 61, 9], [0xF8], [0x90, 60, 1]):
        controls._message(message)
    assert [changes.get(timeout=1)[1] for _ in range(2)] == [True, False]
    assert changes.empty()


def test_a_taken_port_and_a_parameter_without_range_are_one_line(make):
    make(gain="osc:/gain")
    with pytest.raises(FollowspotError, match="give a free HOST:PORT"):
        Controls(preset(gain="osc:/gain"), print, f"127.0.0.1:{make.port}")
    with pytest.raises(FollowspotError, match="has no range that MIDI could span"):
        make(free="midi:cc:1:1")


def test_a_control_whose_parameter_has_gone_is_one_line(make, capsys):
    controls = make(muted="midi:note:1:60")

    def gone(name, value):
        raise FollowspotError(f"there is no node {name!r}")

    controls._change = gone
    controls._message([0x90, 60, 100])  # raises nothing: the thread that listens must go on
    assert "control of effect.muted: there is no node 'effect.muted'" in capsys.readouterr().err
