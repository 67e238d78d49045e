"""What is being played: landmarks, the matcher on versions, keys, jumps and strangers, and the verb."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
import soxr

from apps.cli import main
from nodes.match import fingerprints
from nodes.match.fingerprints import Fingerprints, Variant, variants
from nodes.match.hypotheses import STILL, Hypothesis, Judge
from nodes.match.landmarks import HOP
from nodes.match.library import Library, writing
from nodes.match.matcher import SUPPORT, Matcher
from nodes.match.references import analyse
from tests.match_music import RATE, piece

SEEDS = range(5)
LENGTH = 40.0


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("match")
    with writing(folder / "library", create=True) as writer:
        for seed in SEEDS:
            file = folder / f"{seed}.wav"
            soundfile.write(file, piece(seed, LENGTH), RATE)
            writer.add([(file.name, file, analyse(file))])
        writer.finish()
    return folder / "library"


@pytest.fixture(scope="module")
def matcher(library) -> Matcher:
    return Matcher(Library(library))


def listen(matcher: Matcher, audio) -> list:
    """Every statement about `audio`, each with its second."""
    matcher.reset()
    said = []
    for start in range(0, len(audio), 4410):
        for statement in matcher.push(audio[start : start + 4410]):
            said.append(((start + 4410) / RATE, statement))
    return said


def matches(said) -> list:
    return [(at, s.hypothesis) for at, s in said if s.kind == "match"]


def test_landmarks_know_a_recording_through_noise_and_speed(library):
    segment = Library(library).segments[0]
    prints = Fingerprints([segment], variants())
    noise = np.random.default_rng(3)
    recording = piece(2, LENGTH)
    for speed, level in ((1.0, 0.0), (1.0, 0.05), (1.08, 0.0), (0.92, 0.0)):
        start = 12 * RATE
        clip = soxr.resample(recording[start : start + 6 * RATE], RATE * speed, RATE)[: 4 * RATE]
        clip = (clip + level * noise.standard_normal(len(clip))).astype(np.float32)
        prints.reset()
        for at in range(0, len(clip) - HOP + 1, HOP):
            prints.push(clip[at : at + HOP])
        best = prints.best()[0]
        heard = len(clip) // HOP * HOP / RATE
        assert segment.documents[best.document].id == "2.wav"
        assert best.seconds == pytest.approx(12.0 + heard * speed, abs=0.15)
        assert best.variant.speed == pytest.approx(speed, abs=0.021)


def test_landmarks_looked_up_part_by_part_vote_the_same(library, monkeypatch):
    segment = Library(library).segments[0]
    clip = piece(2, LENGTH)[12 * RATE : 16 * RATE]
    answers = []
    for resident in (1 << 20, 200):
        monkeypatch.setattr(fingerprints, "_RESIDENT", resident)
        prints = Fingerprints([segment], variants())
        for at in range(0, len(clip) - HOP + 1, HOP):
            prints.push(clip[at : at + HOP])
        answers.append(prints.best())
        assert len(prints._parts[0]) == (1 if resident > 200 else pytest.approx(14, abs=10))
    assert answers[0] and answers[0] == answers[1]


def test_variants_begin_with_the_music_as_it_is():
    tried = variants(0.1)
    assert tried[0] == Variant(1.0, 1.0) and len(set(tried)) == len(tried)
    assert {v.speed for v in tried} >= {0.9, 1.1} and {v.pitch for v in tried} >= {0.9, 1.1}


@pytest.mark.parametrize(("tempo", "transpose"), [(1.0, 0), (1.15, 0), (0.87, -3), (1.0, 5)])
def test_another_version_is_known_with_place_tempo_and_key(matcher, tempo, transpose):
    whole = piece(3, LENGTH / tempo, tempo=tempo, transpose=transpose, timbre=7)
    start = 8.0
    said = matches(listen(matcher, whole[int(start * RATE) : int((start + 20) * RATE)]))
    assert said and said[0][0] < 14.0
    assert {matcher.documents[h.document].id for _, h in said} == {"3.wav"}
    assert {h.transposition for _, h in said} == {transpose}
    errors = [abs(h.position - (start + at) * tempo) for at, h in said[3:]]
    assert np.median(errors) < 0.3
    assert said[-1][1].tempo == pytest.approx(tempo, rel=0.1)


@pytest.mark.parametrize("shingles", ["short", "network"])
def test_behind_the_gate_as_well(library, shingles):
    whole = piece(3, 30.0, tempo=0.87, transpose=-3, timbre=7)
    gated = Matcher(Library(library), index="exact", shingles=shingles)
    said = matches(listen(gated, whole[8 * RATE : 28 * RATE]))
    assert said and said[0][0] < 14.0
    assert {(gated.documents[h.document].id, h.transposition) for _, h in said} == {("3.wav", -3)}


def test_a_jump_is_followed(matcher):
    music = piece(1, LENGTH)
    cut = np.concatenate([music[5 * RATE : 17 * RATE], music[26 * RATE : 38 * RATE]])
    said = listen(matcher, cut)
    jumps = [at for at, statement in said if statement.kind == "jump"]
    assert jumps and 12.0 < jumps[0] < 16.0
    at, last = matches(said)[-1]
    assert last.position == pytest.approx(26 + at - 12, abs=0.3)


def test_a_stranger_and_silence_are_unknown(matcher):
    assert not matches(listen(matcher, piece(77, 25.0)))
    said = listen(matcher, np.zeros(6 * RATE, np.float32))
    assert {statement.kind for _, statement in said} == {"unknown"}
    times = [at for at, _ in said]
    assert np.diff(times).max() <= 0.5


def test_a_stranger_with_the_lead_of_a_version_is_unknown_all_the_same(matcher, monkeypatch):
    monkeypatch.setattr(matcher.scan, "rival", lambda peak: peak.score - 6.0)
    assert not [found for _, found in matches(listen(matcher, piece(77, 20.0))) if found.lane == "scan"]
    version = piece(3, 12.0 / 1.15, tempo=1.15, timbre=7)
    assert [found.document for _, found in matches(listen(matcher, version))][-1] == 3


def test_an_empty_library_knows_nothing(tmp_path):
    with writing(tmp_path / "library", create=True):
        pass
    said = listen(Matcher(Library(tmp_path / "library")), piece(0, 3.0))
    assert {statement.kind for _, statement in said} == {"unknown"}


def test_the_match_is_repeated_twice_a_second(matcher):
    said = listen(matcher, piece(0, 20.0))
    times = np.array([at for at, statement in said if statement.kind == "match"])
    assert times[0] < 6.0
    assert np.diff(times).max() <= 0.5


def test_a_pause_freezes_the_position():
    judge = Judge()
    sure = Hypothesis(0, 10.0, 1.0, 0, 0.999, 20.0, "scan", 5.0)
    judge.update(4.6, sure.at(4.6), None, silent=False)
    judge.update(5.0, sure, None, silent=False)
    for n in range(10):
        judge.update(5.2 + 0.2 * n, None, None, silent=True)
    assert judge.held is not None and judge.held.position == pytest.approx(10.0)
    kinds = [s.kind for n in range(20) for s in judge.update(7.4 + 0.2 * n, None, None, silent=True)]
    assert "lost" in kinds and kinds[-1] == "unknown"


def test_identify_says_it_on_the_command_line(library, tmp_path, capsys):
    file = tmp_path / "query.wav"
    audio = soxr.resample(piece(4, LENGTH)[6 * RATE : 18 * RATE], RATE, 48000)
    soundfile.write(file, audio, 48000)
    out = tmp_path / "out.jsonl"
    command = ["identify", "--library", str(library), "--input", str(file), "--offline", "--events", str(out)]
    assert main(command) == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    found = [event for event in events if event["kind"] == "match"]
    assert {event["document"] for event in found} == {"4.wav"}
    errors = [abs(event["position"] - 6.0 - event["time"]) for event in found]
    assert np.median(errors) < 0.1
    assert all(event["emitted"] >= event["time"] for event in found)
    assert {"tempo", "transposition", "confidence", "lane"} <= found[0].keys()
    assert main(["identify", "--library", str(tmp_path), "--input", str(file)]) == 2
    assert "no Followspot library" in capsys.readouterr().err


def test_plot(library, tmp_path, capsys):
    file = tmp_path / "query.wav"
    soundfile.write(file, piece(4, LENGTH)[6 * RATE : 14 * RATE], RATE)
    out = tmp_path / "seen.svg"
    command = ["identify", "--library", str(library), "--input", str(file), "--plot"]
    assert main([*command, str(out)]) == 0
    picture = ElementTree.parse(out).getroot()
    said = [element.text or "" for element in picture.iter() if element.tag.endswith(("text", "title"))]
    assert any("matching curves of 4.wav" in text for text in said)
    assert any("match 4.wav at" in text and "landmarks" in text for text in said)
    dots = [element.get("fill") for element in picture.iter() if element.tag.endswith("circle")]
    filled = sum(fill != "none" for fill in dots)
    assert filled > len(dots) / 2
    assert main([*command, str(tmp_path / "seen.png")]) == 2
    assert ".svg" in capsys.readouterr().err


def test_a_document_that_is_no_better_than_others_is_not_held_for_fitting(matcher, monkeypatch):
    whole = piece(3, LENGTH / 1.15, tempo=1.15, timbre=7)
    said = listen(matcher, whole[: 16 * RATE])
    assert matches(said) and matcher.judge.held is not None and matcher._local_near().score >= STILL
    monkeypatch.setattr(matcher.scan, "rival", lambda peak: 1e3)
    kinds = {}
    for start in range(16 * RATE, 28 * RATE, 4410):
        for statement in matcher.push(whole[start : start + 4410]):
            kinds.setdefault(statement.kind, start / RATE)
    assert 16 + SUPPORT < kinds["lost"] < 16 + SUPPORT + 3.0
