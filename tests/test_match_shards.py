"""A library in several folders or stores: documents sharded, answers fused as if it were one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from apps.cli import main
from engine.errors import FollowspotError
from nodes.match.library import Library, writing
from nodes.match.references import analyse
from nodes.match.shards import Folders, Stores, open_folder, shards, writing_shards
from nodes.match.store import Store
from tests.match_music import RATE, piece


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for seed in range(4):
        soundfile.write(folder / f"{seed}.wav", piece(seed, 15.0), RATE)
    return folder


@pytest.fixture(scope="module")
def analysed(music) -> list:
    return [(file.name, file, analyse(file)) for file in sorted(music.iterdir())]


def identified(where: list[str], query: Path, out: Path) -> list[dict]:
    assert main(["identify", *where, "--input", str(query), "--transpose", "none", "--events", str(out)]) == 0
    return [event for event in map(json.loads, out.read_text().splitlines()) if event["kind"] == "match"]


def test_folders_answer_as_one(music, analysed, tmp_path, capsys):
    one, a, b = (str(tmp_path / name) for name in "1ab")
    both = ["--library", a, "--library", b]
    with writing(one, create=True) as writer:
        writer.add(analysed)
    assert main(["library", "add", str(music), *both, "--jobs", "1"]) == 0
    assert main(["library", "add", str(music), *both, "--jobs", "1"]) == 0
    assert "4 there already" in capsys.readouterr().err
    counts = [Library(a).count, Library(b).count]
    assert sum(counts) == 4 and min(counts) > 0
    for library in (a, b):
        for _, document in Library(library).documents():
            assert int(document.digest[:8], 16) % 2 == [a, b].index(library)
    assert main(["library", "verify", *both]) == 0
    assert main(["library", "info", *both]) == 0
    assert main(["library", "list", *both]) == 0
    listed = capsys.readouterr().out
    assert all(f"{seed}.wav" in listed for seed in range(4))

    query = tmp_path / "query.wav"
    soundfile.write(query, piece(2, 12.0, tempo=1.1, timbre=4)[2 * RATE :], RATE)
    alone = identified(["--library", one], query, tmp_path / "one.jsonl")
    found = identified(both, query, tmp_path / "both.jsonl")
    assert found and {event["document"] for event in found} == {"2.wav"}
    assert [(e["time"], e["document"]) for e in found] == [(e["time"], e["document"]) for e in alone]

    assert main(["library", "remove", "3.wav", "0.wav", *both]) == 0
    assert sorted(open_folder(f"{a}|{b}").names()) == ["1.wav", "2.wav"]
    assert main(["library", "remove", "3.wav", *both]) == 2
    assert "no document '3.wav'" in capsys.readouterr().err
    assert main(["library", "list", "--library", a, "--library", a]) == 2
    assert "given twice" in capsys.readouterr().err


def test_the_same_name_in_two_folders_is_told_apart(analysed, tmp_path):
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    for folder, (_, file, reference) in zip(folders, analysed[:2], strict=True):
        with writing(folder, create=True) as writer:
            writer.add([("song.wav", file, reference)])
    library = Folders(folders)
    assert library.names() == ["song.wav", f"song.wav ({folders[1]})"]
    assert library.count == 2 and library.seconds == pytest.approx(30.0, abs=1.0)
    assert shards(" a | b ") == ["a", "b"]


def test_stores_answer_as_one(analysed, tmp_path):
    pytest.importorskip("lancedb")
    found = analysed
    one = Store(str(tmp_path / "one"), create=True)
    one.add(found)
    urls = [str(tmp_path / name) for name in "ab"]
    for url in urls:
        Store(url, create=True)
    with writing_shards(urls, stores=True) as writer:
        assert len(writer.add(found)) == 4 and not writer.add(found)
        writer.finish()
    several = Stores(urls)
    assert several.count == one.count == 4 and sorted(several.names()) == sorted(one.names())
    queries = np.random.default_rng(0).standard_normal((6, 33)).astype(np.float32)
    for here, there in zip(several.nearest(queries, 20), one.nearest(queries, 20), strict=True):
        assert [id for id, _ in here] == [id for id, _ in there]
        assert [far for _, far in here] == pytest.approx([far for _, far in there])
    for id in one.names():
        assert np.array_equal(Stores(urls).frames(id), one.frames(id))
    with pytest.raises(FollowspotError, match="no document"):
        several.frames("none")

    query = tmp_path / "query.wav"
    soundfile.write(query, piece(1, 10.0, tempo=1.1, timbre=4), RATE)
    set_list = tmp_path / "set.txt"
    set_list.write_text("1\n3\n")
    where = ["--store", urls[0], "--store", urls[1], "--set-list", str(set_list)]
    said = identified(where, query, tmp_path / "out.jsonl")
    assert said and {event["document"] for event in said} == {"1.wav"}

    with writing_shards(urls, stores=True) as writer:
        writer.remove(["0.wav", "1.wav"])
        # A name of another shard is not given twice.
        digest = found[0][2].digest
        other = 1 - int(digest[:8], 16) % 2
        again = next(entry for entry in found if int(entry[2].digest[:8], 16) % 2 == other)
        writer.add([again, ("taken", *found[0][1:])])
        assert again[0] in Stores(urls).names() and "taken" in Stores(urls).names()
        writer.remove(["taken"])
        writer.add([(again[0], *found[0][1:])])
        assert f"{again[0]} ({digest[:8]})" in Stores(urls).names()
