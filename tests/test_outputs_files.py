"""Sinks that write files: what another reader finds in them."""

import json
import os
import signal
import subprocess
import sys

import mido
import numpy as np
import pytest
import soundfile

from engine.errors import FollowspotError
from engine.events import Event
from engine.formats import AudioFormat, EventsFormat
from nodes.outputs.jsonl import JsonLines
from nodes.outputs.midi_file import MidiFile
from nodes.outputs.wav import Wav

RATE = 44100


def beat(seconds, **values):
    return Event("beat", round(seconds * RATE), 0, "beats", values=values)


def opened(sink, **wires):
    sink.id, sink.rate = "sink", RATE
    sink.open(wires or {"beats.events": EventsFormat(RATE)})
    return sink


def test_json_lines_are_whole_after_every_event(tmp_path):
    path = tmp_path / "events.jsonl"
    sink = opened(JsonLines(path=str(path)))
    sink.send_event(beat(0.5, bpm=np.float32(120), bad=float("nan"), label="a"), 0, 1)
    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {
        "kind": "beat",
        "time": 0.5,
        "emitted": 0.0,
        "bpm": 120.0,
        "bad": None,
        "label": "a",
        "source": "beats",
        "key": 0,
    }
    sink.close()


def test_json_lines_opened_again_go_on(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("of an earlier run\n")
    sink = opened(JsonLines(path=str(path)))
    sink.send_event(beat(1), 0, 1)
    sink.close()
    sink.open({})
    sink.send_event(beat(2), 0, 1)
    sink.close()
    assert [json.loads(line)["time"] for line in path.read_text().splitlines()] == [1.0, 2.0]


def test_json_lines_on_standard_output(capsys):
    sink = opened(JsonLines())
    sink.send_event(beat(1), 0, 1)
    sink.close()
    assert json.loads(capsys.readouterr().out)["kind"] == "beat"


@pytest.mark.parametrize(("sink", "name"), [(JsonLines, "x.jsonl"), (MidiFile, "x.mid"), (Wav, "x.wav")])
def test_a_path_that_cannot_be_written_is_one_clear_line(tmp_path, sink, name):
    path = str(tmp_path / "nowhere" / name)
    with pytest.raises(FollowspotError, match=f"{name} cannot be written.*set"):
        opened(sink(path=path), **{"in": AudioFormat(RATE)})


def blocks(count, channels=2):
    noise = np.random.default_rng(0).uniform(-1, 1, (channels, count * 256)).astype(np.float32)
    return noise, [(k * 256, noise[:, k * 256 : (k + 1) * 256]) for k in range(count)]


def test_wav_holds_the_stream_bit_for_bit(tmp_path):
    path = tmp_path / "x.wav"
    noise, parts = blocks(1000)  # beyond two updates of the header
    sink = opened(Wav(path=str(path)), **{"in.audio": AudioFormat(RATE, 2)})
    for start, block in parts:
        sink.send_audio("in.audio", start, block)
    sink.close()
    read, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE and soundfile.info(path).subtype == "FLOAT"
    np.testing.assert_array_equal(read.T, noise)


def test_wav_fills_a_gap_with_silence(tmp_path):
    path = tmp_path / "x.wav"
    noise, parts = blocks(400)
    sink = opened(Wav(path=str(path)), **{"in.audio": AudioFormat(RATE, 2)})
    for start, block in parts[:100] + parts[300:]:
        sink.send_audio("in.audio", start, block)
    sink.close()
    noise[:, 100 * 256 : 300 * 256] = 0
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0].T, noise)


def test_wav_takes_one_audio_wire():
    with pytest.raises(FollowspotError, match="one audio wire, not 2"):
        opened(Wav(), a=AudioFormat(RATE), b=AudioFormat(RATE))


