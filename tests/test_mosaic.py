"""Mosaics against the textbook: diagonal NMF, its causal form, and what is heard of the source."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from apps.cli import main
from nodes.mosaic.diagonal_nmf import diagonal_activations
from nodes.mosaic.mosaic import Mosaic
from nodes.mosaic.mosaic_kernels import causal_activations
from tests.test_separate import stems
from tests.test_spectral import RATE

RNG = np.random.default_rng


def spectra(bins=40, frames=12, seed=1):
    """Peaky magnitudes (bins, frames)."""
    return (RNG(seed).random((bins, frames)) ** 4 + 1e-3).astype(np.float32)


def textbook(w, v, r, p, c, iterations):
    """Driedger, Praetzlich and Mueller 2015, eq. (3) to (6), as they are written."""
    loud, (k, n) = w.sum(axis=0), (w.shape[1], v.shape[1])
    h = np.full((k, n), v.mean() * len(w) / (loud.mean() * k))
    for i in range(1, iterations + 1):
        damp, old = 1 - i / iterations, h.copy()
        for a, b in np.ndindex(k, n):
            if old[a, b] < old[a, max(0, b - r) : b + r + 1].max():
                h[a, b] *= damp
        for b in range(n):
            h[np.argsort(-h[:, b] * loud)[p:], b] *= damp
        padded = np.pad(h, c)
        h = sum(padded[c + d : c + d + k, c + d : c + d + n] for d in range(-c, c + 1))
        h = h * (w.T @ (v / (w @ h))) / loud[:, None]
    return h


def causal_textbook(w, v, r, p, c, iterations):
    """The same, column by column, from the past as it came out; the diagonal sum is where it starts."""
    loud, k = w.sum(axis=0), w.shape[1]
    done = np.zeros((k, 0))
    for x in v.T:
        h = np.full(k, x.sum() / loud.sum())
        for d in range(1, min(c, done.shape[1]) + 1):
            h[d:] += 0.1 * done[:-d, -d]
        past = done[:, max(0, done.shape[1] - r) :]
        for i in range(1, iterations + 1):
            damp = 1 - i / iterations
            h = np.where(past.max(axis=1, initial=0) > h, damp * h, h)
            h[np.argsort(-h * loud)[p:]] *= damp
            h = h * (w.T @ (x / (w @ h))) / loud
        h[np.argsort(-h * loud)[p:]] = 0
        done = np.column_stack([done, h])
    return done


@pytest.mark.parametrize(("r", "p", "c"), [(3, 4, 2), (0, 12, 0), (1, 2, 3)])
def test_activations_are_those_of_the_paper(r, p, c):
    w, v = spectra(), spectra(frames=20, seed=2)
    heard = diagonal_activations(w, v, r, p, c, 8)
    np.testing.assert_allclose(heard, textbook(w, v, r, p, c, 8), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(("r", "p", "c"), [(3, 4, 2), (0, 12, 0), (1, 2, 3)])
def test_causal_activations_are_the_textbooks_with_the_past_alone(r, p, c):
    w, v = spectra(), spectra(frames=20, seed=2)
    expected = causal_textbook(w, v, r, p, c, 8)
    past, h = np.zeros((10, 12), np.float32), np.zeros(12, np.float32)
    for n in range(20):
        past[1:], past[0] = past[:-1].copy(), expected[:, n - 1] if n else 0.0
        scratch = np.zeros(12, np.float32), np.zeros(12, np.uint8)
        loud, frame = w.sum(axis=0), np.ascontiguousarray(v[:, n])
        causal_activations(w, loud, frame, past, r, p, c, 8, *scratch, h)
        np.testing.assert_allclose(h, expected[:, n], rtol=2e-3, atol=1e-5)


def notes(seconds=1.5, seed=3):
    """Noise that rings at another pitch every 46 ms, so that no two frames are alike."""
    noise, out = RNG(seed).standard_normal(int(seconds * RATE)), []
    for start in range(0, len(noise), 2048):
        phase = 2 * np.pi * RNG(seed + start).uniform(200, 3000) / RATE
        out.append(lfilter([0.01], [1, -1.98 * np.cos(phase), 0.9801], noise[start : start + 2048]))
    sound = np.concatenate(out)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def tune(seconds=1.5, seed=3):
    """A sine of changing pitch."""
    steps = np.repeat(RNG(seed).uniform(200, 600, int(seconds / 0.15) + 1), int(0.15 * RATE))
    phase = 2 * np.pi * np.cumsum(steps[: int(seconds * RATE)]) / RATE
    return (0.2 * np.sin(phase) + 0.1 * np.sin(2 * phase)).astype(np.float32)


def correlation(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_a_recording_is_played_by_itself_live_at_the_declared_latency(tmp_path):
    x = notes()
    soundfile.write(tmp_path / "notes.wav", x, RATE, "FLOAT")
    node = Mosaic(source=str(tmp_path / "notes.wav"))
    out, latency = stems(node, x, ("mosaic",))
    assert latency + 512 == 2048
    heard, middle = out["mosaic"][0], slice(8192, 49152)  # whole frames before it, so that the grids agree
    assert correlation(heard[middle], x[middle]) > 0.95
    shifts = range(-4, 5)
    best = max(shifts, key=lambda s: correlation(np.roll(heard, -s)[middle], x[middle]))
    assert best == 0


def test_the_verb_plays_the_target_with_the_source(tmp_path, capsys):
    target, n = tune(1.0, seed=4), RATE
    t = np.arange(3 * n) / RATE
    sweep = np.sin(2 * np.pi * (150 * t + 200 * t**2)) + 0.5 * np.sin(4 * np.pi * (150 * t + 200 * t**2))
    left = (0.3 * sweep).astype(np.float32)
    soundfile.write(tmp_path / "target.wav", target, RATE, "FLOAT")
    soundfile.write(tmp_path / "source.wav", np.stack([left, 0 * left], 1), RATE, "FLOAT")
    words = [str(tmp_path / "target.wav"), str(tmp_path / "source.wav"), "-o", str(tmp_path / "out.wav")]
    assert main(["mosaic", *words]) == 0
    assert "0:01.0 in" in capsys.readouterr().out
    heard, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == RATE and heard.shape == (n, 2)
    assert not heard[:, 1].any() and heard[:, 0].any()  # the source's channels
    pitches = []
    for x in (target, heard[:, 0]):
        frames = np.lib.stride_tricks.sliding_window_view(x, 4096)[2048 : n - 4096 : 6615]
        pitches.append(np.argmax(np.abs(np.fft.rfft(frames * np.hanning(4096))), axis=1))
    assert np.mean(np.abs(pitches[0] - pitches[1]) <= 2) > 0.7


def test_faults_are_one_line(tmp_path, capsys):
    tone = str(tmp_path / "tone.wav")
    soundfile.write(tone, tune(0.5), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "short.wav", np.ones(100), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    out = ["-o", str(tmp_path / "out.wav")]
    for words in (
        [tone, str(tmp_path / "none.wav"), *out],
        [tone, str(tmp_path / "text.wav"), *out],
        [tone, str(tmp_path / "silent.wav"), *out],
        [tone, str(tmp_path / "short.wav"), *out],
        [str(tmp_path / "silent.wav"), tone, *out],
        [str(tmp_path / "short.wav"), tone, *out],
        [tone, tone, "-o", tone],
        [tone, tone, "-o", str(tmp_path / "no" / "out.wav")],
        [tone, tone, *out, "--polyphony", "0"],
        ["--set", "x", tone, *out],
    ):
        assert main(["mosaic", *words]) == 2, words
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
