"""Triggers and notes: kernels against their definitions, notes of made-up sounds, the verb."""

from __future__ import annotations

import json

import mido
import numpy as np
import pytest
import soundfile

from apps.cli import main
from engine.errors import FollowspotError
from engine.graph import Graph
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner
from nodes.pitch.drum_notes import DrumNotes
from nodes.pitch.drum_takes import best_threshold, certainties, cut, groove
from nodes.pitch.f0 import _Correlation
from nodes.pitch.mono_notes import MonoNotes, name_of
from nodes.pitch.piano_kernels import take_apart
from nodes.pitch.piano_notes import PianoNotes
from nodes.pitch.tcn import Tcn, Weights

RATE = 44100


def notes_of(node, signal, rate=RATE):
    """The last word on every note, by key, and all events."""
    graph = Graph(rate=rate, quantum=128).add("node", node).connect("input", "node")
    events = collect(Runner(compile_graph(graph), strict=True), quanta(signal, 128))
    last = {event.key: event for event in events if event.kind == "note"}
    return [last[key] for key in sorted(last)], events


def test_network_is_a_stack_of_causal_convolutions():
    rng = np.random.default_rng(3)
    inputs, channels, layers, taps, span, outputs, frames = 5, 8, 3, 3, 2, 4, 40
    draw = lambda *shape: rng.normal(0, 0.4, shape).astype(np.float32)  # noqa: E731
    weights = Weights(
        draw(channels, span * inputs), draw(channels), draw(channels, channels), draw(channels),
        draw(layers, channels, taps * channels), draw(layers, channels), draw(layers, channels, channels),
        draw(layers, channels), draw(outputs, channels), draw(outputs),
    )  # fmt: skip
    x = draw(frames, inputs)

    def leaky(y):
        return np.where(y > 0, y, 0.1 * y)

    def past(y, dilation, count):
        padded = np.concatenate([np.zeros(((count - 1) * dilation, y.shape[1])), y])
        return np.concatenate([padded[k * dilation : k * dilation + len(y)] for k in range(count)], axis=1)

    y = leaky(past(x, 1, span) @ weights.first.T + weights.first_bias)
    y = leaky(y @ weights.mixing.T + weights.mixing_bias)
    for k in range(layers):
        z = leaky(past(y, 2**k, taps) @ weights.dilated[k].T + weights.dilated_bias[k])
        y = y + z @ weights.point[k].T + weights.point_bias[k]
    expected = leaky(y) @ weights.last.T + weights.last_bias
    network = Tcn(weights, inputs)
    for frame in range(frames):
        network.newest[:] = x[frame]
        np.testing.assert_allclose(network.step(), expected[frame], atol=2e-4)


def test_square_difference_is_mcleods():
    window = np.random.default_rng(0).normal(size=256).astype(np.float32)
    found = _Correlation(256, 100).of(window)
    x = window.astype(float)
    for lag in (0, 1, 17, 100):
        a, b = x[: 256 - lag], x[lag:]
        assert found[lag] == pytest.approx(2 * (a @ b) / (a @ a + b @ b), abs=1e-4)


def test_spectra_are_taken_apart_into_their_templates():
    rng = np.random.default_rng(1)
    templates = rng.random((6, 50)).astype(np.float32)
    truth = np.array([0, 2, 0, 0.5, 0, 0], np.float32)
    parts, model = np.full(6, 0.1, np.float32), np.zeros(50, np.float32)
    take_apart(truth @ templates, templates, templates.sum(axis=1), 400, np.float32(0), parts, model)
    np.testing.assert_allclose(parts, truth, atol=0.03)


def strokes(rate=RATE):
    """Four bursts of noise, half a second apart, over a quiet floor."""
    rng = np.random.default_rng(0)
    signal = 1e-4 * rng.standard_normal(int(2.5 * rate))
    times = (0.3, 0.8, 1.3, 1.8)
    for at in times:
        start = int(at * rate)
        signal[start : start + 9000] += 0.3 * rng.standard_normal(9000) * np.exp(-np.arange(9000) / 2000)
    return signal.astype(np.float32), times


