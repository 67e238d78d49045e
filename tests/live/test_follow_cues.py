"""`followspot run follow_cues` live: an OSC server and two MIDI programs hear positions and cues."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nodes.follow.made_up import QUARTER, made_up_notes, made_up_score, play
from tests.live.midi import Receiver, jack_server
from tests.test_outputs_osc import Receiver as OscReceiver

pytestmark = pytest.mark.live
RATE = 44100
BEATS = 5
CUES = """
[[cue]]
name = "lights"
beat = 2.0
note = 60
[[cue]]
name = "blackout"
beat = 4.0
note = 61
"""


def test_positions_and_cues_arrive(tmp_path: Path) -> None:
    sound, cues = tmp_path / "sound.wav", tmp_path / "cues.toml"
    notes = made_up_notes()
    length = BEATS * QUARTER
    soundfile.write(sound, play(notes[notes[:, 0] < length], RATE, length), RATE)
    cues.write_text(CUES)
    score = made_up_score()
    osc = OscReceiver()
    with jack_server("followspot-cues", period=1024):
        desk, show = Receiver("Desk"), Receiver("Show")
        try:
            settings = {
                "follower.reference": score,
                "cues.reference": score,
                "cues.list": cues,
                "osc.port": osc.port,
                "time_code.port": "Desk",
                "notes.port": "Show",
            }
            changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
            command = [sys.executable, "-m", "apps.cli", "run", "follow_cues", "--input", str(sound)]
            subprocess.run(
                [*command, "--realtime", *changes],
                check=True,
                cwd=Path(__file__).parents[2],
                capture_output=True,
                timeout=120,
            )
            struck = [message for message in show.wait(3) if message[0] & 0xF0 == 0x90]
            code = desk.wait(20)
        finally:
            desk.close()
            show.close()
            osc.close()
    assert [message[1] for message in struck] == [60, 61]
    assert code[0] == (0xFA,)  # start
    assert sum(message[0] == 0xF1 for message in code) > 20  # quarter frames of MIDI time code
    said = [(address.rsplit("/", 1)[1], values) for address, *values in osc.messages]
    cue = [str(values) for kind, values in said if kind == "cue"]
    assert any("lights" in values for values in cue) and any("blackout" in values for values in cue)
    positions = [values for kind, values in said if kind == "position"]
    assert len(positions) > 20 * length
    times = np.array([time for time, message in show.heard if message[0] & 0xF0 == 0x90]) / 1e9
    assert np.diff(times) == pytest.approx(2 * QUARTER, abs=0.3)
