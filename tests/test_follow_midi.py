"""Following by MIDI notes, cues along a score, and positions as MIDI time code."""

from __future__ import annotations

import json

import mido
import numpy as np
import pytest

from apps.cli import main
from engine.errors import FollowspotError
from engine.events import Event
from nodes.follow.cue_list import load_cues
from nodes.follow.made_up import BASS, MELODY, QUARTER, made_up_notes, made_up_score
from nodes.follow.score import Score, load_score
from nodes.follow.score_cues import ScoreCues, predict
from nodes.follow.symbolic import SymbolicTracker
from nodes.outputs.time_code import TimeCode, full_frame, quarter_frame

RATE = 44100


@pytest.fixture(scope="module")
def score():
    return load_score(made_up_score())


def reached(score, notes):
    """Performance time at which each chord of the score was first said to be played; nan: never."""
    tracker = SymbolicTracker(score)
    times = np.full(len(tracker.onset), np.nan)
    for time, pitch in notes:
        tracker.note(time, int(pitch))
        k = np.searchsorted(tracker.onset, tracker.position + 1e-6) - 1
        if np.isnan(times[k]):
            times[k] = time
    return times, tracker


def test_notes_are_followed_through_rubato_and_a_fermata(score):
    onsets = np.arange(24) * QUARTER
    warped = np.cumsum(np.concatenate([[1.0], QUARTER * (1 + 0.3 * np.sin(np.arange(23)))]))
    warped[12:] += 3.0
    notes = made_up_notes()
    notes[:, 0] = np.interp(notes[:, 0], onsets, warped)
    times, tracker = reached(score, notes)
    np.testing.assert_allclose(times, warped, atol=1e-6)
    assert tracker.state == "tracking" and tracker.jumps == 0
    tracker.advance(warped[-1] + 5.0)
    assert tracker.state == "finished"


def test_wrong_and_missing_notes_do_no_harm(score):
    rng = np.random.default_rng(2)
    notes = made_up_notes()
    notes = notes[(rng.random(len(notes)) > 0.1) | (notes[:, 0] < 1)]
    wrong = np.stack([rng.uniform(1, 11, 3), rng.integers(61, 75, 3)], 1)
    times, _ = reached(score, sorted(map(tuple, [*notes, *wrong])))
    error = np.abs(times - np.arange(24) * QUARTER)
    assert np.nanmean(error < 0.025) > 0.85


def test_a_chord_rolled_slowly_is_one_chord():
    """The last note of the roll is all of each chord after it, as at the end of Chopin op. 38."""
    quarters = 0.5 * np.arange(16)
    line, roll = [69, 65, 67, 69, 65, 67, 69, 65], [29, 41, 48, 53, 57, 60, 65, 69]
    chords = [*((pitch,) for pitch in line), tuple(roll), *[(69,)] * 7]
    rows = [(t, t + 0.4, pitch) for t, chord in zip(quarters, chords, strict=True) for pitch in chord]
    onset, end, pitch = np.array(sorted(rows)).T
    knots = np.array([[0.0, 0.0], [8.0, 16.0]])
    score = Score(onset, end, pitch.astype(int), knots, np.array([[0.0, 1.0]]))
    played = [(1.1 * t, chord[0]) for t, chord in zip(quarters[:8], chords, strict=False)]
    played += [(4.4 + 0.25 * k, pitch) for k, pitch in enumerate(roll)]
    after = 6.15 + 0.7 * np.arange(1, 8)
    times, tracker = reached(score, [*played, *((time, 69) for time in after)])
    np.testing.assert_allclose(times, [*(1.1 * quarters[:8]), 4.4, *after])
    assert tracker.jumps == 0


