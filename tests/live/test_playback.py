"""Stems on the channels of a real sound server: they arrive where they belong, aligned."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.live.supervisor import Supervisor
from engine.preset import PresetSource
from nodes.separate.hpss import Hpss
from tests.live.conftest import RATE
from tests.test_separate import stems

pytestmark = pytest.mark.live

PRESET = """
preset = 1
wires = ["input -> hpss"]
[nodes.hpss]
type = "hpss"
mode = "stage"
margin = 1.0
[sinks.out]
type = "playback"
from = ["hpss.harmonic", "hpss.percussive"]
device = "{device}"
channels = "percussive -> 1; harmonic -> 2"
buffer_ms = 150.0
[engine]
quantum = 512
"""


def song(seconds: float) -> np.ndarray:
    """Soft clicks at odd times over a tune; the resampler moves both by parts of a sample."""
    rng, t = np.random.default_rng(5), np.arange(int(seconds * RATE)) / RATE
    notes = np.repeat(rng.uniform(200, 900, int(seconds / 0.5) + 1), RATE // 2)[: len(t)]
    x = 0.15 * np.sin(2 * np.pi * np.cumsum(notes) / RATE)
    for at in np.cumsum(rng.uniform(0.15, 0.35, int(seconds * 3))):
        start = int(at * RATE)
        n = min(400, len(x) - start)
        if n > 0:
            noise = np.convolve(rng.standard_normal(n), np.hanning(16), "same")
            x[start : start + n] += 0.2 * noise * np.exp(-np.arange(n) / 80)
    return x.astype(np.float32)


def place(heard: np.ndarray, sent: np.ndarray) -> tuple[int, float]:
    """Where in `heard` `sent` begins, and how alike they are there (1: the same but for its level)."""
    size = 1 << int(np.ceil(np.log2(len(heard) + len(sent))))
    alike = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)))[: len(heard)]
    at = int(np.argmax(alike))
    return at, likeness(heard[at:], sent)


def likeness(heard: np.ndarray, sent: np.ndarray) -> float:
    heard = heard[: len(sent)]
    return float(heard @ sent[: len(heard)] / (np.linalg.norm(heard) * np.linalg.norm(sent) + 1e-9))


def test_stems_arrive_in_their_channels_and_aligned(pulse: str, tmp_path: Path) -> None:
    x = song(5.0)
    soundfile.write(tmp_path / "song.wav", x, RATE, "FLOAT")
    (tmp_path / "out.toml").write_text(PRESET.format(device="pulse"))
    said: list[str] = []
    with open(tmp_path / "heard.raw", "wb") as heard_file:
        recorder = subprocess.Popen(
            ["parec", "-d", "stage.monitor", "--format=float32le", "--rate=44100", "--channels=2", "--raw"],
            stdout=heard_file,
        )
        try:
            time.sleep(0.5)
            with Supervisor(
                PresetSource(str(tmp_path / "out.toml")),
                file=str(tmp_path / "song.wav"),
                status=lambda *words: said.append(" ".join(words)),
            ) as supervisor:
                deadline = time.monotonic() + 60
                while not supervisor.join(0.1) and time.monotonic() < deadline:
                    pass
            time.sleep(0.5)
        finally:
            recorder.terminate()
            recorder.wait(20)
    heard = np.fromfile(tmp_path / "heard.raw", np.float32)
    heard = heard[: len(heard) // 2 * 2].reshape(-1, 2)
    notices = [line for line in said if line.startswith("sink out ok pulse")]
    assert notices, said
    assert re.search(r"2 channels at 44100 Hz; 23 ms in the graph, \d+ ms to the device", notices[0])
    # The clicks of one channel tell where half a second has come to lie; the tune of the other must lie
    # there, too: a shift by 20 samples turns it by a quarter of a period. Blocks that are lost, or a sound
    # server that is held up, break both channels at once: such a stretch is not found,
    # or its tune ends early.
    expected, _ = stems(Hpss(mode="stage", margin=1.0), x, ("harmonic", "percussive", "residual"))
    aligned = []
    for start in range(0, len(x) - RATE, RATE // 4):
        clicks, tune = (expected[name][0, start:][: RATE // 2] for name in ("percussive", "harmonic"))
        at, sure = place(heard[:, 0], clicks)
        if sure > 0.9:
            aligned.append(likeness(heard[at:, 1], tune) > 0.9)
    assert sum(aligned) > len(aligned) / 2, (aligned, said)


def test_jack_is_played_to_at_its_own_rate(jack: subprocess.Popen[bytes], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(3.0), RATE, "FLOAT")
    (tmp_path / "out.toml").write_text(PRESET.format(device="system"))
    said: list[str] = []
    with Supervisor(
        PresetSource(str(tmp_path / "out.toml")),
        file=str(tmp_path / "song.wav"),
        status=lambda *words: said.append(" ".join(words)),
    ) as supervisor:
        deadline = time.monotonic() + 60
        while not supervisor.join(0.1) and time.monotonic() < deadline:
            pass
    told = r"sink out ok system \[JACK.*\], 2 channels at 48000 Hz; 23 ms in the graph, \d+ ms to the device"
    assert any(re.match(told, line) for line in said), said
