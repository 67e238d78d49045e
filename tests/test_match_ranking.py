"""What decides between documents of nearly the same evidence."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.match.features import as_bytes
from nodes.match.ranking import ABSENT, best_peak, courses, extra
from nodes.match.scan import Scan
from nodes.match.witness import Witness
from tests.benchmarks.match_data import part_of


def normal(values):
    """Frames (n, 12) float32 without mean, L2 norm 1."""
    values = values - values.mean(axis=1, keepdims=True)
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_courses_are_correlations_over_time_and_deaf_to_what_stays():
    noise = np.random.default_rng(1)
    music, along = noise.standard_normal((2, 40, 12)).astype(np.float32)
    each = [np.corrcoef(music[:, c], along[:, c])[0, 1] for c in range(12)]
    assert courses(music, along) == pytest.approx(np.average(each, weights=along.std(axis=0)), abs=1e-5)
    static = noise.standard_normal(12).astype(np.float32)
    assert courses(music + static, along) == pytest.approx(courses(music, along), abs=1e-5)
    assert courses(music, music) == pytest.approx(1.0)
    assert courses(np.zeros_like(music), along) == 0.0


def test_extra_is_what_the_reference_does_not_have():
    noise = np.random.default_rng(3)
    music, along = normal(noise.standard_normal((40, 12))), normal(noise.standard_normal((40, 12)))
    total = np.where(along < ABSENT, np.maximum(music, 0.0), 0.0).sum() / 40
    assert extra(music, along) == pytest.approx(total, abs=1e-5)
    assert extra(music, music) == 0.0
    assert extra(music[:0], along[:0]) == 0.0


def test_what_stays_all_the_time_is_no_reason_for_a_document():
    """The colour of the music is that of another document; what happens in it is what happens in its own."""
    noise = np.random.default_rng(2)
    own, other, third = noise.standard_normal((3, 300, 12))
    colour = 2.0 * noise.standard_normal(12)
    documents = [normal(own), normal(other + colour), normal(third)]
    scan, witness = Scan([part_of([as_bytes(document) for document in documents])]), Witness()
    assert best_peak(scan, witness) is None
    for frame in normal(own[100:150] + 0.8 * colour):
        scan.push(frame)
        witness.push(frame)
    assert scan.document_scores().argmax() == 1
    assert best_peak(scan, witness).document == 0
