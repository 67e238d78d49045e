"""The user's own controls and latencies, and how they come to be: learn, calibrate."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest
from pythonosc.udp_client import SimpleUDPClient

from apps import calibrate, config, loopback
from apps.cli import main
from apps.console.desk import Desk
from apps.controls import Controls
from apps.live import beat_sources
from engine.errors import FollowspotError
from engine.params import params_of
from engine.preset import PresetSource, load_preset
from engine.registry import Registry
from nodes import CATALOGUE
from nodes.outputs.artnet import ArtNet
from nodes.rhythm.conductor import Conductor


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "followspot"


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def lights():
    return load_preset("lights", Registry(CATALOGUE))


def knock(port: int, address: str, *values: float) -> threading.Thread:
    """Send a message again and again for a second."""

    def send() -> None:
        with SimpleUDPClient("127.0.0.1", port) as client:
            for _ in range(20):
                client.send_message(address, list(values))
                time.sleep(0.05)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_a_button_is_stamped_and_a_fixed_value_set(port):
    changes: list = []
    controls = Controls(lights(), lambda *change: changes.append(change), f"127.0.0.1:{port}", lambda: 12.5)
    try:
        with SimpleUDPClient("127.0.0.1", port) as client:
            for address, value in [
                ("/followspot/tap", [1.0]), ("/followspot/tap", [0.0]), ("/followspot/one", []),
                ("/followspot/earlier", [1]), ("/followspot/nudge", [33.0]), ("/followspot/half", [1.0]),
                ("/followspot/blackout", [1]),
            ]:  # fmt: skip
                client.send_message(address, value)
                time.sleep(0.03)
        deadline = time.monotonic() + 20
        while len(changes) < 7 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        controls.close()
    assert changes == [
        ("conductor.tap", 12.5), ("conductor.one", 12.5), ("conductor.nudge", -10.0),
        ("conductor.nudge", 33.0), ("conductor.octave", "half"),
        ("conductor.blackout", True), ("rig.blackout", True),
    ]  # fmt: skip


def test_midi_notes_and_controllers_press_buttons():
    config.keep_control("lights", "conductor.tap", "midi:note:1:36")
    config.keep_control("lights", "conductor.one", "midi:cc:2:20")
    config.keep_control("lights", "conductor.octave", "midi:note:1:37=double")
    changes: list = []
    preset = config.with_learnt_controls(lights())
    assert preset.controls["conductor.tap"] == ("osc:/followspot/tap", "midi:note:1:36")
    controls = Controls(preset, lambda *change: changes.append(change), "127.0.0.1:0")
    for message in (
        [0x90, 36, 90],
        [0x90, 36, 0],
        [0x80, 36, 0],
        [0xB1, 20, 127],
        [0xB1, 20, 0],
        [0x90, 37, 5],
    ):
        controls._message(message)
    controls.close()
    assert changes == [("conductor.tap", -1.0), ("conductor.one", -1.0), ("conductor.octave", "double")]


def test_learn_maps_what_is_moved_and_forgets_it_again(port, home, capsys):
    sender = knock(port, "/1/push1", 1.0)
    listen = ["--listen", f"127.0.0.1:{port}", "--wait", "5"]
    assert main(["learn", "lights", "conductor.nudge=-10", *listen]) == 0
    sender.join()
    assert "osc:/1/push1=-10 moves conductor.nudge" in capsys.readouterr().out
    assert config.read(config.CONTROLS) == {"lights": {"conductor.nudge": ["osc:/1/push1=-10"]}}
    assert config.with_learnt_controls(lights()).controls["conductor.nudge"][-1] == "osc:/1/push1=-10"
    assert main(["learn", "lights"]) == 0
    assert "osc:/1/push1=-10" in capsys.readouterr().out
    assert main(["learn", "lights", "conductor.nudge", "--forget"]) == 0
    assert config.read(config.CONTROLS) == {"lights": {}}
    assert main(["learn", "lights", "conductor.nudge", "--forget"]) == 2
    assert main(["learn", "lights", "conductor.tab", *listen]) == 2
    assert "did you mean 'tap'?" in capsys.readouterr().err
    assert main(["learn", "lights", "conductor.tap", "--listen", f"127.0.0.1:{port}", "--wait", "0.1"]) == 2
    assert "nothing was moved" in capsys.readouterr().err


def test_a_control_is_learnt_while_a_preset_runs(port):
    changes, learnt = [], []
    controls = Controls(lights(), lambda *change: changes.append(change), f"127.0.0.1:{port}", lambda: 1.0)
    controls.learn("conductor.tap", learnt.append)
    controls._message([0x95, 40, 100])
    controls._message([0x95, 40, 100])
    controls.close()
    assert learnt == ["midi:note:6:40"]
    assert changes == [("conductor.tap", 1.0)]  # the first one was the lesson


def test_the_console_learns_too(port, home):
    class Page:
        told: list = []

        def status(self, *words: str) -> None:
            self.told.append(words)

        def changed(self) -> None:
            pass

    desk = Desk(PresetSource("lights"), listen=f"127.0.0.1:{port}")
    desk.faces.append(Page())
    with pytest.raises(FollowspotError, match="no live parameter"):
        desk.do({"do": "learn", "target": "conductor.tabs"})
    desk.do({"do": "learn", "target": "conductor.tap"})
    knock(port, "/pad/3", 1.0).join()
    desk.stop()
    assert ("control", "learnt", "osc:/pad/3 moves conductor.tap") in Page.told
    assert desk.preset.controls["conductor.tap"] == ("osc:/followspot/tap", "osc:/pad/3")
    assert "osc:/pad/3" in (home / "controls.toml").read_text()


def test_a_control_moves_one_thing_of_a_preset_only(home):
    config.keep_control("lights", "conductor.tap", "midi:note:1:36")
    config.keep_control("lights", "conductor.one", "midi:note:1:36")
    assert config.read(config.CONTROLS) == {"lights": {"conductor.one": ["midi:note:1:36"]}}
    (home / "controls.toml").write_text("not toml")
    with pytest.raises(FollowspotError, match="mend or remove it"):
        config.with_learnt_controls(lights())


def test_a_measured_latency_is_used_where_the_preset_leaves_it_open():
    device = config.device_name(ArtNet, {"host": "127.0.0.1"})
    assert device == "art_net 127.0.0.1"
    config.keep_latency(device, 43.21)
    config.keep_latency("elsewhere", 5.0)
    source = config.with_latencies(PresetSource("lights"))
    assert source.overrides == ("rig.latency_ms=43.2",)
    assert source.load().sinks["rig"][1]["latency_ms"] == 43.2
    assert config.with_latencies(PresetSource("lights", ("rig.latency_ms=7",))).overrides == (
        "rig.latency_ms=7",
    )
    config.keep_latency(device, -12.0)
    assert config.with_latencies(PresetSource("lights")).overrides == ("rig.offset_ms=12.0",)


@pytest.mark.parametrize("ms", [3.0, 187.4, 1234.5])
def test_clicks_are_found_in_noise_to_a_fraction_of_a_millisecond(ms):
    rate = 48000
    played, starts = loopback.clicks(rate)
    lag = round(ms * rate / 1000)
    heard = 0.1 * np.concatenate([np.zeros(lag, np.float32), played])[: len(played)]
    heard = heard + 0.02 * np.random.default_rng(0).standard_normal(len(heard)).astype(np.float32)
    found = loopback.delays(heard.astype(np.float32), rate)
    assert len(found) == len(starts)
    np.testing.assert_allclose(np.median(found), ms, atol=0.05)


def test_silence_and_noise_are_no_clicks():
    played, _ = loopback.clicks(48000)
    for heard in (np.zeros(len(played), np.float32), np.random.default_rng(0).standard_normal(len(played))):
        with pytest.raises(FollowspotError, match="did not come back"):
            loopback.delays(heard.astype(np.float32), 48000)


def test_taps_give_median_and_refuse_scatter():
    noise = np.random.default_rng(2)
    ms, scatter = calibrate.answer(np.arange(4, 16) + 0.12 + noise.normal(0, 0.02, 12))
    assert ms == pytest.approx(120, abs=20)
    assert scatter < 40
    assert calibrate.answer(np.arange(4, 16) - 0.05)[0] == pytest.approx(-50)
    with pytest.raises(FollowspotError, match="try again"):
        calibrate.answer(np.arange(4, 16) + noise.uniform(0, 1, 12))
    with pytest.raises(FollowspotError, match="only 2 taps"):
        calibrate.answer(np.array([4.1, 5.1]))


def test_only_the_conductors_beats_are_shown():
    assert beat_sources(lights()) == {"conductor"}
    assert beat_sources(load_preset("beats", Registry(CATALOGUE))) == {"tracker"}


def test_the_hands_are_the_conductors():
    for name in ("tap", "one", "follow", "nudge", "octave", "lock", "freeze", "blackout"):
        assert params_of(Conductor)[name].live
        assert f"conductor.{name}" in lights().controls