@pytest.mark.parametrize("rate", [44100, 96000])
def test_strokes_are_said_at_once_and_confirmed_soon(rate):
    signal, times = strokes(rate)
    notes, events = notes_of(DrumNotes(), signal, rate)
    found = sorted({note.time / rate for note in notes})
    assert len(found) == 4
    np.testing.assert_allclose(found, times, atol=0.012)
    first = [event for event in events if event.revision == 0 and not event.values["confirmed"]]
    assert len(first) == 4 and all(event.emitted - event.time < 0.016 * rate for event in first)
    assert all(note.values["confirmed"] and note.emitted - note.time < 0.04 * rate for note in notes)


class Script:
    """In place of a network: logits by frame."""

    said: dict[int, dict[int, float]] = {}

    def __init__(self, weights, inputs):
        self.newest = np.zeros(inputs, np.float32)
        self.frame = -1

    def reset(self):
        self.frame = -1

    def step(self):
        self.frame += 1
        logits = np.full(13, -9.0, np.float32)
        for output, logit in self.said.get(self.frame, {}).items():
            logits[output] = logit
        return logits


@pytest.mark.parametrize(
    ("late", "words"),
    [
        ({106: (8,)}, [("kick", False), ("snare", True)]),  # in time, but not what was guessed
        ({105: (8,), 108: (12,)}, [("kick", False), ("snare", True)]),  # "other" says nothing beside a class
        ({108: (8,)}, [("kick", False), ("other", True), ("snare", True)]),
        ({105: (7,), 108: (8,)}, [("kick", False), ("kick", True), ("snare", True)]),
        ({}, [("kick", False), ("other", True)]),
    ],
)
def test_one_stroke_is_one_note_and_its_class_may_come_late(monkeypatch, late, words):
    """A stroke at frame 97.5 that sounds like a kick, classes found where `late` says."""
    said = {100: {0: 3.0, 1: 1.0}} | {at: dict.fromkeys(outputs, 2.0) for at, outputs in late.items()}
    monkeypatch.setattr("nodes.pitch.drum_notes.Tcn", Script)
    monkeypatch.setattr(Script, "said", said)
    notes, events = notes_of(DrumNotes(), np.zeros(RATE, np.float32))
    assert [(event.values["label"], event.values["confirmed"]) for event in events] == words
    assert all(event.emitted - event.time < 0.04 * RATE for event in events)
    drums = {label for label, confirmed in words if confirmed} - {"other"} or {"other"}
    assert {note.values["label"] for note in notes} == drums and len(notes) == len(drums)
    assert len({note.time for note in notes}) == 1


def test_what_makes_a_kick_follows_the_kicks_heard(monkeypatch):
    """Kicks at -1.5 among strokes: below certainty (-0.85), found in time; the same beside loud ones: not."""
    frames = range(100, 10_000, 200)
    soft = {at: {0: 3.0} for at in frames} | {at + 5: {7: -1.5} for at in frames}
    loud = soft | {at + 105: {7: 3.0} for at in frames}
    monkeypatch.setattr("nodes.pitch.drum_notes.Tcn", Script)
    kicks = []
    for said, reach in ((soft, 1.2), (loud, 1.2), (soft, 0.0)):
        monkeypatch.setattr(Script, "said", said)
        notes, _ = notes_of(DrumNotes(kick_reach=reach), np.zeros(30 * RATE, np.float32))
        kicks.append([note for note in notes if note.values["label"] == "kick" and note.values["confirmed"]])
    early, beside, fixed = kicks
    assert 25 < len(early) < 50 and early[0].time > 4 * RATE
    assert len(beside) == 50 and not fixed  # the loud ones alone


