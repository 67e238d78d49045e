"""Playing along: the accompanist's clock, parts of scores, and whole runs against the truth."""

from __future__ import annotations

import json

import mido
import numpy as np
import pytest
import soundfile

from apps.cli import main
from apps.score_parts import choose, load_parts, write_midi
from engine.errors import FollowspotError
from nodes.accompany.keeper import PATIENCE, Keeper, rests
from nodes.follow.made_up import BASS, MELODY, QUARTER, made_up_score, play
from nodes.follow.score import load_score

RATE = 44100
HOP = 512 / RATE


def walk(keeper, seconds, place, state="tracking"):
    """Step through `seconds` with the soloist at `place(t)`; rows of time, place, speed."""
    rows = []
    for t in np.arange(0.0, seconds, HOP):
        keeper.step(HOP, place(t), state)
        rows.append((t, keeper.place, keeper.speed))
    return np.array(rows)


def through():
    """A solo part without rests, a note a second for two minutes."""
    onset = np.arange(0.0, 120.0)
    return Keeper(onset, onset + 1.0)


@pytest.mark.parametrize("tempo", [0.6, 1.0, 1.7])
def test_the_clock_goes_with_the_soloist(tempo):
    rows = walk(through(), 8.0, lambda t: tempo * t)
    late = rows[rows[:, 0] > 3.0]
    assert np.abs(late[:, 1] - tempo * late[:, 0]).max() < 0.02
    assert late[:, 2] == pytest.approx(tempo, rel=0.05)


def test_it_slows_down_with_the_soloist_and_never_goes_back():
    rows = walk(through(), 12.0, lambda t: t if t < 4 else 4 + (t - 4) * 0.5)
    assert (np.diff(rows[:, 1]) >= 0).all()
    late = rows[rows[:, 0] > 6.0]
    assert np.abs(late[:, 1] - (4 + (late[:, 0] - 4) * 0.5)).max() < 0.02


def test_a_jump_is_a_jump():
    keeper = through()
    walk(keeper, 5.0, lambda t: t)
    keeper.step(HOP, 60.0, "tracking")
    assert keeper.jumped and keeper.place == 60.0
    keeper.step(HOP, 60.01, "tracking")
    assert not keeper.jumped


def test_through_a_rest_it_keeps_the_tempo_and_waits_for_the_entry():
    onset = np.array([0.0, 1.0, 2.0, 8.0, 9.0])
    keeper = Keeper(onset, onset + 1.0)
    np.testing.assert_allclose(rests(onset, onset + 1.0), [[3.0, 8.0]])
    rows = walk(keeper, 6.0, lambda t: min(t, 3.2))  # the follower stands still in the silence
    assert rows[-1, 1] == pytest.approx(6.0, abs=0.1)
    rows = walk(keeper, 5.0, lambda t: 3.2)
    assert rows[-1, 1] == 8.0 and rows[-1, 2] == 0.0
    walk(keeper, 0.5, lambda t: 8.0 + t)
    assert keeper.place == pytest.approx(8.5, abs=0.1)


def test_while_the_soloist_is_lost_it_goes_on_for_a_while():
    keeper = through()
    walk(keeper, 5.0, lambda t: t)
    rows = walk(keeper, 10.0, lambda t: 20.0, "lost")
    assert rows[-1, 1] == pytest.approx(5.0 + PATIENCE, abs=0.1) and rows[-1, 2] == 0.0


def test_parts_of_midi_and_back(tmp_path):
    parts = load_parts(made_up_score())
    assert [len(part.notes) for part in parts] == [len(MELODY), len(BASS)]
    solo, others = choose(parts, "2", made_up_score())
    assert [pitch for *_, pitch in solo.notes] == list(BASS)
    write_midi(others, tmp_path / "others.mid")
    score = load_score(tmp_path / "others.mid")
    np.testing.assert_allclose(score.onset, np.arange(len(MELODY)) * QUARTER, atol=0.001)
    assert score.pitch.tolist() == list(MELODY)


