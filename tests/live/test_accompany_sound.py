"""`followspot accompany --sound` into PulseAudio: the other part is heard, and what is missing is said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from apps.cli import main
from engine.errors import FollowspotError
from nodes.follow.made_up import BASS, MELODY, QUARTER, made_up_score, play
from nodes.outputs.fluid_synth import find_font
from tests.conftest import HeldUp

RATE = 44100
BARS = 1
#: Share of a sound that is digital silence, where the sound server was held up.
BROKEN = 0.1


@pytest.fixture
def melody(tmp_path: Path) -> Path:
    path = tmp_path / "melody.wav"
    notes = [(0.3 + i * QUARTER, pitch) for i, pitch in enumerate(MELODY[: 4 * BARS])]
    soundfile.write(path, play(notes, RATE, 0.3 + 4 * BARS * QUARTER), RATE)
    return path


@pytest.mark.live
def test_the_bass_is_heard(pulse: str, melody: Path, tmp_path: Path) -> None:
    if shutil.which("fluidsynth") is None:
        pytest.skip("FluidSynth is not installed (Debian: fluidsynth fluid-soundfont-gm)")
    try:
        find_font("")
    except FollowspotError as error:
        pytest.skip(str(error))
    raw = tmp_path / "heard.raw"
    with raw.open("wb") as file:
        listener = subprocess.Popen(
            ["parec", "-d", "stage.monitor", "--format=float32le", f"--rate={RATE}", "--channels=1", "--raw"],
            stdout=file,
        )
        try:
            command = [sys.executable, "-m", "apps.cli", "accompany", str(made_up_score()), "--solo", "1"]
            done = subprocess.run(
                [*command, "--input", str(melody), "--realtime", "--sound"],
                cwd=Path(__file__).parents[2],
                capture_output=True,
                text=True,
                timeout=120,
            )
        finally:
            listener.terminate()
            listener.wait(20)
    assert done.returncode == 0, done.stderr
    heard = np.frombuffer(raw.read_bytes(), np.float32)
    assert np.abs(heard).max() > 0.01
    begin, *_, end = np.flatnonzero(np.abs(heard) > 0.005)
    missing = np.mean(heard[begin:end] == 0.0)
    if missing > BROKEN:
        raise HeldUp(f"{missing:.0%} of the sound is missing")
    # While the first bass note sounds, most of the power below 600 Hz lies at its partials.
    frequency = np.fft.rfftfreq(RATE // 2, 1 / RATE)
    base = 440.0 * 2.0 ** ((BASS[0] - 69) / 12)
    partial = frequency / base
    near = np.abs(partial - np.round(partial)) * base < 6.0
    low = frequency < 600.0
    shares = []
    for start in range(begin, begin + int((4 * QUARTER - 0.5) * RATE), RATE // 8):
        half_second = heard[start:][: RATE // 2]
        spectrum = np.abs(np.fft.rfft(half_second * np.hanning(len(half_second)), RATE // 2)) ** 2
        shares.append(spectrum[near & low].sum() / max(spectrum[low].sum(), 1e-9))
    assert max(shares) > 0.5, shares


def test_what_is_missing_is_one_line(
    melody: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = [
        "accompany",
        str(made_up_score()),
        "--solo",
        "1",
        "--input",
        str(melody),
        "--realtime",
        "--sound",
    ]
    monkeypatch.setattr(shutil, "which", lambda program: "/usr/bin/fluidsynth")
    for arguments, message in (
        (["nowhere.sf2"], "sound font nowhere.sf2: there is no such file"),
        (["--port", "Piano"], "leave one out"),
    ):
        assert main([*usual, *arguments]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and len(error.splitlines()) == 1
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert main(usual) == 2
    error = capsys.readouterr().err.strip()
    assert "sound needs FluidSynth: install it" in error and len(error.splitlines()) == 1
