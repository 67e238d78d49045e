"""Separation against textbook definitions: medians, masks, sums of stems, declared latencies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter

from engine.graph import Graph
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.separate.hpss import Hpss
from nodes.separate.masked import framing_of
from nodes.separate.medians import Medians
from nodes.separate.melody import Melody
from nodes.separate.nmf_kernels import activate, part_masks
from nodes.separate.repet import Repetition
from nodes.separate.repet_sim import RepetSim
from tests.test_spectral import RATE, noise, sine

PARTS = ("harmonic", "percussive", "residual")


def stems(node, signal, names, rate=RATE, quantum=512):
    """Every output (channels, samples) without its declared latency, and the latency in samples."""
    signal = np.atleast_2d(np.asarray(signal, np.float32))
    graph = Graph(rate=rate, quantum=quantum, channels=len(signal)).add("node", node)
    plan = compile_graph(graph.connect("input", "node"))
    runner, kept = Runner(plan, strict=True), {name: [] for name in names}
    latency = plan.formats[f"node.{names[0]}"].latency
    padded = np.pad(signal, ((0, 0), (0, latency + -(signal.shape[1] + latency) % quantum)))
    for start in range(0, padded.shape[1], quantum):
        runner.tick(np.ascontiguousarray(padded[:, start : start + quantum]))
        for name in names:
            kept[name].append(plan.streams[f"node.{name}"].copy())
    whole = {name: np.concatenate(blocks, axis=1) for name, blocks in kept.items()}
    return {name: x[:, latency : latency + signal.shape[1]] for name, x in whole.items()}, latency


def test_medians_are_those_of_scipy():
    frames = np.random.default_rng(3).random((30, 513)).astype(np.float32)
    medians = Medians(1024, RATE)
    history = np.zeros((9, 513), np.float32)
    for frame in frames:
        harmonic, percussive = medians.step(frame)
        history = np.vstack([history[1:], frame])
        np.testing.assert_array_equal(harmonic, np.median(history, axis=0))
        np.testing.assert_array_equal(percussive, median_filter(frame, 11, mode="reflect"))


def test_look_ahead_gives_the_percussive_median_of_its_own_frame():
    frames = np.random.default_rng(4).random((12, 513)).astype(np.float32)
    plain, ahead = Medians(1024, RATE), Medians(1024, RATE, look_ahead=4)
    now = [plain.step(frame)[1].copy() for frame in frames]
    late = [ahead.step(frame)[1].copy() for frame in frames]
    np.testing.assert_array_equal(late[4:], now[:-4])


@pytest.mark.parametrize(("mode", "rate"), [("stage", 44100), ("studio", 48000), ("quality", 96000)])
def test_an_impulse_comes_out_at_the_declared_latency_and_no_later_than_the_mode_says(mode, rate):
    x = np.zeros(rate // 2, np.float32)
    x[10_000] = 1.0
    window, hop, _ = framing_of(mode, rate)
    out, latency = stems(Hpss(mode=mode), x, PARTS, rate, quantum=hop)
    assert np.argmax(np.abs(out["percussive"])) == 10_000
    assert np.argmax(np.abs(sum(out.values()))) == 10_000
    assert latency + hop <= {"stage": 0.0235, "studio": 0.047, "quality": 0.0935}[mode] * rate
    assert window > 0.0105 * rate


def test_parts_add_up_to_the_delayed_input():
    x = noise(30_000, channels=2)
    out, _ = stems(Hpss(), x, PARTS, quantum=128)
    np.testing.assert_allclose(sum(out.values()), x, atol=1e-6)


def test_a_tone_is_harmonic_and_a_click_percussive():
    x = sine(440, 2.0).astype(np.float32)
    clicks = np.zeros_like(x)
    clicks[22_050::11_025] = 0.9
    out, _ = stems(Hpss(margin=1.0), x + clicks, PARTS)
    later = slice(20_000, 80_000)
    for part, truth in (("harmonic", x), ("percussive", clicks)):
        error = out[part][0, later] - truth[later]
        assert 10 * np.log10((truth[later] ** 2).sum() / (error**2).sum()) > 10
    assert np.abs(out["residual"]).max() < 1e-5


def test_a_dead_channel_stays_dead_and_the_other_is_parted_alike():
    x = noise(20_000, channels=2)
    x[1] = 0.0
    both, _ = stems(Hpss(), x, PARTS)
    alone, _ = stems(Hpss(), x[:1], PARTS)
    for part in PARTS:
        assert not both[part][1].any()
        np.testing.assert_allclose(both[part][:1], alone[part], atol=1e-12)


def test_repeating_background_is_the_median_of_the_frames_most_like_it():
    rng = np.random.default_rng(5)
    frames = rng.random((120, 129)).astype(np.float32) ** 4
    repetition = Repetition(256, 128, 8000)
    recent, apart, past = repetition._recent, repetition._apart, len(repetition._ring)
    assert (recent, apart, past) == (25, 6, 625)
    for i, frame in enumerate(frames):
        heard = repetition.step(frame)
        known = frames[: max(0, i - recent + 1)]
        reach = repetition._reach
        likeness = known[:, :reach] @ frame[:reach] / np.linalg.norm(known[:, :reach], axis=1)
        chosen = []
        while len(chosen) < 13 and len(known) and likeness.max() > 0:
            best = int(np.argmax(likeness))
            chosen.append(best)
            likeness[max(0, best - apart) : best + apart + 1] = -1
        truth = np.sort(known[chosen], axis=0)[len(chosen) // 2] if chosen else frame
        np.testing.assert_array_equal(heard, truth)


def test_a_tune_over_a_loop_is_told_from_the_loop():
    n, rng = 9 * RATE, np.random.default_rng(6)
    bar = sum(sine(f, 0.5, 0.1) for f in (196, 247, 294))
    loop = np.tile(np.concatenate([bar, sum(sine(f, 0.5, 0.1) for f in (220, 262, 330))]), 9)[:n]
    tune = np.concatenate([sine(f, 0.3, 0.2) for f in rng.permutation(np.geomspace(400, 1600, 30))])[:n]
    out, _ = stems(RepetSim(), loop + tune, ("voice", "background"))
    later = slice(5 * RATE, 8 * RATE)
    error = out["voice"][0, later] - tune[later]
    assert 10 * np.log10((tune[later] ** 2).sum() / (error**2).sum()) > 8


def test_templates_explain_their_own_frames():
    rng = np.random.default_rng(7)
    truth = rng.random((40, 3)).astype(np.float32) ** 6
    truth /= truth.sum(axis=0)
    weights = np.array([3.0, 0.0, 1.0], np.float32)
    heard, gradient = np.zeros(3, np.float32), np.zeros(3, np.float32)
    activate(truth, truth @ weights, heard, gradient, 50)
    np.testing.assert_allclose(heard, weights, atol=0.05)


def test_one_update_is_the_textbook_one():
    rng = np.random.default_rng(8)
    w, v = rng.random((30, 4)).astype(np.float32), rng.random(30).astype(np.float32)
    w /= w.sum(axis=0)
    h = np.full(4, v.sum() / 4)
    expected = h * (w.T @ (v / (w @ h))) / w.sum(axis=0)
    heard = np.zeros(4, np.float32)
    activate(w, v, heard, np.zeros(4, np.float32), 1)
    np.testing.assert_allclose(heard, expected, rtol=1e-4)


def test_parts_are_weighed_by_what_is_expected_of_their_stems():
    rng = np.random.default_rng(9)
    w, h = rng.random((20, 6)).astype(np.float32), rng.random(6).astype(np.float32)
    expected = (0.3 * rng.random((3, 20))).astype(np.float32)
    percussive, masks = rng.normal(size=20).astype(np.float32), np.zeros((3, 20), np.float32)
    starts, strokes = np.array([0, 2, 4, 6]), np.array([1, -1, -1], np.float32)
    part_masks(w, h, starts, strokes, np.array([0, 1, 3]), 0.5, percussive, expected, masks)
    shares = np.array([(w[:, k : k + 2] @ h[k : k + 2]) ** 1.5 for k in (0, 2, 4)])
    likely = np.array([expected[0], expected[1], 1 - expected.sum(axis=0)])
    shares *= np.exp(0.25 * strokes[:, None] * percussive) * np.maximum(likely, 0.01) ** 0.6
    np.testing.assert_allclose(masks, shares / shares.sum(axis=0), rtol=1e-3)


@pytest.mark.parametrize("kept", [(False, False, False), (False, False, True)])
def test_the_voice_mask_leans_to_the_melody(kept):
    """A gliding tone with harmonics and a softer one between them, from masks that know neither."""
    melody = Melody(2048, RATE, voice=1, kept=kept)
    bins = np.arange(1025) * RATE / 2048

    def lines(fundamental, count):
        heights = [np.maximum(0, 1 - np.abs(bins - fundamental * n) / 40) for n in range(1, count + 1)]
        return sum(height / n for n, height in enumerate(heights, 1))

    for frame in range(40):
        pitch = 220.0 * 2 ** (frame / 240)
        voice, masks = lines(pitch, 15), np.full((3, 1025), 0.3, np.float32)
        other = 0.4 * lines(1.37 * pitch, 7)
        melody.step((voice + other).astype(np.float32), masks)
    own = (voice > 0.05) & (other == 0) & (bins < 3000)
    between = (other > 0.05) & (voice == 0) & (bins < 3000)
    assert own.sum() > 15 and between.sum() > 5
    assert masks[1, own].mean() > 0.4 and masks[1, between].mean() < 0.22
    np.testing.assert_allclose(masks[:, bins > 5000], 0.3)
    left, own = 1.0 - 0.3 * sum(kept), masks[1]
    np.testing.assert_allclose(masks[0], 0.3 * (left - own) / (left - 0.3), rtol=1e-4)
    np.testing.assert_allclose(masks[2], 0.3 if kept[2] else masks[0], rtol=1e-4)


def test_without_a_melody_the_masks_stay():
    masks = np.full((3, 1025), 0.3, np.float32)
    melody = Melody(2048, RATE, voice=1, kept=[False] * 3)
    melody.step(np.zeros(1025, np.float32), masks)
    np.testing.assert_allclose(masks, 0.3)
    melody.step(np.ones(1025, np.float32), masks)
    np.testing.assert_allclose(masks, 0.3, atol=0.01)
