"""When beats arrive at a receiver, beside the annotated beats of the music that is played live.

    python -m tests.benchmarks.bench_light_window [--songs 5] [--seconds 40]

A process plays each song (FOLLOWSPOT_DATA, default ../shared/data) into JACK's dummy driver (48 kHz, period
256) and stamps when; Followspot listens there with the preset `beats` and sends OSC; another process
receives and stamps each datagram. All three share the monotonic clock. A beat of the music sounds when a
converter would deliver it: a period after the player was asked for it less the period's length. Right is a
beat that the tracker puts within 70 ms of the annotated one, by its own time; in the light window is one
of which a datagram arrives from 125 ms before it to 45 ms after. Real time: about 50 s a song.
Prints a table and writes build/benchmarks/light_window.json.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import soundfile
import soxr

from engine.events import Event
from engine.live.supervisor import Supervisor
from engine.preset import PresetSource
from tests.benchmarks.beat_sets import DATA, RATE
from tests.benchmarks.bench_outputs import Receiver, free_port

DEVICE_RATE, PERIOD = 48000, 256
EARLY, LATE = -0.125, 0.045  # ITU-R BT.1359: light before and after sound that nobody notices
LEAD = 1.0  # seconds of silence before the music

_SHOW = """
preset = 1
extends = "beats"
[sinks.lamp]
type = "osc"
from = ["tracker.beats"]
port = {port}
aliases = "beat -> /beat index"
"""

#: Plays a file into the device, waits to be connected first; prints when each period was asked for, in ns.
PLAYER = """
import json, sys, threading, time
import sounddevice, soundfile
audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
period = int(sys.argv[2])
asked, ended, go = [], threading.Event(), threading.Event()
def play(out, frames, times, status):
    out[:] = 0
    if not go.is_set():
        return
    start = len(asked) * period
    if start + period > len(audio):
        ended.set()
        return
    asked.append(time.monotonic_ns())
    out[:] = audio[start : start + period]
(device,) = (n for n, d in enumerate(sounddevice.query_devices()) if d["name"] == "system")
with sounddevice.OutputStream(rate, period, device, 1, "float32", callback=play):
    print("ready", flush=True)
    sys.stdin.readline()
    go.set()
    ended.wait()
print(json.dumps(asked))
"""


def start_jack(name: str) -> subprocess.Popen[bytes]:
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_START_SERVER="1")
    driver = ["-d", "dummy", "-r", str(DEVICE_RATE), "-p", str(PERIOD)]
    command = ["jackd", "-R", "-t", "4500", "-n", name, *driver]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait = ["jack_wait", "-s", name, "-w", "-t", "30"]
    subprocess.run(wait, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return server


def ports(kind: str) -> list[str]:
    """Ports of JACK's clients, "out" or "in", not the device's own."""
    said = subprocess.run(["jack_lsp", "-p"], capture_output=True, text=True, check=True).stdout
    wanted = {"out": "output", "in": "input"}[kind]
    names = said.splitlines()
    return [
        port
        for port, about in zip(names[::2], names[1::2], strict=True)
        if wanted in about and not port.startswith("system:")
    ]


def perform(music: np.ndarray, folder: Path) -> tuple[np.ndarray, list[Event], np.ndarray, Any]:
    """Plays the music (device rate) to Followspot.

    Returns the host time in s at which each period of it sounded, all that was said, the host times of
    arrival, and the last snapshot of the engine.
    """
    soundfile.write(folder / "music.wav", music, DEVICE_RATE, subtype="FLOAT")
    port = free_port(socket.SOCK_DGRAM)
    (folder / "show.toml").write_text(_SHOW.format(port=port))
    receiver = Receiver(osc=port)
    events: list[Event] = []
    with Supervisor(
        PresetSource(str(folder / "show.toml")), device="system", events=events.append
    ) as supervisor:
        listening = ports("in")
        player = subprocess.Popen(
            [sys.executable, "-c", PLAYER, str(folder / "music.wav"), str(PERIOD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert player.stdout is not None
        player.stdout.readline()
        (playing,) = ports("out")[:1]
        for target in listening:
            subprocess.run(["jack_connect", playing, target], check=True)
        asked = np.array(json.loads(player.communicate("\n")[0]), float) * 1e-9
        time.sleep(0.5)
        snapshot = supervisor.snapshot()
    arrivals = receiver.finish()["osc"] * 1e-9
    sounded = scipy.ndimage.median_filter(asked, 41, mode="nearest") - PERIOD / DEVICE_RATE
    return sounded, events, arrivals, snapshot


def nearest(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of each wanted time, how much later the nearest of the found is; a second if there is none."""
    if not len(found):
        return np.full(len(wanted), 1.0)
    return found[np.abs(found[None] - wanted[:, None]).argmin(axis=1)] - wanted