DUET = """<?xml version="1.0"?><score-partwise version="3.1"><part-list>
<score-part id="P1"><part-name>Flute</part-name></score-part>
<score-part id="P2"><part-name>Piano</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>2</beats>
<beat-type>4</beat-type></time></attributes><note><pitch><step>C</step><octave>5</octave></pitch>
<duration>2</duration></note><barline location="right"><repeat direction="backward"/></barline></measure>
</part>
<part id="P2"><measure number="1"><attributes><divisions>1</divisions><time><beats>2</beats>
<beat-type>4</beat-type></time></attributes><note><pitch><step>E</step><octave>3</octave></pitch>
<duration>1</duration></note><note><pitch><step>G</step><octave>3</octave></pitch><duration>1</duration></note>
<barline location="right"><repeat direction="backward"/></barline></measure></part></score-partwise>"""


def test_parts_of_musicxml_with_their_repeats(tmp_path):
    path = tmp_path / "duet.musicxml"
    path.write_text(DUET)
    flute, piano = load_parts(path)
    assert load_score(path).part.tolist() == [1, 0, 1, 1, 0, 1]
    assert (flute.name, piano.name) == ("Flute", "Piano")
    assert [pitch for *_, pitch in piano.notes] == [52, 55, 52, 55]
    assert [onset for onset, *_ in piano.notes] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert choose([flute, piano], "flu", path)[0] is flute
    for wanted, message in (("oboe", "is no part"), ("3", "is no part"), ("", "names several parts")):
        with pytest.raises(FollowspotError, match=message):
            choose([flute, piano], wanted, path)
    with pytest.raises(FollowspotError, match="only one part"):
        choose([flute], "1", path)


@pytest.fixture(scope="module")
def solo(tmp_path_factory):
    """The melody of the made-up score, played by itself at 0.85 of its tempo after half a second."""
    path = tmp_path_factory.mktemp("solo") / "melody.wav"
    notes = [(0.5 + i * QUARTER / 0.85, pitch) for i, pitch in enumerate(MELODY)]
    soundfile.write(path, play(notes, RATE, 16.0), RATE)
    return path


def test_the_bass_falls_with_the_melody(solo, tmp_path, capsys):
    out, events = tmp_path / "bass.mid", tmp_path / "events.jsonl"
    arguments = ["--solo", "1", "--input", str(solo), "--out", str(out), "--events", str(events)]
    assert main(["accompany", str(made_up_score()), *arguments]) == 0
    assert "playing 6 notes" in capsys.readouterr().err
    said = {}
    ends = 0
    for line in events.read_text().splitlines():
        event = json.loads(line)
        ends += event["kind"] == "note_end"
        if event["kind"] == "note":
            assert event["time"] >= event["emitted"] - 0.012  # never later than the hop that says so
            said[event["key"]] = event["time"], event["pitch"], event["beat"]
    assert [pitch for _, pitch, _ in said.values()] == list(BASS)
    asynchrony = np.array([time - (0.5 + beat / 0.85) for time, _, beat in said.values()])
    print("asynchrony, ms:", np.round(1000 * asynchrony))
    assert np.median(np.abs(asynchrony)) < 0.08 and np.abs(asynchrony[1:]).max() < 0.15
    assert ends == len(BASS)
    struck = [m for m in mido.MidiFile(out) if m.type == "note_on" and m.velocity]
    assert [message.note for message in struck] == list(BASS)


def test_faults_are_one_line(solo, tmp_path, capsys):
    score, sound = str(made_up_score()), str(solo)
    out = ["--out", str(tmp_path / "o.mid")]
    for arguments, message in (
        (["nowhere.mid", "--solo", "1", "--input", sound, *out], "no such file"),
        ([score, "--solo", "9", "--input", sound, *out], "--solo 9: is no part"),
        ([score, "--solo", "1", "--input", sound], "add --out FILE.mid, or --realtime"),
        ([score, "--solo", "1", "--input", sound, "--channel", "0", *out], "give 1 to 16"),
        ([score, "--solo", "1", "--realtime"], "--realtime is for files"),
    ):
        assert main(["accompany", *arguments]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and len(error.splitlines()) == 1
