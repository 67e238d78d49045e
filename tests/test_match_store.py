"""A library in LanceDB, embedded: the same verbs, and the same answers as from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("lancedb")

from apps.cli import main
from engine.errors import FollowspotError
from nodes.match.store import Store
from tests.match_music import RATE, piece


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for seed in range(3):
        soundfile.write(folder / f"it's {seed}.wav", piece(seed, 30.0), RATE)
    return folder


def test_the_verbs_and_identify(music, tmp_path, capsys):
    url = str(tmp_path / "store")
    assert main(["library", "list", "--store", url]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["library", "add", str(music), "--store", url, "--jobs", "1"]) == 0
    assert main(["library", "add", str(music), "--store", url, "--jobs", "1"]) == 0
    assert "3 there already" in capsys.readouterr().err
    assert main(["library", "verify", "--store", url]) == 0
    assert main(["library", "info", "--store", url]) == 0
    assert main(["library", "list", "--store", url]) == 0
    assert "it's 2.wav" in capsys.readouterr().out

    query, out = tmp_path / "query.wav", tmp_path / "out.jsonl"
    soundfile.write(query, piece(1, 26.0, tempo=1.1, transpose=2, timbre=4)[5 * RATE :], RATE)
    command = ["identify", "--store", url, "--input", str(query), "--offline", "--events", str(out)]
    assert main(command) == 0
    found = [e for e in map(json.loads, out.read_text().splitlines()) if e["kind"] == "match"]
    assert found and {(e["document"], e["transposition"]) for e in found} == {("it's 1.wav", 2)}
    errors = [abs(e["position"] - (5.0 + e["time"]) * 1.1) for e in found]
    assert np.median(errors) < 0.3

    assert main([*command, "--shingles", "network"]) == 2
    assert "a store keeps short shingles only" in capsys.readouterr().err

    store = Store(url)
    store._shingles.delete("document = 'it''s 0.wav'")  # what a kill may leave, and worse
    assert main(["library", "verify", "--store", url]) == 2
    assert main(["library", "verify", "--repair", "--store", url]) == 0
    assert main(["library", "remove", "it's 2.wav", "--store", url]) == 0
    assert [d.id for d in Store(url).documents()] == ["it's 1.wav"]
    assert {id for found in Store(url).nearest(np.eye(2, 33), 50) for id, _ in found} == {"it's 1.wav"}
    with pytest.raises(FollowspotError, match="no document"):
        Store(url).remove(["it's 2.wav"])


def test_a_foreign_folder_is_no_store(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FollowspotError, match="no Followspot library"):
        Store(str(tmp_path))


def test_a_store_of_another_version_is_refused(tmp_path, monkeypatch):
    url = str(tmp_path / "store")
    monkeypatch.setattr("nodes.match.store._VERSION", {b"followspot library": b"2"})
    Store(url, create=True)
    monkeypatch.undo()
    with pytest.raises(FollowspotError, match="another version of Followspot; add its files"):
        Store(url)
