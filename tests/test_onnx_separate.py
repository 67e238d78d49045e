"""A user's network takes a mix apart: masks and states against numpy, faults in one line."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from engine.errors import FollowspotError
from engine.graph import Graph
from engine.plan import compile_graph
from tests.test_separate import stems
from tests.test_spectral import RATE, noise

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from nodes.separate.made_up_model import made_up_model  # noqa: E402
from nodes.separate.onnx_model import OnnxModel  # noqa: E402
from nodes.separate.onnx_separate import OnnxSeparate  # noqa: E402

PORTS = ("one", "two", "three", "rest")


@pytest.fixture
def path(tmp_path):
    made_up_model(tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_masks_and_states_are_what_the_model_says(path):
    model, mean = OnnxModel(path), np.zeros(513)
    for frame in np.random.default_rng(1).random((5, 513)).astype(np.float32):
        model.magnitude[:] = frame
        model.run()
        mean = 0.9 * mean + 0.1 * frame
        total = mean + frame + 1e-6
        expected = np.stack([mean, frame / 2, frame / 4]) / total
        np.testing.assert_allclose(model.masks, expected, rtol=1e-5)
    model.reset()
    model.run()
    np.testing.assert_allclose(model.masks[0], 0.1 * frame / (1.1 * frame + 1e-6), rtol=1e-5)


def test_stems_are_the_masked_spectrum_and_add_up(path):
    x = noise(30_000, channels=2)
    out, latency = stems(OnnxSeparate(model=str(path)), x, PORTS, quantum=256)
    assert latency == 1024 - 256
    np.testing.assert_allclose(sum(out.values()), x, atol=1e-6)
    # The definition, frame by frame: hop 256 by the metadata, Hann twice, sum of the squares 1.5.
    taper = np.sin(np.pi * np.arange(1024) / 1024) ** 2
    padded, mean = np.pad(x, ((0, 0), (1024 - 256, 1024))), np.zeros(513)
    expected = np.zeros(padded.shape)
    for start in range(0, x.shape[1], 256):
        spectra = np.fft.rfft(padded[:, start : start + 1024] * taper)
        frame = np.sqrt((np.abs(spectra) ** 2).mean(axis=0))
        mean = 0.9 * mean + 0.1 * frame
        mask = mean / (mean + frame + 1e-6)
        expected[:, start : start + 1024] += np.fft.irfft(spectra * mask) * taper / 1.5
    middle = slice(2048, 26_000)
    np.testing.assert_allclose(
        out["one"][:, middle], expected[:, 1024 - 256 :][:, : x.shape[1]][:, middle], atol=2e-5
    )


def broken(path, change):
    """The model with a change, saved again."""
    model = onnx.load(str(path))
    change(model)
    onnx.save(model, str(path))
    return str(path)


def open_shape(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def lost_state(model):
    del model.graph.output[1]


def five_masks(model):
    (concat,) = [node for node in model.graph.node if node.op_type == "Concat"]
    concat.input.extend(["air", "air"])
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5


def another_rate(model):
    onnx.helper.set_model_props(model, {"rate": "16000"})


def no_number(model):
    onnx.helper.set_model_props(model, {"hop": "quick"})


def odd_hop(model):
    onnx.helper.set_model_props(model, {"hop": "300"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (open_shape, "shape of magnitude is open"),
        (lost_state, "2 inputs and 1 outputs"),
        (five_masks, "gives 5 masks"),
        (another_rate, "set engine.rate = 16000"),
        (no_number, "metadata hop is 'quick'"),
        (odd_hop, "does not fit a window of 1024"),
    ],
)
def test_models_of_another_kind_are_refused_in_one_line(path, change, words):
    refused(broken(path, change), words)


def test_files_that_are_no_models_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    refused(str(tmp_path / "text.onnx"), "cannot be read as an ONNX model")
    refused(str(tmp_path / "none.onnx"), "there is no such file")


def refused(model, words):
    graph = Graph(rate=RATE, quantum=256).add("node", OnnxSeparate(model=model)).connect("input", "node")
    with pytest.raises(FollowspotError, match=words) as raised:
        compile_graph(graph)
    assert "\n" not in str(raised.value)


def test_without_the_extra_it_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FollowspotError, match=r"pip install 'followspot\[onnx\]'"):
        OnnxModel(path)
