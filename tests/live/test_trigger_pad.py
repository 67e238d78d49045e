"""A pad that is played on a real MIDI port teaches `trigger` its note."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rtmidi

from apps.trigger import preset_source
from tests.live.midi import jack_server

pytestmark = pytest.mark.live


def learn(label: str, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "apps.cli", "trigger", "--preset", "drums", "--learn", label],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"XDG_CONFIG_HOME": str(home)},
    )  # fmt: skip


def test_a_pad_gives_its_note_to_a_drum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before = preset_source("drums", []).load().nodes["drums"][1].get("kick")
    with jack_server("followspot-pad"):
        pad = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="Pads")
        pad.open_virtual_port("out")
        learning = learn("kick", tmp_path)
        assert learning.stderr is not None
        assert "play the pad that kick shall play" in learning.stderr.readline()
        while learning.poll() is None:  # until JACK has connected the two
            pad.send_message((0x89, 47, 0))  # let go: nothing
            pad.send_message((0x99, 46, 0))  # a note-on of velocity 0 is one too
            pad.send_message((0x99, 48, 90))
            time.sleep(0.1)
        out, err = learning.communicate(timeout=20)
        pad.delete()
    assert learning.returncode == 0, err
    assert "48" in out + err
    assert before != 48
    assert preset_source("drums", []).load().nodes["drums"][1]["kick"] == 48


def test_without_a_pad_it_says_so(tmp_path: Path) -> None:
    with jack_server("followspot-pad"):
        learning = learn("kick", tmp_path)
        _, err = learning.communicate(timeout=60)
    assert learning.returncode == 2
    assert err.strip() == "followspot: there is no MIDI input: plug the pads in, or start their program"
