"""The second witness against its definition, and what it does to confidence."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nodes.match.hypotheses import ENTER, LEAVE, scan_confidence, seconded_confidence
from nodes.match.witness import PRICE, SPAN, Witness, correlation


def frames(count: int, seed: int):
    """(count, 12) float32 without mean, L2 norm 1."""
    values = np.random.default_rng(seed).standard_normal((count, 12))
    values -= values.mean(axis=1, keepdims=True)
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def in_bytes(values):
    """(12, n) int8, as references are kept."""
    return np.round(values * 127.0).astype(np.int8).T


def test_correlation_is_the_best_of_all_paths():
    music, reference = frames(5, 0), frames(9, 1)
    end, tempo, key, reach = 7.3, 1.22, 4, 1
    lines = [int(np.rint(end - (4 - n) * tempo)) for n in range(5)]

    def alike(n, beside):
        at = lines[n] + beside
        return float(np.roll(music[n], -key) @ reference[at]) if 0 <= at < 9 else 0.0

    paths = [p for p in product((-1, 0, 1), repeat=5) if np.abs(np.diff(p)).max() <= 1]
    totals = [sum(map(alike, range(5), p)) - PRICE * np.abs(np.diff(p)).sum() for p in paths]
    room, slips = np.zeros((2, 2 * reach + 1)), np.zeros((5, 2 * reach + 1), np.int8)
    along = np.zeros((5, 12), np.float32)
    found = correlation(music, in_bytes(reference), key, end, tempo, *room, slips, along)
    assert found == pytest.approx(max(totals) / 5, abs=0.01)
    best = paths[int(np.argmax(totals))]
    on_path = [lines[n] + best[n] for n in range(5)]
    inside = [np.roll(reference[at], key) if 0 <= at < 9 else np.zeros(12) for at in on_path]
    assert along == pytest.approx(np.array(inside), abs=0.01)


def test_the_music_itself_is_alike_in_its_key_and_nothing_else_is():
    reference = frames(300, 2)
    witness = Witness()
    for frame in reference[100:180]:
        witness.push(np.roll(frame, 3))
        witness.push(np.zeros(12, np.float32))  # silence
    assert witness.compare(in_bytes(reference), 3, 179.0, 1.0) == (pytest.approx(1.0, abs=0.01), SPAN)
    assert witness.compare(in_bytes(reference), 2, 179.0, 1.0)[0] < 0.6
    assert witness.compare(in_bytes(frames(300, 3)), 3, 179.0, 1.0)[0] < 0.6


def test_what_was_heard_before_the_reference_begins_is_left_out():
    reference, witness = frames(300, 2), Witness()
    for frame in (*frames(60, 5), *reference[:20]):
        witness.push(frame)
    assert witness.compare(in_bytes(reference), 0, 19.0, 1.0) == (pytest.approx(1.0, abs=0.01), 20)


def test_reset_forgets():
    reference, witness = in_bytes(frames(300, 2)), Witness()
    for frame in frames(80, 5):
        witness.push(frame)
    witness.reset()
    assert witness.compare(reference, 0, 50.0, 1.0) == (0.0, 0)
    fresh = Witness()
    for frame in frames(30, 6):
        witness.push(frame)
        fresh.push(frame)
    assert witness.compare(reference, 0, 50.0, 1.0) == fresh.compare(reference, 0, 50.0, 1.0)


def test_neither_witness_is_believed_alone():
    assert scan_confidence(40.0, 20.0) > ENTER
    assert seconded_confidence(40.0, 20.0, 0.7, 1.0) < ENTER  # a lead, but unlike
    assert seconded_confidence(23.0, 20.0, 0.99, 1.0) < ENTER  # alike, but so is the rival
    assert seconded_confidence(29.0, 20.0, 0.9, 1.0) > ENTER > scan_confidence(29.0, 20.0)
    assert LEAVE < seconded_confidence(29.0, 20.0, 0.4, 0.0) < ENTER  # nothing was compared
    assert seconded_confidence(33.0, 20.0, 0.7, 1.0) < LEAVE < seconded_confidence(33.0, 20.0, 0.7, 1.0, 5.0)
