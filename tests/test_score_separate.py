"""Parts by the score: a duet whose parts are known, the model against its dense definition, faults."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import FollowspotError
from engine.graph import Graph
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.follow.follower import ScoreFollower
from nodes.follow.made_up import BASS, MELODY, QUARTER, made_up_choir, made_up_score, play
from nodes.separate.minus_one import MinusOne
from nodes.separate.part_sounds import MOST, PARTIALS
from nodes.separate.partials_kernels import FLOOR, REACH, STIFFNESS, explain, place, sounding
from nodes.separate.score_separate import ScoreSeparate

RATE, QUANTUM = 44100, 512
STEMS = tuple(ScoreSeparate.outputs)


def run(node, sound, outputs):
    """Outputs (samples,) of a node behind a follower of the same score, without the declared latency."""
    graph = Graph(rate=RATE, quantum=QUANTUM).add("follower", ScoreFollower(reference=node.reference))
    graph.add("node", node).connect("input.audio", "follower").connect("input.audio", "node.audio")
    plan = compile_graph(graph.connect("follower.position", "node.position"))
    runner, latency = Runner(plan, strict=True), plan.formats[f"node.{outputs[0]}"].latency
    padded = np.pad(sound, (0, latency + -(len(sound) + latency) % QUANTUM))[None]
    kept = []
    for start in range(0, padded.shape[1], QUANTUM):
        runner.tick(np.ascontiguousarray(padded[:, start : start + QUANTUM]))
        kept.append([plan.streams[f"node.{name}"][0].copy() for name in outputs])
    plan.release()
    whole = np.concatenate(kept, axis=1)[:, latency : latency + len(sound)]
    return dict(zip(outputs, whole, strict=True)), latency + QUANTUM


@pytest.fixture(scope="module")
def duet():
    """Melody and bass of the made-up score, 45 and 35 cents sharp, at 0.9 of its tempo."""
    melody = [(0.2 + k * QUARTER / 0.9, pitch + 0.45) for k, pitch in enumerate(MELODY[:14])]
    bass = [(0.2 + 4 * k * QUARTER / 0.9, pitch + 0.35) for k, pitch in enumerate(BASS[:4])]
    return play(melody, RATE, 8.0), 2.0 * play(bass, RATE, 8.0)


def distortion(truth, heard):
    """Signal over distortion, dB."""
    return 10 * np.log10((truth**2).sum() / ((truth - heard) ** 2).sum())


def test_parts_come_apart_and_add_up(duet):
    melody, bass = duet
    out, latency = run(ScoreSeparate(reference=str(made_up_score())), melody + bass, STEMS)
    assert latency == 4096
    assert distortion(melody, out["one"]) > 9 and distortion(bass, out["two"]) > 9
    assert not any(out[name].any() for name in ("three", "four", "five", "six"))
    np.testing.assert_allclose(sum(out.values()), melody + bass, atol=1e-6)


def test_minus_one_is_the_ensemble_without_the_part(duet):
    melody, bass = duet
    node = MinusOne(reference=str(made_up_score()), part=2, mode="studio")
    out, latency = run(node, melody + bass, ("solo", "minus_one"))
    assert latency == 2048
    assert distortion(bass, out["solo"]) > 8 and distortion(melody, out["minus_one"]) > 8
    np.testing.assert_allclose(out["solo"] + out["minus_one"], melody + bass, atol=1e-6)


def test_before_the_music_begins_all_is_rest():
    hum = 1e-5 * np.sin(2 * np.pi * 523.25 * np.arange(RATE) / RATE).astype(np.float32)
    out, _ = run(ScoreSeparate(reference=str(made_up_score())), hum, STEMS)
    np.testing.assert_allclose(out["rest"], hum, atol=1e-9)


def test_the_notes_of_a_moment():
    onset, end = np.array([0.0, 0.0, 1.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0, 2.0, 3.0])
    part, pitch = np.array([0, 1, 0, 1, 0]), np.array([60, 48, 60, 50, 62])
    notes = np.zeros((MOST, 2), np.int64)

    def at(seconds):
        count = sounding(onset, end, part, pitch, seconds, 0.08, 0.1, notes)
        return {tuple(row) for row in notes[:count].tolist()}, count

    assert at(0.5) == ({(0, 60), (1, 48)}, 2)
    assert at(0.95) == ({(0, 60), (1, 48), (1, 50)}, 3)  # a pitch that is struck again counts once
    assert at(3.2) == (set(), 0)


def test_the_model_is_that_of_its_definition():
    """Dense numpy, one matrix of lobes, against the kernels that only touch what a partial reaches."""
    notes = np.zeros((MOST, 2), np.int64)
    notes[:2] = (0, 60), (1, 67)
    cents = np.zeros((2, 128))
    partials, first = np.zeros(MOST, np.int64), np.zeros((MOST, PARTIALS), np.int64)
    lobes, weight = np.zeros((MOST, PARTIALS, 2 * REACH + 1)), np.zeros((MOST, PARTIALS))
    place(2048 / RATE, 1025, notes, 2, cents, partials, first, lobes, weight)
    rng = np.random.default_rng(7)
    magnitude, expected = rng.random(1025).astype(np.float32), np.zeros((MOST, PARTIALS))
    expected[:2] = rng.dirichlet(np.ones(PARTIALS), 2)
    amplitude, level, model = np.zeros((MOST, PARTIALS)), np.zeros(MOST), np.zeros(1025)
    floor = explain(
        magnitude, 3, 2, partials, first, lobes, weight, expected, amplitude, level, model
    )  # fmt: skip

    window = np.hanning(2049)[:-1]
    tone = window * np.cos(2 * np.pi * 440 * 2 ** (-9 / 12) * 2 * np.arange(2048) / RATE)
    spectrum = np.abs(np.fft.rfft(tone))
    near = slice(first[0, 1], first[0, 1] + 2 * REACH + 1)
    np.testing.assert_allclose(lobes[0, 1], spectrum[near] / (window.sum() / 2), atol=0.03)

    rows = [(n, h) for n in range(2) for h in range(partials[n])]
    dense = np.zeros((1025, len(rows)))
    for column, (n, h) in enumerate(rows):
        dense[first[n, h] : first[n, h] + 2 * REACH + 1, column] = lobes[n, h]
    owner, hoped = np.array([n for n, _ in rows]), np.array([expected[row] for row in rows])
    heard = magnitude.astype(np.float64)
    assert floor == pytest.approx(FLOOR * heard.mean())
    levels = np.full(2, heard.sum() / 2)
    a = 0.5 * levels[owner] * hoped
    for _ in range(3):
        fit = dense.T @ (heard / (dense @ a + floor))
        a = (a * fit + STIFFNESS * levels[owner] * hoped) / (dense.sum(axis=0) + STIFFNESS)
        levels = np.array([a[owner == n].sum() for n in range(2)])
    np.testing.assert_allclose([amplitude[row] for row in rows], a, rtol=1e-9)
    np.testing.assert_allclose(model, dense @ a + floor, rtol=1e-9)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (ScoreSeparate(), "no score given"),
        (ScoreSeparate(reference="none.mid"), "there is no such file"),
        (MinusOne(reference=str(made_up_choir()), part=7), "no part 7; set part to one of: 1 voice 72"),
    ],
)
def test_faults_are_said(node, message):
    graph = Graph(rate=RATE, quantum=QUANTUM).add("node", node)
    graph.add("follower", ScoreFollower(reference=str(made_up_choir())))
    graph.connect("input.audio", "follower").connect("input.audio", "node.audio")
    with pytest.raises(FollowspotError, match=message):
        compile_graph(graph.connect("follower.position", "node.position"))
