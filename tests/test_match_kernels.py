"""Kernels of the matcher against textbook definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import maximum_filter1d

from nodes.match import features, landmarks
from nodes.match.chroma_kernels import FINE, fold, peak_chroma, smooth
from nodes.match.hops import Hops
from nodes.match.landmark_kernels import spread
from nodes.match.scan import Law, Part, Scan, unrelated_spread
from nodes.match.scan_kernels import BLOCK, SCALE, scan
from tests.match_music import RATE, piece


def test_smooth_is_cens_with_a_closed_top_step():
    chroma = np.zeros((1, 12), np.float32)
    chroma[0, 3] = 1.0  # a share of exactly 1: the case that half-open steps forget
    out = np.zeros(12, np.float32)
    smooth(chroma, 0, np.ones(1, np.float32), True, out)
    expected = np.where(np.arange(12) == 3, 4.0, 0.0) - 4.0 / 12
    assert out == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_smooth_against_its_definition():
    chroma = (np.random.default_rng(0).random((30, 12)) ** 4 * np.arange(1, 13)).astype(np.float32)
    chroma[5] = 0.0
    window = features.SMOOTHING
    shares = chroma / np.maximum(chroma.sum(axis=1, keepdims=True), 1e-9)
    for quantised in (False, True):
        level = sum((shares >= s) * 1.0 for s in (0.05, 0.1, 0.2, 0.4)) if quantised else shares
        mean = sum(w * level[4 + i] for i, w in enumerate(window))
        if not quantised:  # of the row that is silent nothing is known
            mean = np.log1p(30 * mean / (window.sum() - window[1]))
        mean = mean - mean.mean()
        out = np.zeros(12, np.float32)
        smooth(chroma, 4, window, quantised, out)
        assert out == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_even_chroma_and_silence_are_not_indexed():
    frames = np.concatenate([np.ones((20, 12)), np.zeros((20, 12))]).astype(np.float32)
    assert not features.smoothed(frames).any()


def test_peak_chroma_finds_a_tone_between_the_bins():
    for pitch in (45.0, 60.37, 81.9):  # 110 Hz to 1850 Hz, off the grid of semitones and bins
        t = np.arange(features.WINDOW) / RATE
        tone = np.sin(2 * np.pi * 440.0 * 2 ** ((pitch - 69) / 12) * t) * np.hanning(features.WINDOW)
        fine = np.zeros(FINE, np.float32)
        spectrum = np.fft.rfft(tone.astype(np.float32))
        low, high = np.float32(60), np.float32(2600)
        bin_hz = np.float32(RATE / features.WINDOW)
        peak_chroma(spectrum, bin_hz, low, high, np.float32(1e-3), np.float32(0.5), fine)
        found = fine.argmax() / 10
        assert abs((found - pitch + 6) % 12 - 6) <= 0.15


def test_fold_follows_the_tuning():
    fine = np.zeros(FINE, np.float32)
    fine[43] = 1.0  # E, 30 cents sharp
    out = np.zeros(12, np.float32)
    fold(fine, 3.0, out)
    assert out[4] == pytest.approx(1.0) and np.delete(out, 4) == pytest.approx(0.0)


def test_query_frames_are_the_frames_of_the_reference(monkeypatch):
    monkeypatch.setattr(features.Tuning, "value", property(lambda self: 0.0))
    audio = piece(1, 8.0)
    audio[RATE * 3 : RATE * 4] = 0.0
    fine = np.zeros((len(audio) // features.HOP, FINE), np.float32)
    chroma, query = features.FineChroma(), features.QueryFrames()
    streamed = []
    for hop, row in zip(Hops(features.HOP).push(audio), fine, strict=True):
        chroma.push(hop, row)
        if query.push(hop):
            streamed.append(query.frame.copy())
    whole, _ = features.reference_frames(fine)
    assert len(streamed) > 30
    assert np.array(streamed).tobytes() == whole[: len(streamed)].tobytes()


def test_frame_time_is_the_centre_of_what_was_heard():
    fine = np.zeros((60, FINE), np.float32)
    chroma = features.FineChroma()
    audio = np.zeros(60 * features.HOP, np.float32)
    t = np.arange(RATE // 5) / RATE
    start = int(3.0 * RATE) - len(t) // 2  # a short tone around 3 s
    audio[start : start + len(t)] = np.sin(2 * np.pi * 440 * t)
    for hop, row in zip(Hops(features.HOP).push(audio), fine, strict=True):
        chroma.push(hop, row)
    loudness = fine.sum(axis=1)
    centre = (loudness * np.arange(60)).sum() / loudness.sum()  # in chroma frames of 0.1 s
    assert features.frame_time(centre / 2) == pytest.approx(3.0, abs=0.06)


def test_spread_is_a_maximum_filter():
    row = np.random.default_rng(2).standard_normal(200).astype(np.float32)
    out = np.zeros_like(row)
    for reach in (1, 7, 28):
        spread(row, reach, out)
        assert np.array_equal(out, maximum_filter1d(row, 2 * reach + 1, mode="constant", cval=-1e30))


def _frames(n: int, seed: int = 0):
    frames = np.random.default_rng(seed).standard_normal((n, 12))
    frames -= frames.mean(axis=1, keepdims=True)
    return features.as_bytes(frames / np.linalg.norm(frames, axis=1, keepdims=True))


def test_peaks_do_not_depend_on_how_many_hops_come_at_once():
    audio = piece(5, 4.0)[: 160 * landmarks.HOP]
    found = []
    for at_once in (1, 8):
        picker = landmarks.Constellation(at_once)
        hops = Hops(landmarks.HOP * at_once).push(audio)
        found.append([(f, steps.tolist()) for hop in hops for f, steps in picker.push(hop)])
    assert len(found[0]) == 160 and sum(len(steps) for _, steps in found[0]) > 20
    assert found[0] == found[1]


def test_scan_against_its_definition():
    lengths = [BLOCK * 2 + 17, 40, 1]
    frames = np.concatenate([_frames(n, n) for n in lengths])
    starts = np.array([0, *np.cumsum(lengths)[:-1]], np.int64)
    queries = _frames(6, 9).astype(np.int16).reshape(3, 2, 12)
    steps = np.array([[0, 1, 2], [1, 1, 3], [2, 1, 0]], np.int64)
    score = np.zeros((6, len(frames)), np.int16)
    best = np.zeros((3, 6), np.int16)
    expected = np.zeros((6, len(frames)))
    prices = np.array([0.0, 0.5, 0.25])
    for u, price in enumerate((-1.0, 0.05, 0.05)):
        law = np.array([2 / 127**2, 0.1, -0.5, 1.5, 0.9, price], np.float32)
        lengths64 = np.array(lengths, np.int64)
        reference = np.ascontiguousarray(frames.T)
        asked = np.ascontiguousarray(queries[u])
        taken_off = (prices * SCALE).astype(np.int16)
        scan(reference, starts, lengths64, asked, steps[u], law, taken_off, score, best)
        before = expected.copy()
        for d, start in enumerate(starts):
            for lane in range(6):
                k, r = divmod(lane, 3)
                old = before[lane, start : start + lengths[d]]
                for m in range(lengths[d]):
                    past = [
                        (old[j] if 0 <= j < lengths[d] else 0.0)
                        for j in (m - steps[u, r], m - steps[u, r] - 1, m - steps[u, r] + 1)
                    ]
                    if price >= 0:
                        past[0] = max(past[0], past[1] - price, past[2] - price)
                    dot = float(queries[u, k].astype(int) @ frames[start + m].astype(int))
                    evidence = min(1.5, max(-0.5, 2 / 127**2 * dot + 0.1))
                    expected[lane, start + m] = max(0.0, 0.9 * past[0] + evidence)
        # Each of the three updates rounds the evidence and what is kept of the past, by a step each.
        assert score / SCALE == pytest.approx(expected, abs=2.5 * (u + 1) / SCALE)
        for d, start in enumerate(starts):
            top = score[:, start : start + lengths[d]].max(axis=1)
            assert np.array_equal(best[d], np.maximum(0, top - np.tile(taken_off, 2)))


def test_unrelated_spread_is_the_deviation_over_all_keys():
    frames = _frames(4000)
    part = Part(np.ascontiguousarray(frames.T), np.array([0]), np.array([4000]))
    query = _frames(1, 5)[0] / 127.0
    rotations = np.concatenate([np.roll(query, k) @ (frames.T / 127.0) for k in range(12)])
    spread_ = np.sqrt(np.abs(np.fft.rfft(query)) ** 2 @ unrelated_spread([part]))
    assert spread_ == pytest.approx(rotations.std(), rel=0.01)


def test_scan_finds_place_key_and_tempo():
    frames = _frames(3000, 3)
    smooth_frames = np.stack([np.convolve(frames[:, c], np.hanning(9), "same") for c in range(12)], axis=1)
    smooth_frames /= np.linalg.norm(smooth_frames, axis=1, keepdims=True)
    part = Part(
        np.ascontiguousarray(features.as_bytes(smooth_frames).T),
        np.array([0, 1000, 2000], np.int64),
        np.array([1000] * 3, np.int64),
    )
    search = Scan([part], keys=(0, 3, -2), law=Law())
    speed = float(search.tempi[3])
    at = 1200.0
    for _ in range(60):
        search.push(np.roll(smooth_frames[round(at)], -2).astype(np.float32))
        at += speed
    scores = search.document_scores()
    peak = search.peak(int(scores.argmax()))
    assert peak.document == 1 and peak.key == -2 and peak.tempo == speed
    assert peak.frame == pytest.approx(at - speed - 1000, abs=1.0)
    near = search.peak_near(1, -2, peak.frame + 5, 10)
    assert near is not None and near.frame == pytest.approx(peak.frame, abs=0.01)
