"""The best path that may jump, against the textbook's Viterbi, and how soon it follows a jump."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.match.path import JUMP, LEAST, SLIP, BestPath
from nodes.match.updates import TEMPI, Law, Updates


def frames(count: int, seed: int):
    """(count, 12) float32 without mean, L2 norm 1."""
    values = np.random.default_rng(seed).standard_normal((count, 12))
    values -= values.mean(axis=1, keepdims=True)
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def path_over(reference, frame: float, reach: int = 1) -> BestPath:
    in_bytes = np.round(reference * 127.0).astype(np.int8).T
    return BestPath(in_bytes, len(TEMPI), frame, reach)


def updates() -> Updates:
    return Updates((0,), TEMPI, Law(), np.ones(7))


def by_textbook(music, reference, frame: int, reach: int) -> list[int]:
    """Where the best path ends after every frame: all states, all transitions."""
    places = np.arange(len(reference))
    scores = np.where(np.abs(places - frame) <= reach, 0.0, -JUMP) * np.ones((len(TEMPI), 1))
    asked, ends = updates(), []
    for query in music:
        now = asked.of(query)
        likeness = now.weight * np.maximum(reference @ query, LEAST)
        moved = np.full_like(scores, scores.max() - JUMP)
        for lane, step in enumerate(now.steps):
            for slip, price in ((0, 0.0), (-1, SLIP), (1, SLIP)):
                back = places - step + slip
                inside = (back >= 0) & (back < len(reference))
                moved[lane, inside] = np.maximum(moved[lane, inside], scores[lane, back[inside]] - price)
        scores = moved + likeness
        ends.append(int(scores.argmax()) % len(reference))
    return ends


def test_path_is_the_textbooks():
    reference = frames(40, 1)
    music = np.concatenate([reference[5:17], reference[27:36]]) + 0.15 * frames(21, 2)
    music = (music / np.linalg.norm(music, axis=1, keepdims=True)).astype(np.float32)
    path, asked = path_over(reference, 4), updates()
    found = []
    for query in music:
        path.advance(asked.of(query))
        found.append(path.frame)
    assert found == by_textbook(music, reference, 4, 1)


@pytest.mark.parametrize("before", [20, 400])
def test_a_jump_is_followed_as_soon_however_long_it_was_right(before):
    reference = frames(600, 3)
    path, asked = path_over(reference, 0), updates()
    for query in reference[:before]:
        path.advance(asked.of(query))
    assert path.frame == before - 1
    right = []
    for at in range(500, 520):
        path.advance(asked.of(reference[at]))
        right.append(path.frame == at)
    assert right.index(True) <= 4 and all(right[4:])


def test_one_frame_that_does_not_fit_is_no_jump():
    reference = frames(100, 5)
    music = reference[10:50].copy()
    music[20] = reference[80]
    path, asked = path_over(reference, 9), updates()
    for n, query in enumerate(music):
        path.advance(asked.of(query))
        assert abs(path.frame - (10 + n)) <= 1
