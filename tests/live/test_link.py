"""Ableton Link with a second program in the session, in a process of its own."""

import json
import subprocess
import sys
import time

import pytest

from engine.events import Event
from nodes.outputs.link import AbletonLink

pytest.importorskip("link", reason="the extra 'link' is not installed: pip install followspot[link]")
pytestmark = pytest.mark.live

PEER = """
import json, link, sys
peer = link.Link(100.0)
peer.enabled = True
for line in sys.stdin:
    state = peer.captureSessionState()
    print(json.dumps([peer.numPeers(), state.tempo(), state.phaseAtTime(int(line), 4)]), flush=True)
"""


class Peer:
    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, micros=0):
        """Peers, tempo in BPM and phase in a bar of four at an instant of Link's clock."""
        self._process.stdin.write(f"{micros}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        with self._process as process:
            process.stdin.close()


def test_joins_without_taking_over_and_leads_when_armed():
    peer = Peer()
    assert peer.ask()[0] == 0
    time.sleep(2)  # of two sessions that meet, the one that is older by half a second or more goes on
    sink = AbletonLink()
    sink.open({})
    period = 60e9 / 128
    begun = time.monotonic_ns()
    beat = 0

    def play(seconds):
        nonlocal beat
        end = time.monotonic_ns() + seconds * 1e9
        while (now := time.monotonic_ns()) < end:
            sink.tick(now)
            if now >= begun + beat * period:
                values = {"bpm": 128.0, "beat": beat % 4 + 1}
                sink.send_event(Event("beat", 0, 0, "beats", values=values), round(begun + beat * period), 1)
                beat += 1
            time.sleep(0.005)

    play(4)
    if sink.peers == 0:
        sink.close()
        peer.close()
        pytest.skip("Link finds no peer on this machine: no multicast")
    assert peer.ask()[:2] == [1, pytest.approx(100, abs=1e-3)]
    sink.lead = True
    play(4)
    downbeat = round((begun + 4 * (beat // 4) * period) / 1000 + sink._skew)
    peers, tempo, phase = peer.ask(downbeat)
    assert peers == 1
    assert tempo == pytest.approx(128, abs=0.5)
    assert (phase + 2) % 4 - 2 == pytest.approx(0, abs=0.1)  # beats: 50 ms
    sink.close()
    peer.close()
