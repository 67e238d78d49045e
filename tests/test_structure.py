"""Bands, onsets and structure cues against definitions, and on a made-up piece whose structure is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.graph import Graph
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.spectral.stft import Stft
from nodes.structure.band_energy import BandEnergy
from nodes.structure.cues import Cues
from tests.test_spectral import RATE, play, sine


def graph(**params) -> Graph:
    made = Graph().add("stft", Stft()).add("bands", BandEnergy(**params)).add("cues", Cues())
    made.connect("input", "stft").connect("stft.magnitude", "bands")
    return made.connect("bands.level", "cues.level").connect("bands.flux", "cues.flux")


def events(signal) -> list:
    return collect(Runner(compile_graph(graph()), strict=True), quanta(np.asarray(signal, np.float32), 256))


def piece(*parts: tuple[str, float]) -> np.ndarray:
    """Kick and bass on every beat at 120 BPM, hats between, a chord throughout: parts leave some out."""
    noise = np.random.default_rng(1)
    decay = np.exp(-np.arange(11025) / 2500)
    kick = (0.8 * sine(60, 0.25, 1.0) * decay).astype(np.float32)
    hat = (0.15 * noise.standard_normal(2000) * np.exp(-np.arange(2000) / 300)).astype(np.float32)
    made = []
    for kind, seconds in parts:
        n = round(seconds * RATE)
        t = np.arange(n) / RATE
        out = 0.0 * t
        if kind != "stop":
            out += 0.1 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 554 * t)
        if kind == "full":
            out += 0.2 * np.sin(2 * np.pi * 55 * t)
            for beat in range(0, n - 22050, 22050):
                out[beat : beat + 11025] += kick
                out[beat + 11025 : beat + 13025] += hat
        if kind == "build_up":
            out *= 10 ** (np.linspace(-6, 4, n) / 20)
            step = 11025
            for at in np.arange(0, n - step, step):
                out[at : at + 2000] += hat * (0.5 + 4 * at / n)
        made.append(out)
    return np.concatenate(made).astype(np.float32)


SHOW = (("full", 10.0), ("breakdown", 8.0), ("build_up", 8.0), ("full", 8.0), ("stop", 3.0), ("full", 4.0))


@pytest.fixture(scope="module")
def heard():
    return events(piece(*SHOW))


def cues(found) -> list[tuple[str, float]]:
    return [(e.kind, e.time / RATE) for e in found if e.source == "cues"]


def test_envelope_is_the_textbook_follower():
    x = np.concatenate([np.zeros(8192), sine(1000, 0.5, 0.5), np.zeros(RATE)])
    ((_, magnitude), (_, level)) = play(
        graph(attack_ms=20.0, release_ms=100.0), x, "stft.magnitude", "bands.level"
    )
    frequencies = np.fft.rfftfreq(2048, 1 / RATE)
    band = (frequencies >= 120) & (frequencies < 2500)
    amplitude = np.sqrt((magnitude[:, band].astype(float) ** 2).sum(axis=1) * (4 / 2048) ** 2 / 3)
    up, down = (1 - np.exp(-512 / (RATE * tau)) for tau in (0.02, 0.1))
    y, expected = 0.0, []
    for a in amplitude:
        y += (up if a > y else down) * (a - y)
        expected.append(20 * np.log10(max(y, 1e-7)))
    np.testing.assert_allclose(level[:, 1], expected, atol=0.01)
    assert level[:, 1].max() == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.1)  # RMS of a sine


@pytest.mark.parametrize(("frequency", "band"), [(70, 0), (600, 1), (6000, 2)])
def test_a_tone_is_in_its_band(frequency, band):
    ((_, level),) = play(graph(), sine(frequency, 1.0), "bands.level")
    assert np.argmax(level[-1]) == band
    assert np.sort(level[-1])[1] < level[-1].max() - 20


def test_onsets_of_bursts_each_once_in_their_band():
    x = np.zeros(6 * RATE, np.float32)
    truth = np.arange(1.0, 5.5, 0.5)
    for k, at in enumerate(truth):
        burst = sine((70, 5000)[k % 2], 0.1) * np.exp(-np.arange(4410) / 1200)
        x[int(at * RATE) : int(at * RATE) + 4410] += burst
    x += 1e-4 * np.random.default_rng(0).standard_normal(len(x)).astype(np.float32)
    found = events(x)
    for band, name in ((0, "low_onset"), (1, "high_onset")):
        said = np.array([e.time for e in found if e.kind == name]) / RATE
        own = truth[band::2]
        assert len(said) >= len(own)
        assert np.abs(own[:, None] - said).min(axis=1).max() < 0.03
    for e in found:
        if e.kind.endswith("onset"):
            assert 0 < e.values["confidence"] < 1


def test_the_cues_of_a_show(heard):
    said = cues(heard)
    assert [kind for kind, _ in said] == ["sound", "breakdown", "build_up", "drop", "silence", "sound"]
    at = dict(said[1:])
    assert 10.0 < at["breakdown"] < 14.0
    assert 18.0 < at["build_up"] < 24.0
    assert at["drop"] == pytest.approx(26.0, abs=0.12)
    assert 34.0 < at["silence"] < 35.6
    assert said[-1][1] == pytest.approx(37.0, abs=0.05)
    assert all(0 <= e.values["confidence"] <= 1 for e in heard if e.source == "cues")


def test_the_gain_of_the_desk_does_not_matter(heard):
    quiet = events(piece(*SHOW) * np.float32(0.05))  # 26 dB down
    assert [k for k, _ in cues(quiet)] == [k for k, _ in cues(heard)]
    np.testing.assert_allclose([t for _, t in cues(quiet)], [t for _, t in cues(heard)], atol=0.06)


def test_nothing_flickers_in_steady_music():
    found = events(piece(("full", 30.0)))
    assert [kind for kind, _ in cues(found)] == ["sound"]
    energy = [e for e in found if e.kind == "energy" and e.time > 4 * RATE]
    assert len(energy) <= 6  # in 26 s, three bands


def test_a_fader_is_no_breakdown():
    x = piece(("full", 24.0))
    x[10 * RATE :] *= np.float32(10 ** (-8 / 20))
    assert [kind for kind, _ in cues(events(x))] == ["sound"]


@pytest.mark.parametrize("seconds", [13.1, 27.7])
def test_truncated_music_gives_the_same_cues_so_far(heard, seconds):
    part = events(piece(*SHOW)[: round(seconds * RATE / 256) * 256])
    assert heard[: len(part)] == part


def test_a_piece_is_cued_again_after_reset(heard):
    plan = compile_graph(graph())
    runner = Runner(plan, strict=True)
    collect(runner, quanta(piece(("full", 5.0)), 256))
    runner.reset()
    assert collect(runner, quanta(piece(*SHOW), 256)) == heard
