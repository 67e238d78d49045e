"""`followspot separate` as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from apps.cli import main
from apps.separate import STEMS
from nodes.follow.made_up import BASS, MELODY, QUARTER, made_up_score, play


def song(path, rate, channels, seconds=1.0):
    """A tone and clicks with noise, written as float WAV; returns the samples."""
    n = int(rate * seconds)
    t = np.arange(n) / rate
    x = 0.2 * np.sin(2 * np.pi * 330 * t) + 0.01 * np.random.default_rng(1).standard_normal(n)
    x[:: rate // 4] += 0.5
    x = np.stack([x, 0.5 * x][:channels], axis=1).astype(np.float32)
    soundfile.write(path, x, rate, "FLOAT")
    return x


@pytest.mark.parametrize(
    ("rate", "channels", "mode", "most"),
    [
        (44100, 1, "stage", 23.3),
        (48000, 2, "studio", 46.5),
        (96000, 1, "quality", 93.0),
        (22050, 2, "stage", 23.3),
    ],
)
def test_stems_lie_under_the_input_and_add_up(tmp_path, capsys, rate, channels, mode, most):
    x = song(tmp_path / "song.wav", rate, channels)
    out = tmp_path / "stems"
    assert main(["separate", str(tmp_path / "song.wav"), "-o", str(out), "--mode", mode, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["mode"] == mode and said["latency_ms"] <= most and said["rate"] == rate
    total = np.zeros_like(x)
    for stem in STEMS:
        y, y_rate = soundfile.read(out / f"{stem}.wav", dtype="float32", always_2d=True)
        assert y_rate == rate and y.shape == x.shape
        total += y
    np.testing.assert_allclose(total, x, atol=2e-6)


def test_the_latency_is_printed(tmp_path, capsys):
    song(tmp_path / "song.wav", 44100, 1)
    assert main(["separate", str(tmp_path / "song.wav"), "-o", str(tmp_path)]) == 0
    assert "latency 46.4 ms (studio)" in capsys.readouterr().out


def test_a_file_that_breaks_off_gives_what_came_before(tmp_path, capsys):
    x = song(tmp_path / "song.wav", 44100, 1)
    whole = (tmp_path / "song.wav").read_bytes()
    (tmp_path / "song.wav").write_bytes(whole[: len(whole) // 2])
    assert main(["separate", str(tmp_path / "song.wav"), "-o", str(tmp_path / "out")]) == 2
    assert "breaks off" in capsys.readouterr().err
    total = sum(soundfile.read(tmp_path / "out" / f"{stem}.wav", dtype="float32")[0] for stem in STEMS)
    assert 15_000 < len(total) < 25_000
    np.testing.assert_allclose(total[:15_000], x[:15_000, 0], atol=2e-6)


def test_the_parts_of_a_score_lie_under_the_input(tmp_path, capsys):
    melody = play([(0.1 + k * QUARTER, pitch) for k, pitch in enumerate(MELODY[:5])], 44100, 2.5)
    bass = play([(0.1, BASS[0]), (2.1, BASS[1])], 44100, 2.5)
    soundfile.write(tmp_path / "duet.wav", np.stack([melody + bass, bass], axis=1), 44100, "FLOAT")
    arguments = ["separate", str(tmp_path / "duet.wav"), "--score", str(made_up_score())]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["latency_ms"] == 92.88 and list(said["stems"]) == ["1-track_1", "2-track_2", "rest"]
    heard = {stem: soundfile.read(path, dtype="float32")[0] for stem, path in said["stems"].items()}
    np.testing.assert_allclose(sum(heard.values()), np.stack([melody + bass, bass], axis=1), atol=2e-6)
    error = heard["1-track_1"][:, 0] - melody
    assert 10 * np.log10((melody**2).sum() / (error**2).sum()) > 6
    for fault in (["--mode", "stage"], ["--kit", "kit.npz"], ["--score", str(tmp_path / "none.mid")]):
        assert main([*arguments, "-o", str(tmp_path / "out"), *fault]) == 2
        assert capsys.readouterr().err.startswith("followspot: ")


def test_faults_are_one_line(tmp_path, capsys):
    song(tmp_path / "drums.wav", 44100, 1, 0.1)
    for path, out in (
        (tmp_path / "none.wav", tmp_path),
        (tmp_path / "drums.wav", tmp_path),
        (tmp_path / "drums.wav", tmp_path / "drums.wav"),
    ):
        assert main(["separate", str(path), "-o", str(out)]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_kit_is_learnt_saved_and_used(tmp_path, capsys):
    rate, n = 44100, 66150
    t = np.arange(n) / rate
    noise = np.random.default_rng(2).standard_normal(n)
    strokes = (0.5 * noise * np.exp(-(t % 0.25) / 0.03)).astype(np.float32)
    chord = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6)).astype(np.float32)
    for name, x in (("strokes", strokes), ("chord", chord), ("mix", strokes + chord)):
        soundfile.write(tmp_path / f"{name}.wav", x, rate, "FLOAT")
    kit = str(tmp_path / "kit.npz")
    takes = [f"snare={tmp_path / 'strokes.wav'}", f"keys={tmp_path / 'chord.wav'}"]
    assert main(["sound-check", kit, *takes, "--mode", "stage"]) == 0
    assert main(["separate", str(tmp_path / "mix.wav"), "-o", str(tmp_path / "out"), "--kit", kit]) == 0
    assert "latency 23.2 ms (stage)" in capsys.readouterr().out
    heard = {name: soundfile.read(tmp_path / "out" / f"{name}.wav")[0] for name in ("snare", "keys")}
    np.testing.assert_allclose(heard["snare"] + heard["keys"], strokes + chord, atol=1e-6)
    for name, truth in (("snare", strokes), ("keys", chord)):
        assert 10 * np.log10((truth**2).sum() / ((heard[name] - truth) ** 2).sum()) > 8


def test_faults_of_kits_are_one_line(tmp_path, capsys):
    song(tmp_path / "song.wav", 44100, 1, 0.5)
    soundfile.write(tmp_path / "silent.wav", np.zeros(44100), 44100)
    (tmp_path / "bad.npz").write_text("no kit")
    take, kit = f"a={tmp_path / 'song.wav'}", str(tmp_path / "kit.npz")
    for words in (
        ["sound-check", kit, take],
        ["sound-check", kit, take, f"b={tmp_path / 'silent.wav'}"],
        ["sound-check", kit, take, take],
        ["separate", str(tmp_path / "song.wav"), "-o", str(tmp_path), "--kit", str(tmp_path / "bad.npz")],
        ["separate", str(tmp_path / "song.wav"), "-o", str(tmp_path), "--kit", str(tmp_path / "none.npz")],
    ):
        assert main(words) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
