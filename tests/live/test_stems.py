"""The preset `stems` as it runs live: what its files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from apps.demo_music import compose
from engine.audio.files import AudioFile
from engine.live.supervisor import Supervisor
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner

STEMS = ("drums", "vocals", "bass", "rest")


def stems(folder: Path) -> tuple[PresetSource, list[Path]]:
    """The preset, writing into a folder."""
    folder.mkdir()
    files = [folder / f"{stem}.wav" for stem in STEMS]
    paths = (f"{stem}.path={file}" for stem, file in zip(STEMS, files, strict=True))
    return PresetSource("stems", tuple(paths)), files


def test_live_stems_are_those_of_an_offline_run_to_the_bit(tmp_path: Path) -> None:
    music = tmp_path / "music.wav"
    soundfile.write(music, compose().samples[5 * 44100 : 8 * 44100], 44100, subtype="FLOAT")
    source, live = stems(tmp_path / "live")
    with Supervisor(source, file=music) as supervisor:
        assert supervisor.join(60)
        health = supervisor.snapshot().sinks
    source, offline = stems(tmp_path / "offline")
    graph = source.load().build()
    run_offline(Runner(compile_graph(graph)), AudioFile(music, graph.rate, graph.quantum).blocks())
    assert all(health[stem].status == "ok" and health[stem].failures == 0 for stem in STEMS)
    for one, other in zip(live, offline, strict=True):
        heard, rate = soundfile.read(one)
        expected, _ = soundfile.read(other)
        assert rate == 44100
        assert len(heard) >= 3 * 44100
        np.testing.assert_array_equal(heard, expected)
        assert np.abs(heard).max() > 0.01