def best(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """As `nearest`, but one inside the light window is preferred to a nearer one outside."""
    if not len(found):
        return np.full(len(wanted), 1.0)
    late = found[None] - wanted[:, None]
    cost = np.abs(late) + 10.0 * ((late < EARLY) | (late > LATE))
    return late[np.arange(len(wanted)), cost.argmin(axis=1)]


def measure(name: str, audio: np.ndarray, beats: np.ndarray, folder: Path) -> dict[str, Any]:
    """`audio` at RATE, `beats` in seconds."""
    music = np.concatenate([np.zeros(round(LEAD * RATE), np.float32), audio])
    sounded, events, arrivals, end = perform(soxr.resample(music, RATE, DEVICE_RATE), folder)
    at = (beats + LEAD) * DEVICE_RATE
    truth = np.interp(at, np.arange(len(sounded)) * PERIOD, sounded)
    last = {event.key: event for event in events if event.kind == "beat"}
    sample, ns, period = end.line
    told = np.array([(ns + (e.time - sample) * period) * 1e-9 for e in last.values() if not e.retracted])
    right = np.abs(nearest(truth, told)) <= 0.07
    late = best(truth, arrivals)
    inside = (late >= EARLY) & (late <= LATE)
    return {
        "song": name,
        "beats": len(beats),
        "right": int(right.sum()),
        "inside": int(inside.sum()),
        "right, inside": int((right & inside).sum()),
        "late ms": np.round(1e3 * late[right], 2).tolist(),
        "gaps": end.gaps,
        "sink late p99 ms": round(end.sinks["lamp"].late_p99, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each song")
    options = parser.parse_args()
    server = start_jack(f"followspot-window-{os.getpid()}")
    rows = []
    try:
        for song in sorted((DATA / "mdb").iterdir())[: options.songs]:
            mix = np.sum([soundfile.read(f, dtype="float32")[0] for f in song.glob("*.flac")], axis=0)
            beats = np.loadtxt(song / "beats.txt")[:, 0]
            beats = beats[beats < min(options.seconds, len(mix) / RATE) - 0.2]
            with tempfile.TemporaryDirectory() as folder:
                audio = mix[: round(options.seconds * RATE)]
                rows.append(measure(song.name, audio, beats, Path(folder)))
            print(json.dumps({k: v for k, v in rows[-1].items() if k != "late ms"}), flush=True)
    finally:
        server.terminate()
        server.wait(10)
    late = np.concatenate([row["late ms"] for row in rows])
    count = {key: sum(row[key] for row in rows) for key in ("beats", "right", "inside", "right, inside")}
    result = {
        "beats": count["beats"],
        "right": count["right"],
        "share of the right ones inside": round(count["right, inside"] / max(1, count["right"]), 4),
        "share of all inside": round(count["inside"] / count["beats"], 4),
        **{f"late p{q} ms": round(float(np.percentile(late, q)), 1) for q in (1, 5, 50, 95, 99)},
        "gaps": sum(row["gaps"] for row in rows),
    }
    for key, value in result.items():
        print(f"{key:32}{value:>10}")
    target = Path("build/benchmarks/light_window.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"all": result, "songs": rows, "load": os.getloadavg()}, indent=1))


if __name__ == "__main__":
    main()
