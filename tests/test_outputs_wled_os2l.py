"""WLED audio sync and OS2L against real sockets."""

import json
import socket
import struct

import numpy as np
import pytest

from engine.errors import FollowspotError
from engine.events import Event
from engine.formats import FramesFormat
from nodes.outputs.os2l import Os2l
from nodes.outputs.wled import Wled

BANDS = FramesFormat(44100, 512, 0, (4,), labels=(50.0, 440.0, 5000.0, 15000.0))


def beat(key=0, **values):
    return Event("beat", 0, 0, "beats", key=key, values=values)


@pytest.fixture
def device():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", 0))
        raw.settimeout(5)
        yield raw


def parse(packet):
    """A packet by the offsets of WLED's `audioSyncPacket`."""
    assert len(packet) == 44
    return {
        "header": packet[0:6],
        "raw": struct.unpack_from("<f", packet, 8)[0],
        "smooth": struct.unpack_from("<f", packet, 12)[0],
        "peak": packet[16],
        "count": packet[17],
        "bands": list(packet[18:34]),
        "magnitude": struct.unpack_from("<f", packet, 36)[0],
        "major": struct.unpack_from("<f", packet, 40)[0],
    }


def test_wled_packets(device):
    sink = Wled(port=device.getsockname()[1])
    sink.open({"level.rms": FramesFormat(44100, 512, 0), "bands.bands": BANDS})
    sink.send_frame("level.rms", 0, np.float32(-30.0))
    sink.send_frame("bands.bands", 0, np.array([0.1, 0.4, 0.2, 0.3], np.float32))
    sink.tick(0)
    first = parse(device.recv(100))
    assert first["header"] == b"00002\0"
    assert first["raw"] == pytest.approx(127.5) and 0 < first["smooth"] < 127.5
    assert first["peak"] == 0 and first["count"] == 0
    assert max(first["bands"]) == 255 and sorted(first["bands"])[-3:-1] == [63, 127]
    assert np.argmax(first["bands"]) == 6 and first["bands"][0] == 63
    assert first["major"] == 440.0 and first["magnitude"] == pytest.approx(4096)
    sink.send_event(beat(), 0, 1)
    second = parse(device.recv(100))
    assert second["peak"] == 1 and second["count"] == 1
    sink.send_event(Event("onset", 0, 0, "drums"), 0, 1)
    sink.tick(0)
    assert parse(device.recv(100))["peak"] == 0
    sink.close()


def test_wled_needs_frequencies():
    with pytest.raises(FollowspotError, match="not labelled with frequencies"):
        Wled().open({"chroma.chroma": FramesFormat(44100, 512, 0, (12,), labels=tuple("CDEFGAHcdefg"))})


def test_os2l_beats():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        sink = Os2l(port=server.getsockname()[1])
        sink.id = "lights"
        sink.open({})
        program, _ = server.accept()
        with program, program.makefile() as lines:
            sink.send_event(beat(4, bpm=120.0, confidence=0.8), 0, 1)
            sink.send_event(beat(5, bpm=120.5, confidence=0.9), 0, 1)
            sink.send_event(Event("onset", 0, 0, "drums"), 0, 1)
            sink.send_event(beat(6, bpm=140.0), 0, 1)
            heard = [json.loads(lines.readline()) for _ in range(3)]
        assert heard == [
            {"evt": "beat", "change": True, "pos": 4, "bpm": 120.0, "strength": 80.0},
            {"evt": "beat", "change": False, "pos": 5, "bpm": 120.5, "strength": 90.0},
            {"evt": "beat", "change": True, "pos": 6, "bpm": 140.0, "strength": 100.0},
        ]
        with pytest.raises(OSError, match="has gone"):
            for _ in range(100):
                sink.send_event(beat(), 0, 1)
        sink.close()
        sink.open({})  # the program is back
        server.accept()[0].close()
        sink.close()


def test_os2l_gives_up_on_a_program_that_never_reads():
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = Os2l(port=server.getsockname()[1])
        sink.open({})
        with pytest.raises(OSError, match=r"has gone .timed out"):
            for _ in range(200_000):
                sink.send_event(beat(), 0, 1)
        sink.close()


def test_os2l_without_a_program_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    sink = Os2l(port=port)
    with pytest.raises(
        FollowspotError, match=rf"no lighting program answers OS2L at 127.0.0.1:{port} .*start it"
    ):
        sink.open({})
