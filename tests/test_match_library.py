"""The library of references: what it keeps, what it survives, what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from apps.cli import main
from engine.errors import FollowspotError
from nodes.match.library import Library, damaged, writing
from nodes.match.references import analyse
from tests.match_music import RATE, piece


def sound(path: Path, seed: int, seconds: float = 6.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, piece(seed, seconds), RATE)
    return path


def add(folder: Path, *files: Path) -> None:
    with writing(folder, create=True) as writer:
        for file in files:  # one commit each
            writer.add([(file.name, file, analyse(file))])
        writer.finish()


def ids(folder: Path) -> list[str]:
    return sorted(document.id for _, document in Library(folder).documents())


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("music")
    return [sound(folder / f"{seed}.wav", seed) for seed in range(4)]


def test_what_goes_in_comes_out_after_merging(tmp_path, files):
    add(tmp_path / "lib", *files)
    library = Library(tmp_path / "lib")
    assert len(library.segments) == 1
    assert ids(tmp_path / "lib") == ["0.wav", "1.wav", "2.wav", "3.wav"]
    for file, (document, found) in zip(files, library.segments[0].references(), strict=True):
        made = analyse(file)
        assert document.seconds == pytest.approx(6.0)
        assert np.array_equal(found.frames, made.frames)
        assert np.array_equal(found.hashes, made.hashes)
        assert sorted(zip(found.hashes, found.places, strict=True)) == sorted(
            zip(made.hashes, made.places, strict=True)
        )


def test_remove_and_add_again(tmp_path, files):
    folder = tmp_path / "lib"
    add(folder, *files)
    with writing(folder) as writer:
        writer.remove(["1.wav"])
    assert "1.wav" not in ids(folder)
    with writing(folder) as writer, pytest.raises(FollowspotError, match=r"no document '1\.wav'"):
        writer.remove(["1.wav"])
    add(folder, files[1])
    assert ids(folder) == ["0.wav", "1.wav", "2.wav", "3.wav"]
    with writing(folder) as writer:
        writer.remove(ids(folder))
    assert ids(folder) == [] and Library(folder).segments == []


def test_an_open_library_outlives_merging(tmp_path, files):
    folder = tmp_path / "lib"
    add(folder, files[0])
    reader = Library(folder)
    before = np.array(reader.segments[0].chroma)
    add(folder, *files[1:])
    assert np.array_equal(reader.segments[0].chroma, before)
    assert len(ids(folder)) == 4


def test_one_writer_at_a_time(tmp_path, files):
    folder = tmp_path / "lib"
    with (
        writing(folder, create=True),
        pytest.raises(FollowspotError, match="another process"),
        writing(folder),
    ):
        pass


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    for make in (lambda: Library(tmp_path), lambda: writing(tmp_path, create=True).__enter__()):
        with pytest.raises(FollowspotError, match="no Followspot library"):
            make()
    assert [file.name for file in tmp_path.iterdir()] == ["letters.txt"]
    with pytest.raises(FollowspotError, match="no such folder"):
        Library(tmp_path / "none")


def test_damage_is_found_and_forgotten(tmp_path, files, capsys):
    folder = tmp_path / "lib"
    add(folder, files[0])
    assert damaged(folder) == {}
    (chroma,) = folder.glob("segment-*/chroma.npy")
    data = bytearray(chroma.read_bytes())
    data[-5] ^= 1
    chroma.write_bytes(data)
    assert "chroma.npy" in next(iter(damaged(folder).values()))
    assert main(["library", "verify", "--library", str(folder)]) == 2
    assert main(["library", "verify", "--repair", "--library", str(folder)]) == 0
    assert ids(folder) == []
    chroma.unlink(missing_ok=True)
    (folder / "library.json").write_text("{")
    with pytest.raises(FollowspotError, match=r"library\.json is damaged"):
        Library(folder)


def test_a_truncated_array_is_one_line(tmp_path, files):
    folder = tmp_path / "lib"
    add(folder, files[0])
    (rests,) = folder.glob("segment-*/rests.npy")
    rests.write_bytes(rests.read_bytes()[:200])
    with pytest.raises(FollowspotError, match="verify") as caught:
        Library(folder)
    assert "\n" not in str(caught.value)
    assert main(["library", "verify", "--repair", "--library", str(folder)]) == 0
    assert ids(folder) == []
    add(folder, files[0])
    assert ids(folder) == ["0.wav"]


def test_a_full_disk_loses_nothing(tmp_path, files, monkeypatch):
    folder = tmp_path / "lib"
    add(folder, files[0])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(FollowspotError, match="No space left"):
        add(folder, files[1])
    monkeypatch.undo()
    assert ids(folder) == ["0.wav"] and damaged(folder) == {}
    add(folder, files[1])
    assert ids(folder) == ["0.wav", "1.wav"]
    assert len(list(folder.glob("segment-*"))) == 1


def test_commands(tmp_path, files, capsys):
    music = tmp_path / "music"
    sound(music / "a" / "01.wav", 10)
    sound(music / "b" / "01.wav", 11)
    (music / "a" / "broken.wav").write_bytes(b"RIFF0000WAVE")
    (music / "cover.jpg").write_bytes(b"x")
    song = mido.MidiFile()
    song.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60 + n, time=200) for n in range(12)]))
    song.save(music / "scale.mid")
    folder = str(tmp_path / "lib")
    assert main(["library", "add", str(music), "--library", folder, "--jobs", "1"]) == 2
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("followspot: ")]
    assert len(complaints) == 1 and "broken.wav" in complaints[0]
    assert ids(Path(folder)) == ["a/01.wav", "b/01.wav", "scale.mid"]
    (music / "a" / "broken.wav").unlink()
    assert main(["library", "add", str(music), "--library", folder]) == 0
    assert "0 added" in (err := capsys.readouterr().err) and "3 there already" in err
    assert main(["library", "list", "--library", folder]) == 0
    assert "scale.mid" in capsys.readouterr().out
    assert main(["library", "info", "--library", folder]) == 0
    assert "size per hour" in capsys.readouterr().out
    assert main(["library", "remove", "a/01.wav", "--library", folder]) == 0
    assert ids(Path(folder)) == ["b/01.wav", "scale.mid"]
    assert main(["library", "add", str(tmp_path / "none.wav"), "--library", folder]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_file_that_breaks_off_is_not_added(tmp_path, files, capfd):
    (tmp_path / "half.wav").write_bytes(files[0].read_bytes()[:100_000])
    folder = tmp_path / "lib"
    command = ["library", "add", str(tmp_path / "half.wav"), str(files[1]), "--library", str(folder)]
    assert main([*command, "--jobs", "1"]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("followspot: ")]
    assert len(lines) == 1
    assert "half.wav" in lines[0] and "breaks off at" in lines[0] and "nothing of it was added" in lines[0]
    assert ids(folder) == ["1.wav"]


def test_a_kill_in_the_middle_of_an_add_loses_nothing(tmp_path, files):
    folder = tmp_path / "lib"
    add(folder, files[0])
    code = (
        "import os, sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
        "from nodes.match.library import writing\nfrom nodes.match.references import analyse\n"
        "found = analyse(Path(sys.argv[2]))\n"
        "with writing(sys.argv[1]) as writer:\n"
        "    for n in range(10**6):\n"
        "        name = f'{os.getpid()}-{n}'\n"
        "        writer.add([(name, Path(sys.argv[2]), replace(found, digest=name))])\n"
        "        print(n, flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(files[1])]
    least = 0
    for pause in (0.0, 0.05, 0.11):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)
        assert child.stdout is not None
        for _ in range(3):
            child.stdout.readline()
        time.sleep(pause)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = ids(folder)
        assert "0.wav" in found and len(found) >= least + 3
        assert damaged(folder) == {}
        least = len(found)
    add(folder, files[2])  # and the next writer goes on
    assert "2.wav" in ids(folder) and len(ids(folder)) == least + 1
    assert {path.name for path in folder.glob("segment-*")} == {
        s.folder.name for s in Library(folder).segments
    }
