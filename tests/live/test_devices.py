"""Live input from real sound servers: JACK's dummy driver and PulseAudio's null sink."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.errors import FollowspotError
from engine.events import Event
from engine.live.replay import replay
from engine.live.session import Gap, Session
from engine.live.supervisor import Supervisor
from tests.live.conftest import RATE, Build, bursts, start_jack, stop_server

pytestmark = pytest.mark.live

# Devices are looked up in a process of its own: PortAudio remembers what it saw first.
_FIND = """
import sys
from engine.audio.devices import find_input
from engine.errors import FollowspotError
try:
    print(find_input(sys.argv[1]))
except FollowspotError as error:
    print(error)
"""


_PROGRAM = """
from engine.live.supervisor import Supervisor
from engine.preset import PresetSource
if __name__ == "__main__":
    tell = lambda *words: print(*words, flush=True)
    Supervisor({source!r}, device="system", record={record!r}, status=tell).run()
    print("left")
""".replace("{record!r}", "'{record}'")


def _start_program(path: Path) -> subprocess.Popen[str]:
    """A control process of its own, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
        # A shell that runs the tests in the background leaves SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _find(name: str) -> str:
    done = subprocess.run([sys.executable, "-c", _FIND, name], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


def test_devices_are_chosen_by_a_part_of_their_name(jack: subprocess.Popen[bytes]) -> None:
    assert _find("Jack Audio").startswith("system [JACK Audio Connection Kit], 2 channels, 48000 Hz")
    assert _find("systen") == "no input device 'systen'; did you mean 'system'?"


@pytest.mark.parametrize("lean", ["true", "false"])
def test_overload_degrades_or_skips_but_never_falls_behind(
    jack: subprocess.Popen[bytes], show: Build, tmp_path: Path, lean: str
) -> None:
    source = show(
        f'[nodes.hog]\ntype = "hog"\nlean = {lean}\n[sinks.out]\ntype = "lines"\n'
        f'path = "{tmp_path / "out"}"\nfrom = ["onsets.events"]\n',
        wires='"input -> hog.audio"',
    )
    events: list[Event] = []
    with Supervisor(source, device="system", record=tmp_path / "session", events=events.append) as supervisor:
        time.sleep(3.0)
        snapshot = supervisor.snapshot()
    assert snapshot.entered["degrade"] > 0
    assert snapshot.line is not None
    sounding = (snapshot.ns - snapshot.line[1]) / snapshot.line[2] + snapshot.line[0]
    assert sounding - snapshot.position < 0.5 * RATE
    gaps = [event for event in events if event.kind == "gap"]
    lost = sum(event.values["length"] for event in gaps)
    if lean == "true":
        assert lost < 1.5  # none, unless the machine itself was held up
    else:
        assert snapshot.entered["skip"] > 0
        assert gaps
    again: list[Event] = []
    replay(tmp_path / "session", again.append)
    assert again == events


def test_a_session_outlives_the_death_of_both_processes(
    jack: subprocess.Popen[bytes], show: Build, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(_PROGRAM.format(source=show(), record=tmp_path / "session"))
    running = _start_program(tmp_path / "program.py")
    assert running.stdout is not None
    engine = 0
    for line in running.stdout:
        if line.startswith("engine running process"):
            engine = int(line.split()[-1])
            break
    takes = tmp_path / "session" / "take-1"
    deadline = time.monotonic() + 20
    while sum(path.stat().st_size for path in takes.glob("*")) < 100_000 and time.monotonic() < deadline:
        time.sleep(0.1)
    running.kill()  # only the control process: the engine has to notice
    running.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{engine}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{engine}").exists()
    session = Session.open(tmp_path / "session")
    assert len(list(session.items(session.takes[0]))) > 20


@pytest.mark.parametrize("backend", ["numba", "python"])
def test_jack_loses_nothing_in_silence(
    jack: subprocess.Popen[bytes], show: Build, tmp_path: Path, backend: str
) -> None:
    said: list[str] = []
    with Supervisor(
        show(),
        device="system",
        record=tmp_path / "session",
        backend=backend,
        status=lambda *words: said.append(" ".join(words)),
    ) as supervisor:
        time.sleep(3.0)
        snapshot = supervisor.snapshot()
    assert any("2 channels at 48000 Hz" in line and backend in line for line in said)
    assert snapshot.state == "running"
    assert snapshot.line is not None
    sounding = (snapshot.ns - snapshot.line[1]) / snapshot.line[2] + snapshot.line[0]
    assert 0 < sounding - snapshot.position < 0.5 * RATE
    session = Session.open(tmp_path / "session")
    items = list(session.items(session.takes[0]))
    gaps = [item.quanta for item in items if isinstance(item, Gap)]
    assert (len(items) - len(gaps) + sum(gaps)) * 256 == supervisor.snapshot().position
    # A virtual machine that is held up for tens of milliseconds loses blocks: each one is declared.
    assert sum(gaps) * 256 == supervisor.snapshot().lost
    assert len(items) - len(gaps) > 0.5 * RATE / 256


def test_music_played_into_a_virtual_device_is_heard_and_replayed_to_the_bit(
    pulse: str, show: Build, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "music.wav", bursts(5.0), RATE)
    events: list[Event] = []
    with Supervisor(show(), device="pulse", record=tmp_path / "session", events=events.append):
        time.sleep(0.7)
        subprocess.run(["paplay", str(tmp_path / "music.wav")], check=True, timeout=30)
        time.sleep(0.5)
    onsets = np.array([event.time for event in events if event.kind == "onset"]) / RATE
    assert len(onsets) >= 8
    # The player may begin a little late, but then keeps time, even over a gap.
    beats = (onsets - onsets[len(onsets) // 2]) / 0.5
    assert np.median(np.abs(beats - np.round(beats))) * 0.5 < 0.015
    again: list[Event] = []
    replay(tmp_path / "session", again.append)
    assert again == events


def test_a_device_that_goes_away_comes_back_with_a_gap(
    jack: subprocess.Popen[bytes], show: Build, tmp_path: Path
) -> None:
    states: list[tuple[str, str]] = []
    events: list[Event] = []
    with Supervisor(
        show(),
        device="system",
        record=tmp_path / "session",
        events=events.append,
        status=lambda what, state, reason: states.append((what, state)),
    ) as supervisor:
        time.sleep(1.0)
        jack.kill()
        jack.wait()
        deadline = time.monotonic() + 30
        while supervisor.snapshot().state != "waiting for the input" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert supervisor.snapshot().state == "waiting for the input"
        server = start_jack()
        try:
            deadline = time.monotonic() + 30
            while states.count(("device", "ok")) < 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(1.0)
            snapshot = supervisor.snapshot()
        finally:
            supervisor.stop()
            stop_server(server)
    assert states.count(("device", "ok")) == 2
    assert snapshot.state == "running"
    # JACK's client library hangs over its dead server, so a new process had to go on in the same time. A
    # machine that is held up may lose a block besides.
    (gap,) = [event for event in events if event.kind == "gap" and event.values["length"] > 1.5]
    assert gap.values["length"] < 60
    session = Session.open(tmp_path / "session")
    gaps = [item for item in session.items(session.takes[-1]) if isinstance(item, Gap)]
    assert len(gaps) >= 1


def test_ctrl_c_ends_it_cleanly(jack: subprocess.Popen[bytes], show: Build, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(_PROGRAM.format(source=show(), record=tmp_path / "session"))
    running = _start_program(tmp_path / "program.py")
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("engine running"):
            break
    time.sleep(0.5)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: both processes get it
    out, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (0, "")
    assert out.rstrip().endswith("left")
    assert list(Session.open(tmp_path / "session").items(tmp_path / "session" / "take-1"))


def test_an_unknown_device_is_one_line(jack: subprocess.Popen[bytes], show: Build) -> None:
    with pytest.raises(FollowspotError, match="no input device 'sistem'; did you mean 'system'") as raised:
        Supervisor(show(), device="sistem").run()
    assert "\n" not in str(raised.value)
