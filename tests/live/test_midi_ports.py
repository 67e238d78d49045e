"""MIDI sinks over a real JACK server to a real receiver."""

import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import numpy as np
import pytest

from engine.errors import FollowspotError
from engine.events import Event
from nodes.outputs.midi_clock import MidiClock
from nodes.outputs.midi_notes import MidiNotes
from nodes.outputs.midi_port import MidiPort
from tests.live.midi import Receiver, jack_server

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def jack():
    with jack_server("followspot-midi"):
        yield


@pytest.fixture
def receiver():
    receiver = Receiver("Console")
    yield receiver
    receiver.close()


@pytest.fixture
def opened():
    """Opens a sink, and closes it at the end of the test, also of one that fails: what is left open when its
    server dies spoils the next try."""
    with ExitStack() as sinks:

        def open_sink(sink):
            sink.id = "show"
            sink.open({})
            sinks.callback(sink.close)
            time.sleep(0.5)  # JACK connects at the next periods
            return sink

        yield open_sink


def event(kind, **values):
    return Event(kind, 0, 0, "beats", values=values)


def test_notes_with_velocity_and_their_ends(receiver, opened):
    sink = opened(MidiNotes(port="console", channel=2, notes="beat -> 36; note -> pitch", velocity=90))
    now = time.monotonic_ns()
    sink.send_event(event("beat", confidence=0.5), now, 1)
    sink.send_event(event("note", pitch=60, velocity=7), now, 1)
    sink.send_event(event("beat"), now, 1)  # again while it sounds
    sink.send_event(event("onset"), now, 1)
    sink.tick(now + 49_000_000)
    assert receiver.wait(4) == [(0x91, 36, 64), (0x91, 60, 7), (0x81, 36, 0), (0x91, 36, 90)]
    sink.tick(now + 51_000_000)
    assert sorted(receiver.wait(6)[4:]) == [(0x81, 36, 0), (0x81, 60, 0)]
    sink.close()


def test_a_note_put_right_moves_and_is_not_struck_twice(receiver, opened):
    sink = opened(MidiNotes(port="Console", notes="note -> pitch", length_ms=0.0))

    def said(pitch, key, revision):
        note = Event("note", 0, 0, "drums", key, revision, values={"pitch": pitch, "velocity": 80})
        sink.send_event(note, time.monotonic_ns(), 1)

    said(42, 1, 0)
    said(42, 1, 1)  # confirmed: nothing to hear
    said(42, 2, 0)  # another stroke of the same drum
    said(38, 2, 1)  # was another drum
    on, off = (lambda note: (0x99, note, 80)), (lambda note: (0x89, note, 0))
    assert receiver.wait(5) == [on(42), off(42), on(42), off(42), on(38)]
    sink.close()
    assert receiver.wait(6)[5:] == [off(38)]


def test_notes_sound_until_their_end_and_bend(receiver, opened):
    sink = opened(MidiNotes(port="Console", channel=1, notes="note -> pitch", length_ms=0.0))
    now = time.monotonic_ns()
    sink.send_event(event("note", pitch=57), now, 1)
    sink.tick(now + 60_000_000_000)  # a minute later it still sounds
    for semitones in (0.0, 1.0, -2.0, 5.0):  # the wheel spans 2 semitones and stays at its ends
        sink.send_event(event("bend", semitones=semitones), now, 1)
    sink.send_event(event("note_end", pitch=57), now, 1)
    sink.send_event(event("note_end", pitch=57), now, 1)  # twice does no harm
    wheel = [8192, 12288, 0, 16383]
    bends = [(0xE0, value & 127, value >> 7) for value in wheel]
    assert receiver.wait(6) == [(0x90, 57, 100), *bends, (0x80, 57, 0)]
    sink.close()
    time.sleep(0.1)
    assert len(receiver.heard) == 6


