"""The switcher in a real browser: the same place in another recording, no gap; by key, click, OSC, MIDI."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pythonosc.udp_client import SimpleUDPClient

from apps.cli import main
from apps.switcher_audio import RATE, Recording
from apps.switcher_page import SwitcherSite, listen_to_osc, recording_of
from nodes.sync.align import Alignment
from nodes.sync.features import FRAMES, Features
from tests.console.conftest import wait
from tests.console.test_page import ask, fits, press, shot

SECONDS = 40
SLOWER = 0.8


def tone(seconds: float, rate: int, frequency: float, gain: float = 0.3) -> np.ndarray:
    """A tone that never ceases, swelling so that the outline shows something."""
    time = np.arange(int(seconds * rate)) / rate
    return (gain * (0.75 + 0.25 * np.sin(time)) * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three recordings: the second slower and at another rate, the third with silence before it."""
    folder = tmp_path_factory.mktemp("switcher")
    lengths = SECONDS, SECONDS / SLOWER, SECONDS + 3.0
    soundfile.write(folder / "Gulda.wav", tone(lengths[0], RATE, 220), RATE)
    soundfile.write(folder / "Argerich.flac", np.stack([tone(lengths[1], 48000, 330)] * 2, 1), 48000)
    late = np.concatenate([np.zeros(3 * RATE, np.float32), tone(SECONDS, RATE, 440)])
    soundfile.write(folder / "Brendel.wav", late, RATE)
    frames = np.arange(SECONDS * FRAMES)
    none = np.zeros((1, 12), np.float32)
    features = [Features(none, none, seconds, 0.0) for seconds in lengths]
    alignments = [
        Alignment(np.stack([frames, np.round(other).astype(int)], 1), 0, 1.0)
        for other in (frames / SLOWER, frames + 3 * FRAMES)
    ]
    paths = [str(folder / name) for name in ("Gulda.wav", "Argerich.flac", "Brendel.wav")]
    site = SwitcherSite(paths, "127.0.0.1:0")
    site.show(features, alignments)
    yield site
    site.close()


@pytest.fixture
def page(chromium: Any, site: SwitcherSite) -> Any:
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.set_window_size(1280, 800)
    chromium.get_log("browser")
    chromium.get(site.urls[0])
    wait(lambda: ask(chromium, "return window.followspot?.player.recordings.length") == 3)
    yield chromium
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []


CURRENT = "return followspot.player.current"
POSITION = "return followspot.player.position()"
# Everything that goes to the loudspeakers, as the page plays it.
TAP = """
const player = followspot.player, context = player.context;
const tap = context.createScriptProcessor(1024, 2, 2);
window.heard = [];
tap.onaudioprocess = ({ inputBuffer }) => {
  for (const value of inputBuffer.getChannelData(0)) window.heard.push(value);
};
tap.connect(context.destination);
player.out.connect(tap);
"""


def test_it_switches_to_the_same_place_without_a_gap(page):
    press(page, "\ue00d")  # space
    wait(lambda: ask(page, POSITION) > 0.5)
    page.execute_script(TAP)
    for key, scale, shift in (("2", 1 / SLOWER, 0.0), ("3", 1.0, 3.0), ("1", 1.0, 0.0)):
        before = ask(page, "return [followspot.player.positionIn(0), performance.now()]")
        press(page, key)
        wait(lambda key=key: ask(page, CURRENT) == int(key) - 1)
        there, now = ask(page, "return [followspot.player.position(), performance.now()]")
        passed = (now - before[1]) / 1000
        in_first = (there - shift) / scale
        assert in_first == pytest.approx(before[0], abs=passed + 0.1) and in_first >= before[0] - 0.05
        time.sleep(0.6)
    shot(page, "switcher")
    heard = np.array(ask(page, "return window.heard"))
    loud = np.flatnonzero(np.abs(heard) > 0.02)
    heard = heard[loud[0] : loud[-1]]
    level = np.sqrt(np.convolve(heard**2, np.ones(441) / 441, "valid"))  # 10 ms
    assert len(heard) > RATE
    assert level.min() > 0.08  # the tones have 0.11 to 0.21; a gap would be 0
    # All three have been heard.
    spectrum = np.abs(np.fft.rfft(heard))
    bins = [round(f * len(heard) / RATE) for f in (220, 330, 440)]
    assert all(spectrum[b - 3 : b + 4].max() > 0.02 * spectrum.max() for b in bins)
    press(page, "\ue00d")
    wait(lambda: ask(page, "return followspot.player.plays") is False)


def test_click_osc_and_midi(page, site):
    page.find_elements("css selector", ".recording canvas")[1].click()  # its middle
    wait(lambda: ask(page, CURRENT) == 1)
    assert ask(page, POSITION) == pytest.approx(SECONDS / SLOWER / 2, abs=0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    close = listen_to_osc(f"127.0.0.1:{port}", site.command)
    try:
        with SimpleUDPClient("127.0.0.1", port) as osc:
            osc.send_message("/switch", 3)
            wait(lambda: ask(page, CURRENT) == 2)
            assert ask(page, POSITION) == pytest.approx(SECONDS / 2 + 3.0, abs=0.3)
            osc.send_message("/seek", 7.5)
            wait(lambda: ask(page, POSITION) == 7.5)
    finally:
        close()
    assert [recording_of(m) for m in ([0xC3, 1], [0x90, 62, 9], [0x90, 62, 0], [0x90, 40, 9])] == [
        2,
        3,
        None,
        None,
    ]


def test_on_a_phone(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 780, "deviceScaleFactor": 1, "mobile": True},
    )
    time.sleep(0.3)
    assert fits(page)
    shot(page, "switcher-phone")


def test_parts_of_a_resampled_recording_join_exactly(site):
    def samples(recording: int, second: int, count: int) -> np.ndarray:
        url = f"{site.urls[0]}switcher/sound/{recording}?second={second}&count={count}"
        with urllib.request.urlopen(url) as answer:
            return np.frombuffer(answer.read(), "<i2").astype(int)

    for recording, channels in ((0, 1), (1, 2)):
        whole = samples(recording, 2, 4)
        assert len(whole) == 4 * RATE * channels
        parts = np.concatenate([samples(recording, second, 1) for second in range(2, 6)])
        assert np.abs(whole - parts).max() <= 1
    end = samples(0, SECONDS - 1, 3)
    assert np.abs(end[:RATE]).max() > 1000 and not end[RATE:].any()
    for bad in ("0?second=x&count=1", "7?second=0&count=1", "0?second=0&count=99"):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(f"{site.urls[0]}switcher/sound/{bad}")


def test_faults_are_one_line(tmp_path: Path, capsys: Any) -> None:
    text = tmp_path / "no sound.wav"
    text.write_text("no sound")
    assert main(["switcher", "a.wav"]) == 2
    assert main(["switcher", "a.mid", "b.wav"]) == 2
    assert main(["switcher", str(text), str(text)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.startswith("followspot: ") for line in lines] == [True] * 3
    assert "two to 9" in lines[0] and "is a score" in lines[1] and "cannot be read as sound" in lines[2]


def test_an_outline_shows_where_it_is_loud(tmp_path: Path) -> None:
    path = tmp_path / "late.wav"
    soundfile.write(path, np.concatenate([np.zeros(RATE), tone(1.0, RATE, 200, 0.5)]), RATE)
    outline = Recording(str(path)).outline()
    assert max(outline[: len(outline) // 2 - 2]) == 0.0 and min(outline[len(outline) // 2 + 2 :]) > 0.2
