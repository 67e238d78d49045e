"""Real sound servers without hardware: JACK's dummy driver, PulseAudio's null sink; and a preset to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.preset import PresetSource

RATE = 44100
PLUGIN = Path(__file__).with_name("show_plugin.py")

Build = Callable[..., PresetSource]


def bursts(seconds: float, rate: int = RATE, every: float = 0.5) -> np.ndarray:
    """Noise bursts of 80 ms every half second over a noise floor, (samples, 2)."""
    random = np.random.default_rng(7)
    music = 0.01 * random.standard_normal((int(seconds * rate), 2))
    for start in np.arange(0.2, seconds - 0.1, every):
        at = int(start * rate)
        music[at : at + int(0.08 * rate)] += 0.3 * random.standard_normal((int(0.08 * rate), 1))
    return np.clip(music, -1, 1).astype(np.float32)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Four seconds of bursts in a file at 48 kHz, so that the resampler is in the way."""
    path = tmp_path / "music.wav"
    soundfile.write(path, bursts(4.0, 48000), 48000, subtype="FLOAT")
    return path


@pytest.fixture
def show(tmp_path: Path) -> Build:
    """Builds a preset of the test nodes with more TOML and wires."""

    def build(extra: str = "", *, slow: bool = False, wires: str = "") -> PresetSource:
        wires = ", ".join(filter(None, ['"input -> onsets.audio"', wires, slow * '"input -> slow.audio"']))
        text = f'preset = 1\nwires = [{wires}]\n[nodes.onsets]\ntype = "onsets"\n'
        if slow:
            text += '[nodes.slow]\ntype = "slow"\n'
        path = tmp_path / "show.toml"
        path.write_text(text + extra)
        return PresetSource(str(path), (), (str(PLUGIN),))

    return build


def stop_server(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def jack_name() -> str:
    """A name for a JACK server of these tests only."""
    return f"followspot-{os.getpid()}"


def start_jack(period: int = 256) -> subprocess.Popen[bytes]:
    """A JACK server with the dummy driver at 48 kHz, in real-time mode if it may.

    It throws out no client that is held up for less than 4.5 s: libjack may crash over that.
    """
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = ["-d", "dummy", "-r", "48000", "-p", str(period)]
    for mode in ("-R", "-r"):
        server = subprocess.Popen(["jackd", mode, "-t", "4500", "-n", jack_name(), *driver], **quiet)
        while server.poll() is None:
            if subprocess.run(["jack_wait", "-s", jack_name(), "-w", "-t", "1"], **quiet).returncode == 0:
                return server
    raise RuntimeError("jackd does not start")


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A running JACK server, the default one of this process and its children."""
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed (Debian: jackd2)")
    name = jack_name()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    server = start_jack()
    yield server
    stop_server(server)


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PulseAudio server whose only output is a null sink, "stage"; its monitor is the microphone."""
    if shutil.which("pulseaudio") is None or shutil.which("paplay") is None:
        pytest.skip("PulseAudio is not installed (Debian: pulseaudio pulseaudio-utils)")
    if not any(Path("/usr/lib").rglob("libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA cannot reach PulseAudio (Debian: libasound2-plugins)")
    home = tmp_path_factory.mktemp("pulse")
    home.chmod(0o700)
    for name, value in {
        "XDG_RUNTIME_DIR": str(home),
        "PULSE_RUNTIME_PATH": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PULSE_SERVER": f"unix:{home}/native",
        "PULSE_SOURCE": "stage.monitor",
        "PULSE_SINK": "stage",
    }.items():
        monkeypatch.setenv(name, value)
    server = subprocess.Popen(
        [
            *("pulseaudio", "-n", "--exit-idle-time=-1", "--use-pid-file=no", "--daemonize=no"),
            *("-L", "module-null-sink sink_name=stage rate=44100 channels=2"),
            *("-L", f"module-native-protocol-unix auth-anonymous=1 socket={home}/native"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 5
    while subprocess.run(["pactl", "info"], capture_output=True).returncode != 0:
        if time.monotonic() > deadline:
            stop_server(server)
            pytest.skip("PulseAudio does not start here")
        time.sleep(0.1)
    yield "pulse"
    stop_server(server)
