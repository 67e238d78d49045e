"""Shingles, nearest neighbours, and the gated scan against definitions and against the whole scan."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.match import features
from nodes.match.gate import KINDS, Gate, indexed
from nodes.match.layers import Layers
from nodes.match.matcher import KEYS
from nodes.match.neighbours import METHODS, Hnsw, Reranked, neighbours
from nodes.match.pool import Pool
from nodes.match.scan import Part, Scan, unrelated_spread
from nodes.match.shingles import principal, shingles, time_pitch
from nodes.match.updates import TEMPI


def smooth_frames(n: int, seed: int):
    """(n, 12) of norm 1 that change as slowly as smoothed chroma."""
    frames = np.random.default_rng(seed).standard_normal((n, 12))
    frames = np.stack([np.convolve(frames[:, c], np.hanning(7), "same") for c in range(12)], axis=1)
    frames -= frames.mean(axis=1, keepdims=True)
    return (frames / np.linalg.norm(frames, axis=1, keepdims=True)).astype(np.float32)


def test_shingles_against_their_definition():
    frames = smooth_frames(40, 0)
    found = shingles(frames, np.array([12.0, 40.0, 11.0, 41.0]), 12.0, 4)
    for vector, end in zip(found[:2], (12, 40), strict=True):
        cells = np.stack([frames[end - 12 + 3 * c : end - 9 + 3 * c].mean(axis=0) for c in range(4)]).ravel()
        assert vector == pytest.approx(cells / np.linalg.norm(cells), abs=1e-5)
    assert not found[2:].any()  # not inside the music
    half = shingles(frames, np.array([20.5]), 6.0, 2)[0].reshape(2, 12)  # edges between frames
    late = (0.5 * frames[17] + frames[18] + frames[19] + 0.5 * frames[20]) / 3
    assert half[1] / np.linalg.norm(half[1]) == pytest.approx(late / np.linalg.norm(late), abs=1e-5)
    frames[5:] = 0.0
    assert not shingles(frames, np.array([30.0]), 12.0, 4).any()


def test_bytes_and_floats_give_the_same_shingles():
    frames = smooth_frames(60, 1)
    ends = np.array([20.0, 33.3])
    assert shingles(features.as_bytes(frames), ends, 20.0, 4) == pytest.approx(
        shingles(frames, ends, 20.0, 4), abs=0.01
    )


def test_projections():
    vectors = np.random.default_rng(3).standard_normal((500, 24)).astype(np.float32) @ np.diag(
        np.arange(24, 0, -1)
    ).astype(np.float32)
    away = vectors - vectors.mean(axis=0)
    _, _, rows = np.linalg.svd(away, full_matrices=False)
    expected = np.abs(away @ rows[:5].T)
    assert np.abs(principal(vectors, 5)(vectors)) == pytest.approx(expected, abs=1e-2)
    axes = time_pitch(4, 4).axes
    assert axes @ axes.T == pytest.approx(np.eye(44), abs=1e-6)
    assert axes @ np.tile(np.ones(12), 4) == pytest.approx(np.zeros(44), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_neighbours(method):
    if method == "hnsw":
        pytest.importorskip("faiss")
    noise = np.random.default_rng(5)
    vectors = noise.standard_normal((3000, 8)).astype(np.float32)
    queries = noise.standard_normal((20, 8)).astype(np.float32)
    squares = ((queries[:, None] - vectors[None]) ** 2).sum(axis=2)
    true = np.argsort(squares, axis=1)[:, :10]
    numbers, distances = neighbours(method, vectors).search(queries, 10)
    share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(numbers, true, strict=True)])
    assert share == 1.0 if method != "hnsw" else share > 0.9
    assert distances == pytest.approx(np.take_along_axis(squares, numbers, axis=1), abs=1e-3)


def test_candidates_of_few_dimensions_are_compared_in_all():
    pytest.importorskip("faiss")
    noise = np.random.default_rng(6)
    vectors = (noise.standard_normal((3000, 40)) * 0.8 ** np.arange(40)).astype(np.float32)
    queries = vectors[:20] + np.float32(0.02) * noise.standard_normal((20, 40)).astype(np.float32)
    true, squares = neighbours("exact", vectors).search(queries, 10)
    projection = principal(vectors, 6)
    graph = Hnsw(projection(vectors), candidates=80, coarse=True)
    numbers, distances = Reranked(vectors, projection, graph).search(queries, 10)
    share = [len(set(a) & set(b)) / 10 for a, b in zip(numbers, true, strict=True)]
    alone = [
        len(set(a) & set(b)) / 10 for a, b in zip(graph.search(projection(queries), 10)[0], true, strict=True)
    ]
    assert np.mean(share) > 0.95 > 0.8 > np.mean(alone)
    assert distances[:, 0] == pytest.approx(squares[:, 0], abs=1e-4) and (np.diff(distances) >= 0).all()


@pytest.mark.parametrize("method", ["exact", "kdtree"])
def test_the_gated_scan_finds_what_the_whole_scan_finds(method):
    """And so does one that is gated in all keys but the written one."""
    documents = [features.as_bytes(smooth_frames(n, n)) for n in (700, 300, 900, 10)]
    lengths = np.array([len(d) for d in documents], np.int64)
    frames = np.ascontiguousarray(np.concatenate(documents).T)
    part = Part(frames, np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64), lengths)
    vectors = [indexed(d) for d in documents]
    counts = np.array([len(v) for v in vectors])
    gate = Gate([np.concatenate(vectors)], [counts], KEYS, TEMPI, method, count=4)
    whole = Scan([part], KEYS)
    pool = Pool(lambda n: np.ascontiguousarray(documents[n].T), unrelated_spread([part]), KEYS, gate)
    gate = Gate([np.concatenate(vectors)], [counts], KEYS[1:], TEMPI, method, count=4)
    others = Pool(lambda n: np.ascontiguousarray(documents[n].T), unrelated_spread([part]), KEYS[1:], gate)
    layers = Layers(Scan([part], KEYS[:1]), others)
    for _ in range(2):  # the second time after a reset
        searches = (pool, whole, layers)
        for search in searches:
            search.reset()
        for frame in documents[2][400:460].astype(np.float32) / 127.0:
            for search in searches:
                search.push(np.roll(frame, 3))
        found, true, layered = (s.peak(int(s.document_scores().argmax())) for s in searches)
        assert layered == found and layers.peak_near(2, 3, found.frame, 5) == found
        assert 0.0 < layers.rival(found) <= whole.rival(true)
        assert (found.document, found.key) == (true.document, true.key) == (2, 3)
        assert found.frame == pytest.approx(true.frame, abs=0.5) == pytest.approx(459, abs=1.0)
        # What came before the newcomer was let in is made up for, but for the oldest.
        assert found.score > 0.7 * true.score
        assert pool.peak_near(2, 3, found.frame + 4, 10) == found
        assert pool.peak_near(3, 4, 5.0, 10) is None  # too short for the gate


@pytest.mark.parametrize("name", list(KINDS))
def test_both_kinds_of_shingle_propose_the_document_and_its_key(name):
    kind = KINDS[name]
    documents = [features.as_bytes(smooth_frames(n, n)) for n in (400, 300, 500, 50)]
    vectors = [indexed(document, kind) for document in documents]
    assert {v.shape[1] for v in vectors} == {kind.dimensions}
    gate = Gate(
        [np.concatenate(vectors)], [np.array([len(v) for v in vectors])], KEYS, TEMPI, count=1, kind=kind
    )
    proposed = []
    for frame in documents[2][150:300].astype(np.float32) / 127.0:
        proposed = gate.push(np.roll(frame, 3)) or proposed
    assert proposed == [(2, KEYS.index(3))]
