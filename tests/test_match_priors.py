"""Priors: set list, beginning of a piece, last known; against their definition, and what they change."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from apps.cli import main
from engine.errors import FollowspotError
from nodes.match.library import Library, writing
from nodes.match.matcher import Matcher
from nodes.match.priors import BEGINS, LISTED, NEXT, RETURN, Priors, read_set_list
from nodes.match.references import analyse
from tests.match_music import RATE, piece


def test_the_odds_are_those_of_a_mixture():
    priors = Priors(1000, ["a", "b", "c", "a"])
    special, other = priors.odds(0.0)
    assert special["a"] == pytest.approx(5.0)  # log(450) is more than a prior may say
    assert special["b"] == pytest.approx(5.0) and other == pytest.approx(math.log(0.1 * 1000 / 997))
    few = Priors(6, ["a", "b", "c"])
    special, other = few.odds(0.0)
    assert special["a"] == pytest.approx(math.log(6 * LISTED * NEXT))
    assert special["c"] == pytest.approx(math.log(6 * LISTED * NEXT / 2))
    total = sum(math.exp(odds) / 6 for odds in special.values()) + 3 * math.exp(other) / 6
    assert total == pytest.approx(1.0)
    few.hold("a")
    assert few.odds(5.0)[0] == special  # what is held is still what is expected
    few.lose(10.0)
    after, other = few.odds(10.0)
    assert after["b"] == pytest.approx(math.log(6 * (1 - RETURN) * LISTED * NEXT))
    assert after["a"] > after["c"]
    assert sum(math.exp(o) / 6 for o in after.values()) + 3 * math.exp(other) / 6 == pytest.approx(1.0)
    assert few.odds(70.0)[0]["a"] < after["a"]
    few.reset()
    assert few.odds(0.0)[0] == special


def test_the_last_known_is_likelier_for_a_while():
    assert not Priors(4, ["x"]).empty
    priors = Priors(4)
    assert priors.empty and priors.odds(0.0) == ({}, 0.0)
    priors.hold("x")
    priors.lose(3.0)
    special, other = priors.odds(3.0)
    assert special == {"x": pytest.approx(math.log(4 * (RETURN + (1 - RETURN) / 4)))}
    assert other == pytest.approx(math.log(1 - RETURN))


def test_the_order_goes_on_through_a_document_that_comes_twice():
    priors = Priors(100, ["a", "b", "a", "c"])
    for name in "aba":
        priors.hold(name)
        priors.lose(0.0)
    special, _ = priors.odds(1e9)
    assert special["c"] == max(special.values()) and special["c"] > special["b"]


def test_music_after_silence_begins_at_the_beginning():
    priors = Priors(10)
    for n in range(5):
        priors.hear(0.2 * n, 0.2, silent=False)
    assert priors.of_place(1.0, 300.0, 1.0, 1.0) == 0.0  # the stream's start is no beginning
    for n in range(6):
        priors.hear(1.0 + 0.2 * n, 0.2, silent=True)
    priors.hear(2.2, 0.2, silent=False)
    places = 300.0 / (2 * (2.0 + 0.1 * 1.2 * 2.0))
    assert priors.of_place(3.0, 300.0, 4.0, 1.2) == pytest.approx(math.log(BEGINS * places))
    assert priors.of_place(90.0, 300.0, 4.0, 1.2) < 0.0
    assert Priors(10, ["a"]).of_place(0.0, 300.0, 0.0, 1.0) == 0.0  # nothing sounds yet


def test_a_set_list_is_read_by_names_and_stems(tmp_path):
    names = ["set/One.wav", "b/two #3.mid", "a/two.mid", "b/two.mid"]
    file = tmp_path / "set.txt"
    file.write_text("one  # opener\n\n# a break\nb/two #3.mid\na/two.mid\n")
    assert read_set_list(file, names) == ["set/One.wav", "b/two #3.mid", "a/two.mid"]
    for text, fault in (
        ("two", "line 1: 'two': 2 documents"),
        ("three", "no document"),
        ("# none", "names no"),
    ):
        file.write_text(text)
        with pytest.raises(FollowspotError, match=fault):
            read_set_list(file, names)
    with pytest.raises(FollowspotError, match="cannot be read"):
        read_set_list(tmp_path / "none", names)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("priors")
    with writing(folder / "library", create=True) as writer:
        for seed in range(5):
            file = folder / f"{seed}.wav"
            soundfile.write(file, piece(seed, 40.0), RATE)
            writer.add([(file.name, file, analyse(file))])
        writer.finish()
    return folder / "library"


def first_match(matcher: Matcher, audio: np.ndarray) -> tuple[float, str, float]:
    """Second, document and position of the first match; the second is inf if there is none."""
    matcher.reset()
    for start in range(0, len(audio), 4410):
        for statement in matcher.push(audio[start : start + 4410]):
            if statement.kind == "match":
                found = statement.hypothesis
                return (start + 4410) / RATE, matcher.documents[found.document].id, found.position
    return math.inf, "", 0.0


def test_what_is_expected_is_known_sooner(library):
    whole = piece(3, 20.0, tempo=1.1, transpose=2, timbre=7)
    plain = first_match(Matcher(Library(library)), whole)
    for index in ("auto", "exact"):
        listed = first_match(Matcher(Library(library), index=index, set_list=["3.wav", "1.wav"]), whole)
        assert listed[1] == "3.wav" and listed[0] < plain[0]
        assert listed[2] == pytest.approx(1.1 * listed[0], abs=1.0)
    wrong = first_match(Matcher(Library(library), set_list=["0.wav", "1.wav"]), whole)
    assert wrong[1] == "3.wav"  # what is on no list is known as well, later


def test_on_the_command_line(library, tmp_path, capsys):
    file, names, out = tmp_path / "query.wav", tmp_path / "set.txt", tmp_path / "out.jsonl"
    soundfile.write(file, piece(4, 8.0), RATE)
    names.write_text("4\n2.wav\n")
    command = ["identify", "--library", str(library), "--input", str(file), "--set-list", str(names)]
    assert main([*command, "--events", str(out)]) == 0
    assert '"document":"4.wav"' in out.read_text().replace(": ", ":")
    names.write_text("5.wav\n")
    assert main(command) == 2
    assert "line 1: '5.wav'" in capsys.readouterr().err
