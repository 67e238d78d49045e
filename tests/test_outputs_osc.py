"""OSC against python-osc's own server on loopback."""

import socket
import struct
import threading

import numpy as np
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer

from engine.errors import FollowspotError
from engine.events import Event
from engine.formats import EventsFormat, FramesFormat
from nodes.outputs.osc import Osc
from nodes.outputs.osc_alias import builtin_tables, parse_aliases

BEAT = Event(
    "beat",
    44100,
    40000,
    "beats",
    key=7,
    values={"bpm": 120.5, "confidence": np.float32(0.5), "steady": True, "label": "x"},
)


class Receiver:
    """A real OSC server; `messages` are (address, *arguments)."""

    def __init__(self):
        dispatcher = Dispatcher()
        dispatcher.set_default_handler(self._hear)
        self.server = BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
        self.port = self.server.server_address[1]
        self.messages = []
        self._heard = threading.Condition()
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _hear(self, address, *arguments):
        with self._heard:
            self.messages.append((address, *arguments))
            self._heard.notify_all()

    def wait(self, count):
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.messages) >= count, 5), self.messages
        return self.messages

    def close(self):
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def osc(receiver):
    made = []

    def make(wires=None, **values):
        sink = Osc(port=receiver.port, **values)
        sink.id = "show"
        sink.open(wires or {"beats.events": EventsFormat(44100)})
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


def test_native_scheme(osc, receiver):
    osc().send_event(BEAT, 0, 1)
    (message,) = receiver.wait(1)
    assert message == ("/followspot/main/beats/beat", 7, 120.5, 0.5, 1)
    assert [type(x) for x in message[1:]] == [int, float, float, int]


def test_template_and_strings(osc, receiver):
    osc(address="/{instance}/{kind}", instance="left", strings=True).send_event(BEAT, 0, 1)
    assert receiver.wait(1) == [("/left/beat", 7, 120.5, 0.5, 1, "x")]


def test_a_number_beyond_int32_goes_as_a_float(osc, receiver):
    osc().send_event(Event("beat", 0, 0, "beats", key=2**40), 0, 1)
    assert receiver.wait(1) == [("/followspot/main/beats/beat", float(2**40))]


def test_bundle_carries_the_time_tag():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", 0))
        raw.settimeout(5)
        sink = Osc(port=raw.getsockname()[1], bundle=True)
        sink.open({})
        sink.send_event(BEAT, 0, 0xE1234567_89ABCDEF)
        datagram = raw.recv(4096)
        sink.close()
    assert datagram[:8] == b"#bundle\0"
    assert struct.unpack(">Qi", datagram[8:20]) == (0xE1234567_89ABCDEF, len(datagram) - 20)


def test_frames_are_decimated(osc, receiver):
    wire = "plp.alpha_lfo"
    sink = osc({wire: FramesFormat(44100, 128, 0)}, aliases="real_time_plp")
    for k in range(345):  # one second of frames at 344.5 Hz
        sink.send_frame(wire, k * 128, np.float32(k / 345))
    sink.send_event(BEAT, 0, 1)
    messages = receiver.wait(102)
    lfo = [m for m in messages if m[0] == "/alpha-lfo"]
    assert len(lfo) == 100
    assert lfo[0] == ("/alpha-lfo", 0.0)
    assert [m[0] for m in messages if m[0] != "/alpha-lfo"] == ["/stability", "/tempo"]


def test_frames_of_many_values(osc, receiver):
    wire = "chroma.chroma"
    sink = osc({wire: FramesFormat(44100, 441, 0, (12,))})
    sink.send_frame(wire, 0, np.arange(12, dtype=np.float32))
    assert receiver.wait(1) == [("/followspot/main/chroma/chroma", *map(float, range(12)))]


def test_resolume_gets_its_own_addresses(osc, receiver):
    sink = osc(aliases="resolume")
    sink.send_event(BEAT, 0, 1)
    sink.send_event(Event("onset", 0, 0, "beats"), 0, 1)
    assert receiver.wait(3) == [
        ("/composition/tempocontroller/tempotap", 1),
        ("/composition/tempocontroller/tempotap", 0),
        ("/composition/tempocontroller/tempo", pytest.approx((120.5 - 20) / 480)),
    ]


def test_aliases_in_the_preset(osc, receiver):
    table = """
    beats.beat -> /tap 1 bpm:60..180   # of this node only
    drums.beat -> /drum
    """
    osc(aliases=table).send_event(BEAT, 0, 1)
    ((address, one, share),) = receiver.wait(1)
    assert (address, one) == ("/tap", 1)
    assert share == pytest.approx(60.5 / 120)


def test_every_table_that_comes_along_is_sound():
    assert {"resolume", "touchdesigner", "qlab", "real_time_plp"} <= set(builtin_tables())
    assert all(parse_aliases(name) for name in builtin_tables())


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"aliases": "resolum"}, "did you mean 'resolume'"),
        ({"aliases": "beat /tap"}, "no alias table"),
        ({"aliases": "beat -> tap"}, "starts with '/'"),
        ({"aliases": "beat -> /tap bpm:60"}, "low..high"),
        ({"address": "/{note}"}, "instance"),
        ({"address": "followspot"}, "starts with '/'"),
    ],
)
def test_faults_of_a_preset_are_found_at_once(values, fault):
    with pytest.raises(ValueError, match=fault):
        Osc(**values)


def test_unknown_host_is_one_clear_line():
    with pytest.raises(FollowspotError, match=r"host 'no-such-host.invalid' is not known.*check host"):
        Osc(host="no-such-host.invalid").open({})


def test_a_frame_too_long_is_refused():
    with pytest.raises(FollowspotError, match="too long for one OSC message"):
        Osc().open({"stft.spectrum": FramesFormat(44100, 512, 0, (2048,))})


def test_a_dead_receiver_is_noticed_and_a_new_one_served():
    receiver = Receiver()
    sink = Osc(port=receiver.port)
    sink.open({})
    sink.send_event(BEAT, 0, 1)
    receiver.wait(1)
    port = receiver.port
    receiver.close()
    with pytest.raises(OSError, match=f"nobody listens for OSC at 127.0.0.1:{port}"):
        for _ in range(20):
            sink.send_event(BEAT, 0, 1)
    sink.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", port))
        raw.settimeout(5)
        sink.open({})
        sink.send_event(BEAT, 0, 1)
        assert raw.recv(4096).startswith(b"/followspot/main/beats/beat")
    sink.close()
