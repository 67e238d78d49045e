"""Art-Net and sACN against OLA's olad."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from engine.events import Event
from nodes.outputs.artnet import ArtNet
from nodes.outputs.sacn_dmx import Sacn

pytestmark = pytest.mark.live

PORT = 19190
OTHERS = (
    "dummy espnet ftdidmx gpio karate kinet milinst nanoleaf opendmx openpixelcontrol osc pathport renard"
)
OTHERS += " sandnet shownet spi spidmx stageprofi uartdmx usbserial usbdmx usbpro"


def ask(path, **form):
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", data, timeout=5) as answer:
        return json.load(answer)


def dmx(universe, wanted):
    """What olad has on a universe, once that is as wanted, or after two seconds."""
    for _ in range(100):
        channels = ask(f"/get_dmx?u={universe}")["dmx"]
        if channels[: len(wanted)] == wanted:
            break
        time.sleep(0.02)
    return channels[: len(wanted)]


@pytest.fixture(scope="module")
def olad(tmp_path_factory):
    """A real olad: universe 1 is fed by Art-Net, universe 2 by sACN."""
    if shutil.which("olad") is None:
        pytest.skip("olad is not installed: apt install ola")
    folder = tmp_path_factory.mktemp("ola")
    for name in OTHERS.split():
        (folder / f"ola-{name}.conf").write_text("enabled = false\n")
    (folder / "ola-artnet.conf").write_text("enabled = true\nip = 127.0.0.1\nuse_loopback = true\n")
    (folder / "ola-e131.conf").write_text("enabled = true\ninput_ports = 2\noutput_ports = 0\n")
    command = ["olad", "-c", str(folder), "--no-register-with-dns-sd", "-p", str(PORT), "-r", str(PORT + 1)]
    if os.geteuid() == 0:  # it refuses to run as root
        subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
        for parent in list(folder.parents)[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)  # nobody may pass; what others may do is kept
        command = ["runuser", "-u", "nobody", "--", *command]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                ports = [port["id"] for port in ask("/json/get_ports")]
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        else:
            pytest.skip("olad does not start on this machine")
        ask("/new_universe", id=1, name="artnet", add_ports=next(p for p in ports if p == "1-I-0"))
        ask("/new_universe", id=2, name="sacn", add_ports=next(p for p in ports if p == "2-I-0"))
        yield
    finally:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/quit", timeout=5).close()
        server.terminate()
        server.wait()


@pytest.mark.parametrize(("kind", "universe"), [(ArtNet, 1), (Sacn, 2)])
def test_a_rig_follows_the_beats_at_the_receiver(olad, kind, universe):
    sink = kind(
        patch="p1 -> 1 drgb; p2 -> 5 rgb; strobe -> 10 d",
        cues="beat -> chase p* red; onset -> flash strobe white 100ms",
        universe=universe,
    )
    sink.id = "rig"
    for _ in range(2):  # closed and opened again, it is still heard
        sink.open({})
        now = time.monotonic_ns()
        sink.send_event(Event("beat", 0, 0, "beats", values={"bpm": 120.0}), now, 1)
        sink.tick(now)
        first = [255, 255, 0, 0, 0, 0, 0, 0, 0, 0]
        assert dmx(universe, first) == first
        beat = 500_000_000
        wake = sink.tick(now + beat - 30_000_000)
        assert wake == pytest.approx(now + beat, abs=1e5)  # a frame lands on the beat
        sink.tick(wake)
        second = [0, 255, 0, 0, 255, 0, 0, 0, 0, 0]
        assert dmx(universe, second) == second
        sink.send_event(Event("onset", 0, 0, "drums"), now + beat + 10_000_000, 1)  # at once, without a tick
        flashed = [*second[:9], 255]
        assert dmx(universe, flashed) == flashed
        sink.blackout = True
        sink.tick(now + beat + 35_000_000)
        dark = [0, 255, 0, 0, 0, 0, 0, 0, 0, 0]  # a fixture with a dimmer keeps its colour
        assert dmx(universe, dark) == dark
        sink.blackout = False
        sink.tick(now + beat + 60_000_000)
        assert dmx(universe, flashed) == flashed
        sink.close()
        assert dmx(universe, [0] * 10) == [0] * 10
