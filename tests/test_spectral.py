"""Spectral nodes against their textbook definitions, and through their graphs."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import GraphError
from engine.graph import Graph
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.spectral.fft import RealFft
from nodes.spectral.istft import Istft
from nodes.spectral.stft import Stft
from nodes.spectral.tapers import TAPERS, taper

RATE = 44100


def play(graph, signal, *ports):
    """Frames of every port as (times, values), or audio, after `signal` went through the graph."""
    plan = compile_graph(graph)
    runner = Runner(plan, strict=True)
    kept = {port: ([], []) for port in ports}
    signal = np.atleast_2d(np.asarray(signal, np.float32))
    for start in range(0, signal.shape[1] - graph.quantum + 1, graph.quantum):
        runner.tick(np.ascontiguousarray(signal[:, start : start + graph.quantum]))
        for port in ports:
            stream = plan.streams[port]
            if isinstance(stream, np.ndarray):
                kept[port][1].append(stream.copy())
                continue
            for k in range(stream.count):
                kept[port][0].append(stream.time(k))
                kept[port][1].append(stream.slots[k].copy())
    out = []
    for port in ports:
        times, values = kept[port]
        out.append((np.array(times), np.array(values)) if times else np.concatenate(values, axis=1))
    return out


def noise(n, seed=0, channels=1):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, n)).astype(np.float32)


def sine(frequency, seconds, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)


# ---- transform -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [32, 128, 256, 1024, 2048])
def test_real_fft_is_the_discrete_fourier_transform(length):
    x, window = noise(length)[0], taper("hann", length)
    fft = RealFft(length, inverse=True)
    spectrum, magnitude = np.zeros(fft.bins, np.complex64), np.zeros(fft.bins, np.float32)
    fft.forward(x, window, spectrum, magnitude)
    n = np.arange(length)
    expected = np.exp(-2j * np.pi * np.outer(n[: fft.bins], n) / length) @ (x.astype(float) * window)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(spectrum, expected, atol=1e-6 * scale)
    np.testing.assert_allclose(magnitude, np.abs(expected), atol=1e-6 * scale)
    back = np.ones(length, np.float32)
    fft.inverse(spectrum, np.ones(length, np.float32), back)
    np.testing.assert_allclose(back - 1, x * window, atol=1e-6)


@pytest.mark.parametrize("length", [0, 16, 1000, 65536])
def test_real_fft_refuses_other_lengths_and_names_one_that_works(length):
    with pytest.raises(ValueError, match=r"power of two.*take"):
        RealFft(length)


@pytest.mark.parametrize("name", TAPERS)
def test_tapers_are_those_of_scipy(name):
    from scipy.signal import windows

    expected = np.sqrt(windows.hann(512, sym=False)) if name == "sine" else windows.get_window(name, 512)
    np.testing.assert_allclose(taper(name, 512), expected, atol=1e-6)


@pytest.mark.parametrize(("window", "hop"), [(1024, 256), (2048, 441)])
def test_stft_frames_are_windows_centred_at_their_time(window, hop):
    x = noise(RATE)[0]
    graph = Graph().add("stft", Stft(window=window, hop=hop)).connect("input", "stft")
    ((times, spectra),) = play(graph, x, "stft.spectrum")
    padded = np.concatenate([np.zeros(window), x])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    for time, spectrum in zip(times, spectra, strict=True):
        piece = padded[window + time - window // 2 :][:window]
        np.testing.assert_allclose(spectrum, np.fft.rfft(piece * hann), atol=2e-5)


def test_stft_of_two_channels_is_one_of_each():
    x = noise(8192, channels=2)
    graph = Graph(channels=2).add("stft", Stft(window=512, hop=128)).connect("input", "stft")
    ((_, both),) = play(graph, x, "stft.magnitude")
    for c in range(2):
        alone = Graph().add("stft", Stft(window=512, hop=128)).connect("input", "stft")
        ((_, one),) = play(alone, x[c], "stft.magnitude")
        np.testing.assert_array_equal(both[:, c], one)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("quantum", [64, 256, 512])
@pytest.mark.parametrize(
    ("window", "hop", "shape"), [(1024, 256, "hann"), (2048, 512, "sine"), (512, 200, "hann")]
)
def test_istft_gives_back_the_input_at_its_declared_latency(window, hop, shape, quantum, channels):
    graph = Graph(quantum=quantum, channels=channels)
    graph.add("stft", Stft(window=window, hop=hop, taper=shape)).add("istft", Istft(taper=shape))
    graph.connect("input", "stft").connect("stft.spectrum", "istft")
    x = noise(16384, channels=channels)
    (y,) = play(graph, x, "istft.audio")
    latency = compile_graph(graph).formats["istft.audio"].latency
    assert latency == window - np.gcd(hop, quantum)
    np.testing.assert_allclose(y[:, latency:], x[:, : y.shape[1] - latency], atol=3e-6)
    assert not y[:, :latency].any() or np.abs(y[:, :latency]).max() < 1e-6


def test_istft_refuses_magnitudes_and_hops_with_gaps():
    graph = Graph().add("stft", Stft()).add("istft", Istft()).connect("input", "stft")
    with pytest.raises(GraphError, match=r"complex.*Stft\.spectrum"):
        compile_graph(graph.connect("stft.magnitude", "istft"))
    graph = Graph().add("stft", Stft(hop=2048)).add("istft", Istft()).connect("input", "stft")
    with pytest.raises(GraphError, match="half a window or less"):
        compile_graph(graph.connect("stft.spectrum", "istft"))
