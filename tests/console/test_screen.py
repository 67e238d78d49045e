"""The text view: its lines, its keys, and the real program on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from apps.console.screen import Screen
from tests.console.conftest import PLUGIN, PRESET, RATE

ABOUT = {
    "type": "about",
    "name": "show",
    "input": "mic",
    "beats": "beats",
    "hands": {"octave": ["beats.octave"], "lock": ["beats.lock"], "tap": ["beats.tap"]},
}
TELEMETRY = {
    "type": "telemetry", "state": "running", "now": 10.0, "levels": [[1.0, 0.2]],
    "overload": {"state": "degrade"}, "xruns": 2, "gaps": 0, "overruns": 0, "restarts": 0,
    "budget_us": 5800.0,
    "loads": {"beats": [100.0, 90.0, 580.0, 900.0], "quantum": [150.0, 120.0, 700.0, 1000.0]},
    "sinks": {"osc": {"status": "retrying", "late_ms": [0.1, 0.2, 0.3], "sent": 7, "failures": 3}},
}  # fmt: skip


def plain(lines: list[str]) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", "\n".join(lines))


def test_lines():
    screen = Screen(lambda command: None)
    assert "starting" in plain(screen.lines(80))
    screen.hear(ABOUT)
    screen.hear(TELEMETRY)
    assert "listening" in plain(screen.lines(80))
    beat = {
        "kind": "beat",
        "source": "beats",
        "time": 9.9,
        "bpm": 128.0,
        "beat": 2,
        "bar": 5,
        "meter": 4,
        "confidence": 0.5,
    }
    screen.hear({"type": "event", "event": beat})
    screen.hear({"type": "event", "event": {"kind": "state", "source": "beats", "state": "tracking"}})
    said = {"kind": "beat", "source": "beats", "key": 9, "revision": 0, "retracted": False}
    screen.hear({"type": "ahead", "events": [{**said, "time": 11.0}, {**said, "key": 10, "time": 11.5}]})
    screen.hear({"type": "status", "what": "sink osc", "state": "retrying", "reason": "gone"})
    text = plain(screen.lines(80))
    for part in ("128.0 BPM", "○●○○", "bar 5", "tracking", "clip", "degrade", "xruns 2", "retrying", "10 %"):
        assert part in text, part
    assert "sink osc: retrying (gone)" in text
    row = next(line for line in text.splitlines() if "┃" in line)
    assert row.index("┃") < row.index("●") < row.rindex("●")
    screen.hear({"type": "ahead", "events": [{**said, "time": 11.0, "retracted": True}]})
    row = next(line for line in plain(screen.lines(80)).splitlines() if "┃" in line)
    assert row.count("●") == 1


def test_keys():
    done: list[dict[str, object]] = []
    screen = Screen(done.append)
    screen.hear(ABOUT)
    screen.hear({"type": "values", "values": {"beats.octave": "half", "beats.lock": False}})
    for key in "hdlb z":
        screen.key(key)
    assert [command.get("value") for command in done] == ["heard", "double", True, -1.0, None]
    assert done[-1] == {"do": "undo"}
    assert not screen.ended
    screen.key("q")
    assert screen.ended


def test_a_stroke_counts_at_once_and_what_is_half_out_goes_out():
    done: list[dict[str, object]] = []
    screen = Screen(done.append)
    screen.hear({**ABOUT, "hands": {"blackout": ["beats.blackout", "rig.blackout"]}})
    screen.hear({"type": "values", "values": {"beats.blackout": False, "rig.blackout": True}})
    screen.key("b")
    screen.key("b")  # before the news of the first has come
    assert [command["value"] for command in done] == [False, False, True, True]


def test_the_program_on_a_terminal(tmp_path: Path):
    music = tmp_path / "music.wav"
    soundfile.write(music, np.zeros(60 * RATE, np.float32), RATE)
    preset = tmp_path / "show.toml"
    preset.write_text(PRESET)
    leader, follower = pty.openpty()
    words = ["run", str(preset), "--plugin", str(PLUGIN), "--input", str(music), "--tui"]
    program = subprocess.Popen(
        [sys.executable, "-m", "apps.cli", *words],
        stdin=follower,
        stdout=follower,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "90", "LINES": "40"},
    )
    os.close(follower)
    heard = b""
    try:
        deadline = time.monotonic() + 60
        while b"120.0 BPM" not in heard and time.monotonic() < deadline:
            if select.select([leader], [], [], 1.0)[0]:
                heard += os.read(leader, 65536)
        os.write(leader, b"q")
        while program.poll() is None and time.monotonic() < deadline:
            if select.select([leader], [], [], 0.2)[0]:
                try:
                    heard += os.read(leader, 65536)
                except OSError:
                    break
        assert program.wait(10) == 0
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGKILL)
        _, errors = program.communicate()
        os.close(leader)
    assert b"120.0 BPM" in heard, errors
    assert b"\x1b[?1049h" in heard
    assert heard.rstrip().endswith(b"\x1b[?1049l")  # the terminal is as it was
    assert b"Traceback" not in errors


def test_it_needs_a_terminal(tmp_path: Path):
    from apps.cli import main

    preset = tmp_path / "show.toml"
    preset.write_text(PRESET)
    assert main(["run", str(preset), "--plugin", str(PLUGIN), "--tui"]) == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["monitor", "127.0.0.1:1", "--json"], "no console answers"),
        (["monitor", "ftp://x", "--json"], "HOST:PORT"),
        (["monitor"], "needs a terminal"),
        (["run", "beats", "--token", "x"], "add --view"),
        (["run", "beats", "--view", "--offline", "--input", "x.wav"], "leave --offline out"),
    ],
)
def test_faults_in_one_line(words, reason, capsys):
    from apps.cli import main

    assert main(words) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