def test_each_drum_has_a_certainty_of_its_own(monkeypatch):
    """A stroke that is hardly a snare and surely a hi-hat."""
    monkeypatch.setattr("nodes.pitch.drum_notes.Tcn", Script)
    monkeypatch.setattr(Script, "said", {100: {0: 3.0}, 105: {8: -1.5, 9: 9.0}})
    said = []
    for params in ({}, {"snare_certainty": 0.1}, {"snare_certainty": 0.1, "hihat_certainty": 1.0}):
        notes, _ = notes_of(DrumNotes(**params), np.zeros(RATE, np.float32))
        said.append(sorted(note.values["label"] for note in notes))
    assert said == [["hihat"], ["hihat", "snare"], ["snare"]]


def test_the_best_threshold_lies_between_a_drum_and_what_sounds_like_it():
    seconds = np.arange(4000) * 0.003
    logits = np.full(4000, -9.0)
    logits[100::400], logits[250::800] = 0.7, -2.5  # the drum; another one
    assert best_threshold(logits, seconds, seconds[100::400]) == pytest.approx(-0.9, abs=0.2)
    logits[100::800] = -4.0  # half of its strokes are softer than the other drum: all are taken
    assert best_threshold(logits, seconds, seconds[100::400]) < -4.0
    made = certainties(logits[:, None] * np.ones(6), seconds, {"snare": seconds[100::400]}, 0.3)
    assert 0.02 < made.pop("snare") < 0.3 and set(made.values()) == {1.0}


def test_a_groove_is_made_of_the_strokes_at_the_times_that_it_tells():
    click = np.zeros(8820, np.float32)
    click[882] = 1.0  # 20 ms in, as `cut` leaves it
    signal, times = strokes()
    (cut_stroke,) = cut(np.eye(1, 30000, 5000, dtype=np.float32)[0], [5000], RATE)
    assert np.argmax(cut_stroke) == 882
    assert len(cut(signal, [round(at * RATE) for at in times], RATE)) == 4 and cut(signal, [], RATE) == []
    audio, told = groove({"kick": [click]}, RATE)
    np.testing.assert_allclose(np.flatnonzero(audio) / RATE, told["kick"], atol=1e-3)
    assert 20 < len(told["kick"]) < 300


def test_takes_become_a_preset_that_names_only_the_drums_taken(tmp_path, capsys):
    signal, _ = strokes()
    snare, kick, silence = tmp_path / "snare.wav", tmp_path / "kick.wav", tmp_path / "silence.wav"
    t = np.arange(11025) / RATE
    thump = 0.6 * np.sin(2 * np.pi * (50 * t - 3 * np.exp(-t / 0.03))) * np.exp(-t / 0.08)
    soundfile.write(snare, signal, RATE)
    soundfile.write(kick, np.tile(np.concatenate([np.zeros(11025), thump]), 5), RATE)
    soundfile.write(silence, np.zeros(RATE), RATE)
    kit, events = tmp_path / "kit.toml", tmp_path / "events.jsonl"
    assert main(["trigger", "--takes", f"kick={kick}", f"snare={snare}", "--kit", str(kit)]) == 0
    learnt = PresetSource(str(kit)).load().nodes["drums"][1]
    assert learnt["hihat_certainty"] == learnt["tom_certainty"] == learnt["cymbal_certainty"] == 1.0
    assert 0.02 <= learnt["snare_certainty"] < 1 and 0.02 <= learnt["kick_certainty"] < 1
    assert main(["trigger", str(snare), "--preset", str(kit), "--events", str(events)]) == 0
    last = {row["key"]: row for row in map(json.loads, events.read_text().splitlines())}
    assert {row["label"] for row in last.values()} <= {"kick", "snare", "other"} and len(last) >= 4
    capsys.readouterr()
    for words, said in (
        (["--takes", f"kik={kick}", "--kit", "k.toml"], "did you mean 'kick'?"),
        (["--takes", "kick", "--kit", "k.toml"], "write NAME=FILE"),
        (["--takes", f"kick={silence}", "--kit", "k.toml"], "no stroke was heard"),
        (["--takes", f"kick={kick}"], "go together"),
        (["--preset", "mono", "--takes", f"kick={kick}", "--kit", "k.toml"], "no node of type drum_notes"),
        (["--takes", f"kick={kick}", "--kit", str(tmp_path)], "cannot be written"),
    ):
        assert main(["trigger", *words]) == 2
        assert said in capsys.readouterr().err


