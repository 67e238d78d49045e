"""Alignment of whole versions: the kernel against the textbook, bounded memory, known warpings, the verb."""

from __future__ import annotations

import csv
import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from apps.cli import main
from nodes.follow.made_up import made_up_notes, made_up_score, play
from nodes.follow.score import load_score
from nodes.sync.align import align, cosine_distance, euclidean_distance
from nodes.sync.features import FRAMES, Features, decaying, features_of_recording, features_of_score, smoothed
from nodes.sync.multiscale import WEIGHTS, factors, refine, warp

RATE = 22050


def textbook(cost):
    """Price of the cheapest path, by the definition."""
    both, first, second = WEIGHTS
    total = np.full(cost.shape, np.inf)
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            c = cost[i, j]
            if i == j == 0:
                total[i, j] = both * c
                continue
            ways = [total[i - 1, j] + first * c] if i else []
            ways += [total[i, j - 1] + second * c] if j else []
            ways += [total[i - 1, j - 1] + both * c] if i and j else []
            total[i, j] = min(ways)
    return total[-1, -1]


def price(cost, path):
    both, first, second = WEIGHTS
    total = both * cost[0, 0]
    for (i, j), (k, l) in pairwise(path):
        total += {(1, 1): both, (1, 0): first, (0, 1): second}[int(k - i), int(l - j)] * cost[k, l]
    return total


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (23, 31)])
def test_the_path_is_the_cheapest(shape):
    cost = np.random.default_rng(3).random(shape).astype(np.float32)
    path, found = warp(cost)
    assert found == pytest.approx(textbook(cost), rel=1e-5)
    assert price(cost, path) == pytest.approx(found, rel=1e-5)
    assert tuple(path[0]) == (0, 0) and tuple(path[-1]) == (shape[0] - 1, shape[1] - 1)