KILLED = """
import os, sys
import numpy as np
from engine.formats import AudioFormat
from nodes.outputs.wav import Wav
sink = Wav(path=sys.argv[1])
sink.open({"in.audio": AudioFormat(44100, 1)})
for k in range(5 * 44100 // 256):
    sink.send_audio("in.audio", k * 256, np.full((1, 256), 0.25, np.float32))
os.kill(os.getpid(), 9)
"""


def test_wav_is_readable_after_a_kill(tmp_path):
    path = tmp_path / "x.wav"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL
    assert soundfile.info(path).duration >= 4
    header = path.read_bytes()[:4096]
    said = int.from_bytes(header[header.index(b"data") + 4 :][:4], "little")
    assert said / 4 / RATE >= 4  # what a reader that trusts the header finds


def test_midi_file_holds_the_notes_at_their_times(tmp_path):
    path = tmp_path / "x.mid"
    sink = opened(MidiFile(path=str(path), notes="beat -> 36; note -> pitch", channel=3))
    sink.send_event(beat(1.0, confidence=0.5), 0, 1)
    sink.send_event(Event("note", RATE * 2, 0, "pitch", values={"pitch": 61.0, "velocity": 9}), 0, 1)
    sink.send_event(Event("gap", RATE, 0, "engine"), 0, 1)
    sink.close()
    now, notes = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type in ("note_on", "note_off"):
            notes.append((round(now, 2), message.type, message.channel, message.note, message.velocity))
    assert notes == [
        (1.0, "note_on", 2, 36, 64),
        (1.05, "note_off", 2, 36, 64),
        (2.0, "note_on", 2, 61, 9),
        (2.05, "note_off", 2, 61, 64),
    ]


def test_midi_file_ends_a_note_before_it_is_struck_again(tmp_path):
    path = tmp_path / "x.mid"
    sink = opened(MidiFile(path=str(path), length_ms=1000.0))
    for seconds in (1.0, 1.5, 1.6, 1.6):
        sink.send_event(beat(seconds), 0, 1)
    sink.close()
    sounding = 0
    for message in mido.MidiFile(path):
        sounding += {"note_on": 1, "note_off": -1}.get(message.type, 0)
        assert 0 <= sounding <= 1
    assert sounding == 0


@pytest.mark.parametrize("key", [0, 7])
def test_midi_file_holds_the_last_word_the_ends_and_the_bends(tmp_path, key):
    path = tmp_path / "x.mid"
    sink = opened(MidiFile(path=str(path), notes="note -> pitch", channel=1, length_ms=0.0))

    def say(kind, seconds, key, revision=0, **values):
        sink.send_event(Event(kind, round(seconds * RATE), 0, "voice", key, revision, values=values), 0, 1)

    say("note", 1.0, key, pitch=60)
    say("note", 1.0, key, 1, pitch=61, velocity=20)  # put right
    say("bend", 1.25, key, semitones=0.5)
    say("bend", 1.5, key, semitones=-9.0)
    say("note_end", 2.0, key, pitch=61)
    say("note_end", 2.5, 9, pitch=61)  # of no note
    sink.close()
    now, heard = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "pitchwheel":
            heard.append((round(now, 2), "bend", message.pitch))
        elif message.type in ("note_on", "note_off"):
            heard.append((round(now, 2), message.type, message.note))
    assert heard == [
        (1.0, "note_on", 61),
        (1.25, "bend", 2048),
        (1.5, "bend", -8192),
        (2.0, "note_off", 61),
    ]


def test_midi_file_is_there_before_the_end(tmp_path):
    path = tmp_path / "x.mid"
    sink = opened(MidiFile(path=str(path)))
    for second in range(40):
        sink.send_event(beat(second), 0, 1)
    assert sum(message.type == "note_on" for message in mido.MidiFile(path)) >= 30


@pytest.mark.parametrize(
    ("notes", "fault"),
    [("beat 36", "source -> target"), ("beat -> 200", "0 to 127"), ("beat -> 1; beat -> 2", "twice")],
)
def test_faults_of_a_note_map(notes, fault):
    with pytest.raises(ValueError, match=fault):
        MidiFile(notes=notes)
