"""`followspot accompany` at its own pace through JACK MIDI: the notes of the other part arrive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nodes.follow.made_up import BASS, MELODY, QUARTER, made_up_score, play
from tests.live.midi import Receiver, jack_server

pytestmark = pytest.mark.live
RATE = 44100
BARS = 3


def test_the_bass_arrives_with_the_melody(tmp_path):
    melody = [(0.5 + i * QUARTER, pitch) for i, pitch in enumerate(MELODY[: 4 * BARS])]
    sound = tmp_path / "melody.wav"
    soundfile.write(sound, play(melody, RATE, 0.5 + 4 * BARS * QUARTER), RATE)
    with jack_server("followspot-accompany"):
        receiver = Receiver("Piano")
        try:
            command = [sys.executable, "-m", "apps.cli", "accompany", str(made_up_score()), "--solo", "1"]
            subprocess.run(
                [*command, "--input", str(sound), "--realtime", "--port", "Piano"],
                check=True,
                cwd=Path(__file__).parents[2],
                capture_output=True,
                timeout=120,
            )
            receiver.wait(2 * BARS)
        finally:
            receiver.close()
    struck = [(at, message[1]) for at, message in receiver.heard if message[0] == 0x90 and message[2]]
    assert [pitch for _, pitch in struck][:BARS] == list(BASS[:BARS])
    between = np.diff([at for at, _ in struck][:BARS]) / 1e9
    assert between == pytest.approx(4 * QUARTER, abs=0.3)
    ended = [message[1] for _, message in receiver.heard if message[0] == 0x80]
    assert set(ended) >= {pitch for _, pitch in struck}