def test_a_note_never_let_go_is_in_the_score(tmp_path):
    """A grace note without length, let go in the tick in which it is struck: the file says so first."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    for kind, pitch, ticks in (
        ("note_off", 72, 0), ("note_on", 72, 0), ("note_on", 60, 0), ("note_off", 60, 480)
    ):  # fmt: skip
        track.append(mido.Message(kind, note=pitch, velocity=64, time=ticks))
    file.tracks.append(track)
    file.save(tmp_path / "score.mid")
    score = load_score(tmp_path / "score.mid")
    np.testing.assert_allclose(score.onset, [0.0, 0.0])
    np.testing.assert_allclose(score.end, [0.5, 0.5])
    assert score.pitch.tolist() == [60, 72]


def test_a_skip_is_found_within_seconds(score):
    notes = made_up_notes()
    played = np.concatenate([notes[notes[:, 0] < 3], notes[notes[:, 0] >= 7] - [4, 0]])
    tracker = SymbolicTracker(score)
    for time, pitch in played:
        tracker.note(time, int(pitch))
    assert tracker.position == pytest.approx(11.5, abs=0.02) and tracker.jumps == 1


def test_the_position_waits_in_front_of_what_is_not_played(score):
    tracker = SymbolicTracker(score)
    for time, pitch in ((0.0, MELODY[0]), (0.0, BASS[0]), (0.5, MELODY[1])):
        tracker.note(time, pitch)
    tracker.advance(9.0)
    assert 0.99 < tracker.position < 1.0


def test_another_piece_is_lost(score):
    tracker = SymbolicTracker(score)
    rng = np.random.default_rng(1)
    for k in range(60):
        tracker.note(0.2 * k, int(rng.integers(21, 108)))
    assert tracker.state == "lost"


def test_a_midi_file_on_the_command_line(tmp_path):
    events, cues = tmp_path / "events.jsonl", tmp_path / "cues.toml"
    cues.write_text('[[cue]]\nname = "lights"\nbar = 3\n')
    score = str(made_up_score())
    argv = ["follow", score, "--input", score, "--offline", "--cues", str(cues), "--events", str(events)]
    assert main(argv) == 0
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    positions = [line for line in lines if line["kind"] == "position"]
    at = next(line for line in positions if line["time"] >= 6.0)
    assert at["beat"] == pytest.approx(12.0, abs=0.1) and at["tempo"] == pytest.approx(120, rel=0.02)
    (cue,) = (line for line in lines if line["kind"] == "cue")
    assert cue["name"] == "lights" and cue["time"] == pytest.approx(4.0, abs=0.03)


# Cues


def position(seconds, beat, tempo=120.0, state="tracking"):
    time = round(seconds * RATE)
    return Event("position", time, time, values={"beat": beat, "tempo": tempo, "state": state})


class Said:
    """A stand-in for the events port."""

    def __init__(self):
        self.events = []

    def emit(self, kind, time, **values):
        self.events.append((time / RATE, values))


def cue_node(tmp_path, missed):
    path = tmp_path / "cues.toml"
    path.write_text(f'[[cue]]\nname = "x"\nbeat = 20\nmissed = "{missed}"\n')
    node = ScoreCues(list=str(path))
    node.rate = RATE
    from engine.formats import EventsFormat

    node.prepare(EventsFormat(rate=RATE))
    node.cues = Said()
    return node


def test_predict_is_the_line_through_position_and_tempo():
    assert predict(position(3.0, 6.0), 8.0, RATE) == round(4.0 * RATE)
    assert predict(position(3.0, 6.0, state="lost"), 8.0, RATE) is None


def test_a_cue_is_foretold_once_and_put_right(tmp_path):
    node = cue_node(tmp_path, "late")
    for k in range(200):
        seconds = 7.0 + 0.05 * k
        node.step(position(seconds, 2 * seconds))
    ((time, values),) = node.cues.events
    assert time == pytest.approx(10.0, abs=1e-3) and values["revision"] == 1


@pytest.mark.parametrize("missed, said", [("late", 1), ("skip", 0), ("wait", 0)])
def test_a_skipped_cue_follows_its_policy(tmp_path, missed, said):
    node = cue_node(tmp_path, missed)
    for k in range(20):
        node.step(position(5.0 + 0.05 * k, 10 + 0.1 * k))
    for k in range(20):
        node.step(position(6.0 + 0.05 * k, 23 + 0.1 * k))
    assert len(node.cues.events) == said
    for k in range(60):  # and goes back to play it
        node.step(position(7.0 + 0.05 * k, 18 + 0.1 * k))
    assert len(node.cues.events) == said + (missed == "wait")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "no \\[\\[cue\\]\\]"),
        ('[[cue]]\nname = "x"', "one of beat, bar and mark"),
        ('[[cue]]\nname = "x"\nbar = 99', "no bar 99"),
        ('[[cue]]\nname = "x"\nbeat = 1\nmissed = "maybe"', "late, skip, wait"),
        ('[[cue]]\nname = "x"\nbeat = 1\nbaet = 1', "'baet' is not known"),
        ("[[cue", "cannot be read"),
    ],
)
def test_a_bad_cue_list_is_one_clear_line(tmp_path, score, text, reason):
    path = tmp_path / "cues.toml"
    path.write_text(text)
    with pytest.raises(FollowspotError, match=reason):
        load_cues(path, score)


# Time code


def decode(messages):
    """(hours, minutes, seconds, frames, rate) of eight quarter frames."""
    nibbles = [message[1] & 15 for message in messages]
    assert [message[1] >> 4 for message in messages] == list(range(8))
    frame, second, minute, hour = (low | high << 4 for low, high in zip(*[iter(nibbles)] * 2, strict=True))
    return hour & 31, minute, second, frame, hour >> 5


def test_eight_quarter_frames_hold_the_time_at_the_first():
    seconds = 3723.48  # 1 h 2 min 3 s and 12 frames of 25
    number = round(seconds * 100)
    assert number % 8 == 4  # a group may begin at even frames only
    group = [quarter_frame(number + 4 + k, 25) for k in range(8)]
    assert decode(group) == (1, 2, 3, 13, 1)
    assert full_frame(seconds, 25) == (0xF0, 0x7F, 0x7F, 1, 1, 1 | 1 << 5, 2, 3, 12, 0xF7)


def test_time_code_waits_with_the_performer_and_jumps_by_full_frames():
    code = TimeCode(25)
    first = list(code.to(10.0))
    assert [message[0] for message in first] == [0xF0]
    run = [message for k in range(1, 101) for message in code.to(10.0 + 0.01 * k)]
    assert len(run) in range(90, 101) and {message[0] for message in run} == {0xF1}
    assert list(code.to(10.9)) == []
    assert [message[0] for message in code.to(40.0)] == [0xF0]
