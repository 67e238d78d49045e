"""One show for all tests of the console: a file at its own pace, a preset with a rig and a broken output."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from apps.console.desk import Desk
from engine.preset import PresetSource

PLUGIN = Path(__file__).with_name("plugin.py")
RATE = 44100

PRESET = """
preset = 1
name = "show"
wires = ["input -> click.audio", "click.beats -> conductor"]
[nodes.click]
type = "metronome"
[nodes.conductor]
type = "conductor"
[sinks.rig]
type = "artnet"
from = ["click.beats"]
patch = "par1 -> 1 drgb; par2 -> 5 drgb"
cues = "beat -> chase par* red blue"
[sinks.deaf]
type = "deaf"
from = ["click.beats"]
"""


class Show:
    """A desk that runs in the background, as `followspot run` runs it."""

    def __init__(self, folder: Path) -> None:
        music = folder / "music.wav"
        noise = np.random.default_rng(1).standard_normal(RATE * 2) * np.linspace(0.01, 0.3, RATE * 2)
        soundfile.write(music, np.tile(noise, 300).astype(np.float32), RATE)
        preset = folder / "show.toml"
        preset.write_text(PRESET)
        (folder / "other.toml").write_text(PRESET.replace('"show"', '"other"'))
        self.folder = folder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.osc = free.getsockname()[1]
        source = PresetSource(str(preset), (), (str(PLUGIN),))
        self.desk = Desk(source, listen=f"127.0.0.1:{self.osc}", file=music)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ending.is_set() and not self.desk.join(0.05):
            pass

    def begin(self) -> None:
        self.desk.start()
        self._thread.start()
        wait(lambda: self.desk.snapshot().state == "running")
        self._untouched = dict(self.desk.values)

    def hands_off(self) -> None:
        """Every parameter as at the beginning, whatever a test has left."""
        for target, value in self._untouched.items():
            if self.desk.values[target] != value:
                self.desk.set(target, value)

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        self.desk.stop()


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        running = Show(tmp_path_factory.mktemp("console"))
        running.begin()
        yield running
        running.end()


@pytest.fixture
def console(show: Show) -> Iterator[Any]:
    """The show's console on a free port of this machine."""
    from apps.console.server import Console

    console = Console(show.desk, "127.0.0.1:0")
    yield console
    show.desk.faces.remove(console)
    console.close()


@pytest.fixture
def url(console: Any) -> str:
    return f"http://127.0.0.1:{console.port}"


def wait(condition: Any, seconds: float = 60.0) -> Any:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium driven by its own driver."""
    driver, program = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or program is None:
        pytest.skip("Chromium is not installed (Debian: chromium chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            "headless=new",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            "hide-scrollbars",
            "window-size=1280,900",
            f"user-data-dir={profile}",
        ):
            options.add_argument(f"--{flag}")
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        yield browser
        browser.quit()
