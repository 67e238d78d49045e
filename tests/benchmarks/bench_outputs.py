"""Lateness at the wire with many outputs at once, and the way back after a receiver has died.

    python -m tests.benchmarks.bench_outputs [--seconds 30] [--restarts 100]

Six sinks run on the dispatcher's own threads: OSC, Art-Net, WLED, OS2L, an OSC sink whose receiver is dead
and an OS2L sink whose program accepts and never reads. Beats fall due by a stream clock, four a second; a
process of its own receives and stamps what arrives. Lateness is arrival minus the moment at which the beat
was due. Then the OSC and OS2L receivers die and come back, and the time until the first message after that
is taken.
"""

import argparse
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from engine.clock import StreamClock, WallClock
from engine.events import Event
from engine.live.dispatcher import Outlet
from engine.live.realtime import ENGINE_PRIORITY, prepare_process, raise_priority
from engine.routes import Route
from nodes.outputs.artnet import ArtNet
from nodes.outputs.os2l import Os2l
from nodes.outputs.osc import Osc
from nodes.outputs.wled import Wled

RATE = 48000

RECEIVER = """
import contextlib, json, os, select, socket, sys, time
with contextlib.suppress(PermissionError):  # a stamp must not wait for other programs
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
ports = json.loads(sys.argv[1])
polls = {}
for name, port in ports.items():
    if name == "os2l":
        server = socket.create_server(("127.0.0.1", port))
        polls[server] = "server"
    else:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", port))
        polls[udp] = name
polls[sys.stdin] = "stdin"
heard = {name: [] for name in ports}
print("ready", flush=True)
while True:
    for ready in select.select(list(polls), [], [])[0]:
        now = time.monotonic_ns()
        name = polls[ready]
        if name == "stdin":
            print(json.dumps(heard), flush=True)
            sys.exit()
        if name == "server":
            polls[ready.accept()[0]] = "os2l"
            continue
        data = ready.recv(4096)
        if not data:
            del polls[ready]
        elif name == "wled":
            if data[16]:
                heard[name].append(now)
        elif name == "artnet":
            if data[18]:
                heard[name].append(now)
        else:
            heard[name].append(now)
"""


class Receiver:
    """The receiving process."""

    def __init__(self, **ports):
        command = [sys.executable, "-c", RECEIVER, json.dumps(ports)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process.stdout.readline()

    def finish(self):
        """Arrival times in ns by sink; the process ends."""
        heard = self._process.communicate("\n")[0]
        return {name: np.array(times, float) for name, times in json.loads(heard).items()}

    def kill(self):
        self._process.kill()
        self._process.communicate()


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Show:
    """Outlets that get beats."""

    def __init__(self, **sinks):
        self.clock = StreamClock(RATE)
        self.begun = time.monotonic_ns()
        self.clock.update(0, self.begun)
        path = Route({}, frozenset({("beats", "beat")}), frozenset(), {}, {})
        self.outlets = {}
        for name, sink in sinks.items():
            sink.id, sink.rate = name, RATE
            self.outlets[name] = Outlet(name, sink, path, self.clock, WallClock(), lambda *_: None)
        for outlet in self.outlets.values():
            outlet.start()

    def beat(self, number, sample):
        """Say a beat; returns when it is due, in ns."""
        event = Event("beat", sample, sample - RATE // 20, "beats", key=number, values={"bpm": 240.0})
        for outlet in self.outlets.values():
            outlet.put([event], event.emitted)
        return self.clock.line.at(sample)

    def stop(self):
        for outlet in self.outlets.values():
            outlet.stop()


def deaf_program():
    """A TCP server that accepts and never reads."""
    server = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept():
        while True:
            try:
                kept.append(server.accept())
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    return server


def lateness(seconds):
    ports = {name: free_port(socket.SOCK_DGRAM) for name in ("osc", "wled")} | {"artnet": 6454}
    ports["os2l"] = free_port(socket.SOCK_STREAM)
    receiver = Receiver(**ports)
    deaf = deaf_program()
    show = Show(
        osc=Osc(port=ports["osc"]),
        wled=Wled(port=ports["wled"]),
        artnet=ArtNet(patch="lamp -> 1 d", cues="beat -> flash lamp white 50ms"),
        os2l=Os2l(port=ports["os2l"]),
        dead=Osc(port=free_port(socket.SOCK_DGRAM)),
        deaf=Os2l(port=deaf.getsockname()[1]),
    )
    time.sleep(0.5)
    due = []
    step = RATE // 4
    sample = RATE
    for number in range(int(seconds * 4)):
        due.append(show.beat(number, sample))
        sample += step
        time.sleep(max(0, (show.clock.line.at(sample - RATE // 20) - time.monotonic_ns()) / 1e9))
    time.sleep(0.2)
    show.stop()
    deaf.close()
    due = np.array(due, float)
    result = {}
    for name, times in receiver.finish().items():
        after = np.searchsorted(times, due - 2e6)
        found = after < len(times)
        late = (times[after[found]] - due[found]) / 1e6
        late = late[late < 90]
        result[name] = {"events": len(due), "arrived": len(late), **percentiles(late)}
    return result


def way_back(restarts):
    ports = {"osc": free_port(socket.SOCK_DGRAM), "os2l": free_port(socket.SOCK_STREAM)}
    receiver = Receiver(**ports)
    show = Show(osc=Osc(port=ports["osc"]), os2l=Os2l(port=ports["os2l"]))
    stop = threading.Event()

    def play():
        number = 0
        while not stop.wait(0.05):
            show.beat(number, round(show.clock.line.sample_at(time.monotonic_ns())) + 480)
            number += 1

    player = threading.Thread(target=play)
    player.start()
    rng = np.random.default_rng(0)
    back = {name: [] for name in ports}
    for _ in range(restarts):
        receiver.kill()
        time.sleep(rng.uniform(0.1, 1.5))
        receiver = Receiver(**ports)
        begun = time.monotonic_ns()
        time.sleep(2.2)
        heard = receiver.finish()
        for name, times in heard.items():
            back[name].append((times[0] - begun) / 1e6 if len(times) else float("inf"))
        receiver = Receiver(**ports)
    stop.set()
    player.join()
    show.stop()
    receiver.kill()
    return {name: {"restarts": restarts, **percentiles(times)} for name, times in back.items()}


def percentiles(values):
    return {
        key: round(float(np.percentile(values, q)), 3) for key, q in [("p50", 50), ("p99", 99), ("max", 100)]
    }


def table(title, rows):
    print(f"\n{title}")
    print("".ljust(10) + "".join(f"{key:>10}" for key in next(iter(rows.values()))))
    for name, row in rows.items():
        print(name.ljust(10) + "".join(f"{value:10}" for value in row.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--restarts", type=int, default=100)
    options = parser.parse_args()
    prepare_process()  # as the engine process does
    raise_priority(ENGINE_PRIORITY)
    result = {"lateness_ms": lateness(options.seconds)}
    table("arrival after the due time, ms", result["lateness_ms"])
    if options.restarts:
        result["way_back_ms"] = way_back(options.restarts)
        table("first message after the receiver is back, ms", result["way_back_ms"])
    path = Path("build/benchmarks/outputs.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