def test_silence_strikes_nothing():
    for node in (DrumNotes(), MonoNotes(), PianoNotes()):
        assert notes_of(node, np.zeros(RATE, np.float32))[1] == []


def line(pitches, seconds=0.3, rate=RATE):
    """A legato line: a tone with four partials whose pitch moves on without a pause."""
    frequency = np.repeat([440 * 2 ** ((p - 69) / 12) for p in pitches], int(seconds * rate))
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    return (0.1 * sum(np.sin(k * phase) / k for k in (1, 2, 3, 4))).astype(np.float32)


@pytest.mark.parametrize(
    ("pitches", "late"), [([60, 62, 64, 60], 0.055), ([81, 83, 76], 0.05), ([40, 43, 36], 0.075)]
)
def test_a_legato_line_is_cut_where_its_pitch_moves(pitches, late):
    notes, _ = notes_of(MonoNotes(), line(pitches))
    assert [note.values["pitch"] for note in notes] == pitches
    times = np.array([note.time for note in notes]) / RATE
    np.testing.assert_allclose(times, 0.3 * np.arange(len(pitches)), atol=0.025)
    said = np.array([note.emitted for note in notes]) / RATE
    assert (said - 0.3 * np.arange(len(pitches)) < late).all()


def test_the_bend_follows_the_pitch():
    t = np.arange(RATE) / RATE
    phase = 2 * np.pi * np.cumsum(440 * 2 ** (0.4 * np.sin(2 * np.pi * 2 * t) / 12)) / RATE
    _, events = notes_of(MonoNotes(bend=True), 0.3 * np.sin(phase) + 0.1 * np.sin(2 * phase))
    bends = [event.values["semitones"] for event in events if event.kind == "bend"]
    assert max(bends) == pytest.approx(0.4, abs=0.12) and min(bends) == pytest.approx(-0.4, abs=0.12)


def test_names_of_notes():
    assert [name_of(p) for p in (21, 60, 70)] == ["A0", "C4", "A#4"]


def test_the_verb_writes_notes_and_a_midi_file(tmp_path, capsys):
    signal, times = strokes()
    take, events, midi = tmp_path / "take.wav", tmp_path / "take.jsonl", tmp_path / "take.mid"
    soundfile.write(take, np.stack([signal, 0 * signal], axis=1), RATE)  # one channel is dead
    words = ["trigger", str(take), "--preset", "drums", "--events", str(events), "--midi", str(midi)]
    assert main(words) == 0
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert {"kind", "time", "emitted", "pitch", "velocity", "label", "key"} <= set(lines[0])
    assert sorted({row["time"] for row in lines}) == pytest.approx(times, abs=0.012)
    struck = [message for message in mido.MidiFile(midi).tracks[0] if message.type == "note_on"]
    assert len(struck) == len({row["key"] for row in lines})
    assert "4 notes" in capsys.readouterr().err or len(struck) > 4


def test_the_verb_says_what_it_lacks(tmp_path, capsys):
    assert main(["trigger"]) == 2
    assert main(["trigger", "--preset", "piano", "--learn", "kick"]) == 2
    assert main(["trigger", "mic", "--midi", "x.mid"]) == 2
    said = capsys.readouterr().err
    assert "give a sound file" in said and "no drum of that name" in said and "--midi is for files" in said


def test_two_channels_are_refused_in_words():
    graph = Graph(channels=2).add("node", PianoNotes()).connect("input", "node")
    with pytest.raises(FollowspotError, match="one channel"):
        compile_graph(graph)
