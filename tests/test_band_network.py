"""The separation's network against its textbook definition in numpy."""

from __future__ import annotations

import numpy as np

from nodes.separate.bands import BANDS, pooling_over, spreading
from nodes.separate.drum_kernels import REPEATING, REPEATS, apply_gains, band_evidence, drum_gains
from nodes.separate.evidence import Evidence
from nodes.separate.fusion_kernels import answer_masks
from nodes.separate.gain_kernels import ANSWERS, INPUTS, LEANS
from nodes.separate.gains import BandGains, Weights, gain_weights

FRAME_RATE = 44100 / 512


def made_up(units: int, rng: np.random.Generator) -> Weights:
    shapes = [
        (BANDS * INPUTS, units), (units,), (units, 3 * units), (units, 3 * units), (3 * units,), (3 * units,),
        (units, ANSWERS * BANDS), (ANSWERS, INPUTS, BANDS),
    ]  # fmt: skip
    return Weights(*(rng.normal(0, 0.2, shape).astype(np.float32) for shape in shapes))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_network_is_a_gru_beside_a_linear_map():
    rng = np.random.default_rng(1)
    w, frames = made_up(7, rng), rng.random((20, 3, BANDS)).astype(np.float32)
    gains, hidden = BandGains(w, FRAME_RATE), np.zeros(7)
    means, before = np.zeros((3, BANDS)), np.zeros(BANDS)
    fast, slow = (1 - np.exp(-1 / (seconds * FRAME_RATE)) for seconds in (0.25, 1.5))
    for level, percussive, repeats in frames:
        shares = 2 * np.array([percussive, repeats]) - 1
        means[:2] += fast * (shares - means[:2])
        x = np.stack(
            [np.ones(BANDS), level / 4, (level - means[2]) / 2, (level - before) / 2, *shares, *means[:2]], 1
        )
        means[2] += slow * (level - means[2])
        before = level
        now = x.ravel() @ w.first + w.first_bias
        now = np.where(now > 0, now, 0.1 * now)
        new, old = np.split(now @ w.fresh + w.fresh_bias, 3), np.split(hidden @ w.kept + w.kept_bias, 3)
        keep = sigmoid(new[1] + old[1])
        candidate = np.tanh(new[2] + sigmoid(new[0] + old[0]) * old[2])
        hidden = keep * hidden + (1 - keep) * candidate
        expected = (hidden @ w.last).reshape(ANSWERS, BANDS) + np.einsum("kib,bi->kb", w.own, x)
        heard = gains.step(np.stack([level, percussive, repeats]).astype(np.float32))
        np.testing.assert_allclose(heard, expected, atol=2e-4)


def test_masks_are_the_softmax_of_the_leaning_logits():
    rng = np.random.default_rng(2)
    answers = rng.normal(size=(ANSWERS, BANDS)).astype(np.float32)
    leans = rng.normal(size=(3, 513)).astype(np.float32)
    lower, share = spreading(1024, 44100)
    masks = np.zeros((3, 513), np.float32)
    answer_masks(answers, lower, share, *leans, masks)
    between = answers[:, lower] * (1 - share) + answers[:, lower + 1] * share
    logits = np.array([row[0] + (row[1:] * leans).sum(axis=0) for row in np.split(between, 12 // LEANS)])
    odds = np.exp(np.concatenate([logits, np.zeros((1, 513))]))
    np.testing.assert_allclose(masks, (odds / odds.sum(axis=0))[:3], atol=1e-5)


def test_what_is_heard_does_not_depend_on_the_level():
    rng = np.random.default_rng(3)
    frames = rng.random((50, 513)).astype(np.float32) ** 4
    answers = []
    for scale in (1.0, 1e-4):
        evidence, gains = Evidence(1024, 512, 44100), BandGains(gain_weights("stage"), FRAME_RATE)
        for frame in frames:
            evidence.step(frame * np.float32(scale))
            heard = gains.step(evidence.bands)
        answers.append(heard.copy())
    np.testing.assert_allclose(*answers, atol=1e-2)


def test_fresh_is_what_is_above_the_mean_of_the_bin():
    evidence = Evidence(1024, 512, 44100)
    frame = np.full(513, 0.01, np.float32)
    for _ in range(400):
        evidence.step(frame)
    np.testing.assert_allclose(evidence.fresh, 0.0, atol=0.01)
    frame[100] = 1.0
    evidence.step(frame)
    assert abs(evidence.fresh[100] - np.log(100)) < 0.01
    assert abs(evidence.fresh[200]) < 0.01


def test_gains_of_the_drums_are_the_softmax_of_whole_bands():
    rng = np.random.default_rng(5)
    answers = rng.normal(size=(ANSWERS, BANDS)).astype(np.float32)
    ratios = rng.normal(size=(2, BANDS)).astype(np.float32)
    gains = np.zeros(BANDS, np.float32)
    drum_gains(answers, ratios, gains)
    own, *slopes = answers.reshape(3, LEANS, BANDS).transpose(1, 0, 2)
    logits = own + slopes[0] * ratios[0] + slopes[1] * REPEATS + slopes[2] * ratios[1]
    np.testing.assert_allclose(gains, np.exp(logits[0]) / (1 + np.exp(logits).sum(0)), rtol=1e-5)
    lower, share = spreading(2048, 44100)
    magnitude = rng.random(1025).astype(np.float32)
    drums = np.zeros(1025, np.float32)
    apply_gains(magnitude, gains, lower, share, drums)
    between = gains[lower] * (1 - share) + gains[lower + 1] * share
    np.testing.assert_allclose(drums, magnitude * between, rtol=1e-5)


def test_evidence_of_bands_is_its_definition():
    rng = np.random.default_rng(6)
    frequency = np.r_[np.arange(0, 4000, 21.5), np.arange(4000, 20000, 86.0)]
    power, harmonic, percussive = rng.random((3, len(frequency))).astype(np.float32)
    usual = rng.random(BANDS).astype(np.float32)
    before = usual.copy()
    first, count, weights = pooling_over(frequency)
    bands, ratios = np.zeros((3, BANDS), np.float32), np.zeros((2, BANDS), np.float32)
    band_evidence(
        power, harmonic, percussive, first, count, weights, 0.5, 0.1, usual, bands, ratios
    )  # fmt: skip
    pool = np.zeros((BANDS, len(frequency)))
    for row, at, size, weight in zip(pool, first, count, weights, strict=True):
        row[at : at + size] = weight[:size]
    np.testing.assert_allclose(pool.sum(1), 1, rtol=1e-5)
    total = pool @ power
    share = pool @ (power * percussive / (percussive + harmonic)) / total
    np.testing.assert_allclose(bands[0], np.log(total / 0.5), atol=2e-3)
    np.testing.assert_allclose(bands[1], share, atol=2e-3)
    np.testing.assert_array_equal(bands[2], REPEATING)
    np.testing.assert_allclose(ratios[0], np.log(share / (1 - share)), atol=5e-3)
    np.testing.assert_allclose(ratios[1], np.log(total / before), atol=5e-3)
    np.testing.assert_allclose(usual, before + 0.1 * (total - before), rtol=1e-3)