def wandering(frames, seed):
    """Chroma of a chord that changes every half second, and a warped copy with the truth."""
    rng = np.random.default_rng(seed)
    chords = rng.random((frames // 25 + 1, 12)).astype(np.float32) ** 4
    chroma = np.repeat(chords, 25, axis=0)[:frames]
    speed = np.interp(
        np.arange(frames * 2), np.arange(0, frames * 2, 100), rng.uniform(0.6, 1.6, frames // 50)
    )
    place = np.cumsum(speed)
    place = place[place < frames - 1]
    unit = chroma / np.linalg.norm(chroma, axis=1, keepdims=True)
    return unit, unit[place.astype(int)], place


def test_in_small_rectangles_the_path_is_nearly_as_cheap_and_no_rectangle_is_larger():
    a, b, _ = wandering(3000, 1)
    cells, largest = 40_000, 0
    levels = factors(len(a), len(b), cells)
    path = warp(cosine_distance(smoothed(a, levels[0]), smoothed(b, levels[0])))[0]
    for coarse, fine in pairwise(levels):
        x, y = smoothed(a, fine), smoothed(b, fine)

        def cost(i0, i1, j0, j1, x=x, y=y):
            nonlocal largest
            largest = max(largest, (i1 - i0) * (j1 - j0))
            return cosine_distance(x[i0:i1], y[j0:j1])

        path = refine(path, coarse // fine, (len(x), len(y)), cost, cells)
        steps = np.diff(path, axis=0)
        assert set(map(tuple, steps.tolist())) <= {(0, 1), (1, 0), (1, 1)}
    assert largest <= cells
    assert len(levels) > 2 and tuple(path[-1]) == (len(a) - 1, len(b) - 1)
    cost = cosine_distance(smoothed(a, 1), smoothed(b, 1)) + np.float32(0.01)
    anywhere = 2 * float(cost.mean()) * len(path)  # price of a path that knows nothing
    assert price(cost, path) - warp(cost)[1] < 0.02 * anywhere


def test_a_known_warping_and_key_are_found():
    chroma, other, truth = wandering(6000, 2)
    flux = np.maximum(0.0, np.diff(chroma, axis=0, prepend=0))
    rise = np.maximum(0.0, np.diff(other, axis=0, prepend=0))
    a = Features(chroma, decaying(flux.astype(np.float32)), len(chroma) / FRAMES, 0.0)
    b = Features(
        np.roll(other, 3, axis=1),
        np.roll(decaying(rise.astype(np.float32)), 3, axis=1),
        len(other) / FRAMES,
        0.0,
    )
    found = align(a, b, cells=60_000)
    assert found.transposition == 3
    at = found.second_at(truth / FRAMES) * FRAMES
    # Inside a chord nothing tells one frame from the next: the borders do.
    borders = np.flatnonzero(np.diff((truth / 25).astype(int))) + 1
    assert np.median(np.abs(at[borders] - borders)) <= 1.0
    pairs = found.seconds()
    assert (np.diff(pairs, axis=0) > 0).all()


def test_distances_are_those_of_the_definition():
    rng = np.random.default_rng(4)
    a, b = (rng.random((n, 12)).astype(np.float32) for n in (4, 5))
    expected = np.linalg.norm(a[:, None] - b, axis=2)
    np.testing.assert_allclose(euclidean_distance(a, b), expected, atol=1e-3)
    np.testing.assert_allclose(cosine_distance(a, b), 1 - a @ b.T, atol=1e-6)


def test_decaying_onsets_by_hand():
    flux = np.zeros((40, 12), np.float32)
    flux[5, 3], flux[12, 7] = 2.0, 1.0
    out = decaying(flux)
    assert out[5, 3] == pytest.approx(1.0) and out[12, 7] == pytest.approx(0.5)
    assert out[10, 3] == pytest.approx(np.sqrt(0.5)) and out[15, 3] == 0.0 and out[4].max() == 0.0


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The made-up score at its tempo, and slower with a pause before it and 30 cents sharp."""
    folder = tmp_path_factory.mktemp("sync")
    soundfile.write(folder / "a.wav", play(made_up_notes(), RATE, 13.0), RATE)
    slow = made_up_notes(0.8, 1.5)
    slow[:, 1] += 0.3
    soundfile.write(folder / "b.flac", play(slow, RATE, 18.0), RATE)
    soundfile.write(folder / "silence.wav", np.zeros(RATE * 2), RATE)
    return folder


def test_onsets_of_recordings_and_scores_are_where_they_sound(recordings):
    notes = made_up_notes()
    frames = np.unique(np.round(notes[:, 0] * FRAMES).astype(int))
    for features in (
        features_of_recording(recordings / "a.wav"),
        features_of_score(load_score(made_up_score())),
    ):
        strength = features.onsets.max(axis=1)
        rise = np.maximum(0.0, np.diff(strength, prepend=0.0))
        for frame in frames[1:]:
            near = rise[frame - 5 : frame + 6]
            assert abs(int(near.argmax()) - 5) <= 1


def test_two_performances_and_a_score_fall_together(recordings):
    a, b = features_of_recording(recordings / "a.wav"), features_of_recording(recordings / "b.flac")
    assert abs(a.tuning) < 0.03 and b.tuning == pytest.approx(0.3, abs=0.04)
    notes = np.unique(made_up_notes()[:, 0])
    expected = 1.5 + notes / 0.8
    # The attack of the made-up sound is sharper than a piano's: half a window blurs it by a frame.
    for first, least in ((a, 0.01), (features_of_score(load_score(made_up_score())), 0.03)):
        found = align(first, b)
        error = found.second_at(notes) - expected
        assert np.median(np.abs(error)) < least
        assert np.abs(error[1:]).max() < 0.1
        assert found.transposition == 0


def test_the_verb_writes_csv_json_and_a_picture(recordings, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    a, b = str(made_up_score()), str(recordings / "b.flac")
    assert main(["sync", a, b, "--out", str(tmp_path / "o.csv"), "--plot", str(tmp_path / "o.svg")]) == 0
    assert "aligned with" in capsys.readouterr().err
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert list(rows[0]) == ["a_seconds", "b_seconds", "bar", "beat"]
    third = next(row for row in rows if float(row["a_seconds"]) >= 4.0)
    assert int(third["bar"]) == 3 and float(third["b_seconds"]) == pytest.approx(1.5 + 5.0, abs=0.1)
    assert "<svg" in (tmp_path / "o.svg").read_text()
    assert main(["sync", str(recordings / "a.wav"), b, "--out", str(tmp_path / "o.json")]) == 0
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["columns"] == ["a_seconds", "b_seconds"]
    assert document["pairs"][-1][0] == pytest.approx(13.0, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.wav", "b.flac"], "there is no such file"),
        (["silence.wav", "b.flac"], "nothing but silence"),
        (["a.wav", "b.flac", "--out", "o.txt"], "neither .csv nor .json"),
        (["a.wav", "b.flac", "--plot", "o.txt"], "ends in .svg"),
    ],
)
def test_faults_are_one_line(recordings, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(recordings)
    assert main(["sync", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
