"""A keyboard and a sequencer on a real JACK server: MIDI into the follower, positions out as MIDI."""

import time

import pytest
import rtmidi

from engine.events import Event
from engine.ports import Clock
from nodes.follow.bands import HOP
from nodes.follow.made_up import made_up_notes, made_up_score
from nodes.follow.midi_follower import MidiFollower
from nodes.outputs.midi_position import MidiPosition
from tests.live.midi import Receiver, jack_server

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def jack():
    with jack_server("followspot-follow"):
        yield


class Said:
    """A stand-in for the events port."""

    def __init__(self):
        self.values = []

    def emit(self, kind, time, **values):
        self.values.append(values)


def test_a_keyboard_is_followed():
    keys = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="Piano")
    keys.open_virtual_port("keys")
    node = MidiFollower(reference=str(made_up_score()), midi="midi:keys")
    node.clock, node.position = Clock(), Said()
    node.prepare(None)
    try:
        time.sleep(0.3)  # JACK connects at the next periods
        notes = made_up_notes()[:9]
        for onset, pitch in notes:
            keys.send_message((0x90, int(pitch), 80))
            node.clock.start = node.clock.stop
            node.clock.stop = round((onset + 0.01) * node.rate)
            for _ in range(2000):  # until the note has come in
                node.process()
                if node._tracker._last == node.clock.stop / node.rate:
                    break
                time.sleep(0.01)
        node.clock.stop += HOP  # the position that the last note brought
        node.process()
        last = node.position.values[-1]
        assert last["state"] == "tracking"
        assert last["seconds"] == pytest.approx(notes[-1, 0], abs=0.05)
    finally:
        node.release()
        keys.delete()


def test_positions_are_time_code_and_song_position():
    receiver = Receiver("Desk")
    sink = MidiPosition(port="desk")
    sink.id = "time_code"
    sink.open({})
    try:
        time.sleep(0.3)
        values = {"beat": 8.0, "seconds": 4.0, "tempo": 120.0, "rate": 1.0, "state": "tracking"}
        for ms in range(0, 300, 2):
            if ms % 50 == 0:
                here = values | {"beat": 8.0 + ms / 500, "seconds": 4.0 + ms / 1000}
                sink.send_event(Event("position", 0, 0, values=here), ms * 1_000_000, 0)
            sink.tick(ms * 1_000_000)
        lost = values | {"state": "lost"}
        sink.send_event(Event("position", 0, 0, values=lost), 300_000_000, 0)
        messages = receiver.wait(20)
        assert messages[:2] == [(0xF2, 32, 0), (0xFB,)]
        assert (0xFC,) in messages
        quarters = [message for message in messages if message[0] == 0xF1]
        assert [message[1] >> 4 for message in quarters] == [k % 8 for k in range(len(quarters))]
    finally:
        sink.close()
        receiver.close()