def test_notes_end_when_the_sink_closes(receiver, opened):
    sink = opened(MidiNotes(port="Console", length_ms=10000.0))
    sink.send_event(event("beat"), time.monotonic_ns(), 1)
    receiver.wait(1)
    sink.close()
    assert receiver.wait(2) == [(0x99, 37, 100), (0x89, 37, 0)]


def test_a_missing_port_is_one_clear_line_with_the_ports_there(receiver):
    with pytest.raises(
        FollowspotError, match=r"no MIDI port with 'Lights' in its name; there are: 'Console:in'"
    ):
        MidiNotes(port="Lights").open({})


def test_a_port_that_goes_is_noticed(opened):
    receiver = Receiver("Console")
    sink = opened(MidiNotes(port="Console"))
    now = time.monotonic_ns()
    sink.tick(now)
    receiver.close()
    with pytest.raises(OSError, match="MIDI port 'Console' is gone"):
        for seconds in range(2, 60, 2):  # it looks every second or so, by the time that it is told
            sink.tick(now + seconds * 1_000_000_000)
            time.sleep(0.1)
    sink.close()
    receiver = Receiver("Console")
    opened(sink)
    sink.send_event(event("beat"), now, 1)
    receiver.wait(1)
    sink.close()
    receiver.close()


def test_a_virtual_port_is_there_for_others():
    port = MidiPort("", "Followspot")
    receiver = Receiver("Console", source="Followspot")
    port.send((0x90, 1, 2))
    assert receiver.wait(1) == [(0x90, 1, 2)]
    receiver.close()
    port.close()


def test_clock_at_the_receiver(receiver, opened):
    sink = opened(MidiClock(port="Console"))
    begun = time.monotonic_ns()
    period = 400_000_000  # 150 BPM
    done = threading.Event()

    def play():
        due = begun
        while not done.is_set():
            now = time.monotonic_ns()
            if now >= due:
                sink.send_event(event("beat", bpm=150.0), due, 1)
                due += period
            time.sleep(max(0, min(sink.tick(now), due) - time.monotonic_ns()) / 1e9)
        sink.close()

    thread = threading.Thread(target=play)
    thread.start()
    time.sleep(4)
    done.set()
    thread.join()
    for _ in range(2000):  # the stop is a period of the server behind
        if receiver.wait(200)[-1] == (0xFC,):
            break
        time.sleep(0.01)
    messages = receiver.wait(200)
    assert messages[0] == (0xFA,) and messages[-1] == (0xFC,)
    assert set(messages[1:-1]) == {(0xF8,)}
    ticks = np.array([at for at, message in receiver.heard if message == (0xF8,)])
    grid = (ticks - begun) / (period / 24)
    late = (grid - np.round(grid)) * period / 24 / 1e6
    assert -2 < np.median(late) < 8  # ms behind the beat: the period of the server, and a busy machine
    assert len(ticks) == pytest.approx(3.6e9 / period * 24, abs=48)


CLOSED_AMID_MESSAGES = """
import threading, time
from apps.midi_listener import MidiListener
from nodes.outputs.midi_port import MidiPort, open_inputs

pads = MidiPort("", "Pads")
over = threading.Event()
def play():
    while not over.wait(0.0005):
        pads.send((0x90, 60, 100))
player = threading.Thread(target=play)
player.start()
heard = []
for _ in range(10):
    before = len(heard)
    listener = MidiListener(open_inputs("Desk"), lambda *message: heard.append(message))
    while len(heard) == before:
        time.sleep(0.01)
    listener.close()
over.set()
player.join()
pads.close()
print("closed")
"""


def test_inputs_are_closed_while_messages_come_in():
    """With rtmidi's callbacks the process hung or crashed here; so it is one of its own."""
    closing = [sys.executable, "-c", CLOSED_AMID_MESSAGES]
    assert subprocess.run(closing, timeout=120, capture_output=True, text=True).stdout == "closed\n"
