"""The shingle network against its definition, and on versions of pieces that it was not trained on."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from nodes.match import features
from nodes.match.shingle_network import CELLS, SECONDS, ShingleNetwork
from nodes.match.shingles import shingles
from tests.benchmarks.match_data import composed


def test_it_is_what_the_weights_say():
    weights = np.load(files("nodes.match") / "shingle_network.npz")
    vectors = np.random.default_rng(0).standard_normal((5, 240)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for vector, found in zip(vectors, ShingleNetwork(12)(vectors), strict=True):
        hidden = weights["first_weight"].astype(float) @ (vector * np.sqrt(20.0)) + weights["first_bias"]
        hidden = np.array([h if h > 0 else np.exp(h) - 1 for h in hidden])
        out = weights["second_weight"][:12].astype(float) @ hidden + weights["second_bias"][:12]
        assert found == pytest.approx(out / np.linalg.norm(out), abs=1e-4)


def test_versions_of_a_piece_come_close():
    noise = np.random.default_rng(5)
    plain, varied = [], []
    for _ in range(40):
        chroma = composed(26.0, noise)
        colour = np.exp(noise.normal(0.0, 0.5, 12))
        at = np.arange(0.0, len(chroma) - 1, noise.uniform(0.9, 1.1)).astype(int)
        for music, out in ((chroma, plain), (chroma[at] * colour, varied)):
            frames = features.smoothed(music.astype(np.float32))
            middle = len(frames) / 2 + SECONDS * features.FRAME_RATE / 2
            out.append(shingles(frames, np.array([middle]), SECONDS * features.FRAME_RATE, CELLS)[0])
    for dimensions, least in ((30, 0.95), (12, 0.85), (6, 0.5)):
        network = ShingleNetwork(dimensions)
        alike = network(np.array(varied)) @ network(np.array(plain)).T
        assert np.mean(alike.argmax(axis=1) == np.arange(40)) >= least
