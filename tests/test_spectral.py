"""Spectral nodes against their textbook definitions, and through their graphs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.errors import GraphError
from engine.graph import Graph
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.spectral.bands import Bands
from nodes.spectral.chroma import Chroma
from nodes.spectral.fft import RealFft
from nodes.spectral.istft import Istft
from nodes.spectral.level import Level
from nodes.spectral.novelty import Novelty
from nodes.spectral.silence import Silence
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


@pytest.mark.parametrize("length", [32, 1024, 2048])
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


# ---- features --------------------------------------------------------------------------------------


def stft_then(node, window=2048, hop=512, port="magnitude"):
    graph = Graph().add("stft", Stft(window=window, hop=hop)).add("node", node)
    return graph.connect("input", "stft").connect("stft.magnitude", f"node.{port}")


def test_bands_are_weighted_means_over_triangles_in_pitch():
    x = noise(RATE)[0]
    graph = stft_then(Bands(per_octave=3, low=200.0, high=6400.0))
    (_, magnitudes), (_, bands) = play(graph, x, "stft.magnitude", "node.bands")
    f = np.arange(0, RATE / 2, 0.5)
    width = RATE / 2048
    at = np.clip(np.round(f / width).astype(int), 0, 1024)
    for b in range(1, 15):
        centre = 200 * 2 ** (b / 3)
        left, right = centre * 2 ** (-1 / 3), centre * 2 ** (1 / 3)
        weight = np.interp(f, [left, centre, right], [0, 1, 0])
        expected = (weight * magnitudes[20][at]).sum() / weight.sum()
        assert bands[20][b] == pytest.approx(expected, rel=0.01)
    assert compile_graph(graph).formats["node.bands"].labels[3] == pytest.approx(400)


def test_low_bands_are_never_empty_and_a_tone_peaks_in_its_band():
    graph = stft_then(Bands())
    labels = np.array(compile_graph(graph).formats["node.bands"].labels)
    ((_, white),) = play(graph, noise(RATE)[0], "node.bands")
    assert (white[10:] > 0).all()
    for frequency in labels[[24, 40, 60, 80]]:
        ((_, bands),) = play(stft_then(Bands()), sine(frequency, 0.5), "node.bands")
        assert abs(np.argmax(bands[-1]) - np.argmin(np.abs(labels - frequency))) <= 1


def test_bands_refuse_what_is_no_spectrum_of_one_channel():
    graph = Graph(channels=2).add("stft", Stft()).add("node", Bands()).connect("input", "stft")
    with pytest.raises(GraphError, match="one channel"):
        compile_graph(graph.connect("stft.magnitude", "node"))


def test_novelty_is_the_flux_of_the_compressed_spectrum_less_its_local_average():
    x = noise(RATE)[0] * np.repeat(np.random.default_rng(1).uniform(0, 1, 20), RATE // 20)
    gamma, seconds = 100.0, 0.2
    graph = stft_then(Novelty(compression=gamma, average=seconds), hop=441)
    (_, magnitudes), (_, bands), (_, novelty) = play(graph, x, "stft.magnitude", "node.bands", "node.novelty")
    y = np.log(1 + gamma * magnitudes * 4 / 2048)
    rise = np.maximum(0, np.diff(y, axis=0, prepend=y[:1]))
    f = np.arange(1025) * RATE / 2048
    edges = [1, *(np.searchsorted(f, edge) for edge in (200, 500, 1250, 3125, 7812.5)), 1025]
    flux = np.stack([rise[:, a:b].mean(axis=1) for a, b in pairwise(edges)], axis=1)
    m = round(seconds * RATE / 441)
    padded = np.concatenate([np.zeros((m, 6)), flux])
    average = np.stack([padded[n : n + m].mean(axis=0) for n in range(len(flux))])
    expected = np.maximum(0, flux - average)
    np.testing.assert_allclose(bands, expected, atol=1e-5)
    np.testing.assert_allclose(novelty, expected.mean(axis=1), atol=1e-5)


def test_novelty_peaks_at_each_stroke():
    x = 0.001 * noise(2 * RATE)[0]
    strokes = (np.array([0.5, 0.9, 1.4]) * RATE).astype(int)
    for s in strokes:
        x[s : s + 2000] += 0.5 * noise(2000, seed=3)[0] * np.exp(-np.arange(2000) / 500)
    ((times, novelty),) = play(stft_then(Novelty(), window=1024, hop=256), x, "node.novelty")
    for s in strokes:
        near = np.abs(times - s) < 4000
        assert abs(times[near][np.argmax(novelty[near])] - s) <= 512


def chroma_of(frequencies, seconds=1.5, **params):
    x = sum(sine(f, seconds, 0.2) for f in frequencies)
    chroma, tuning = play(stft_then(Chroma(**params), window=4096), x, "node.chroma", "node.tuning")
    return chroma[1][-1], tuning[1][-1]


@pytest.mark.parametrize("cents", [-35, 0, 20, 40])
def test_chroma_of_a_chord_in_any_tuning(cents):
    """C major: three equal entries, and the tuning found."""
    tones = 440.0 * 2 ** ((np.array([60, 64, 67]) - 69) / 12 + cents / 1200)
    chroma, tuning = chroma_of(tones)
    assert tuning == pytest.approx(cents, abs=3)
    assert set(np.argsort(chroma)[-3:]) == {0, 4, 7}
    np.testing.assert_allclose(chroma[[0, 4, 7]], 1 / np.sqrt(3), atol=0.04)
    assert np.linalg.norm(chroma) == pytest.approx(1, abs=1e-5)


def test_chroma_without_following_splits_a_quarter_tone_between_neighbours():
    chroma, tuning = chroma_of([440 * 2 ** (0.5 / 12)], follow_tuning=False, norm="sum")
    assert tuning == 0
    np.testing.assert_allclose(chroma[[9, 10]], 0.5, atol=0.03)


def test_chroma_compression_and_norms():
    """log(1 + gamma a) of two tones; amplitudes 0.4 and 0.04."""
    x = sine(440, 1.0, 0.4) + sine(440 * 2 ** (3 / 12), 1.0, 0.04)
    expected = np.log(1 + 50 * np.array([0.4, 0.04]))
    for norm, size in (("none", 1), ("max", expected[0]), ("sum", expected.sum())):
        graph = stft_then(Chroma(compression=50.0, norm=norm), window=4096)
        ((_, chroma),) = play(graph, x, "node.chroma")
        np.testing.assert_allclose(chroma[-1][[9, 0]], expected / size, rtol=0.03)


def test_chroma_of_silence_is_zero_and_leaves_the_tuning():
    x = np.concatenate([sine(440 * 2 ** (0.3 / 12), 1.0), np.zeros(RATE)])
    chroma, tuning = play(stft_then(Chroma(), window=4096), x, "node.chroma", "node.tuning")
    assert not chroma[1][-1].any()
    assert tuning[1][-1] == pytest.approx(30, abs=3)


def test_level_of_known_signals():
    for signal, rms, peak in (
        (sine(441, 0.5, 1.0), -3.01, 0.0),
        (np.full(RATE, 0.1), -20.0, -20.0),
        (np.zeros(RATE), -140.0, -140.0),
    ):
        graph = Graph().add("level", Level()).connect("input", "level")
        (_, heard), (_, most) = play(graph, signal, "level.rms", "level.peak")
        assert heard[-1] == pytest.approx(rms, abs=0.05) and most[-1] == pytest.approx(peak, abs=0.02)


def silence_events(signal, **params):
    graph = Graph().add("level", Level(window=512, hop=256)).add("silence", Silence(**params))
    graph.connect("input", "level").connect("level.rms", "silence")
    return collect(Runner(compile_graph(graph), strict=True), quanta(signal, 256))


def test_silence_and_sound_are_told_once_at_their_time():
    x = sine(440, 3.0)
    x[RATE : 2 * RATE] = 0
    events = silence_events(x, hold=0.3)
    assert [e.kind for e in events] == ["sound", "silence", "sound"]
    assert [e.time / RATE for e in events] == pytest.approx([0, 1, 2], abs=0.02)
    assert events[1].emitted / RATE == pytest.approx(1.3, abs=0.03)


def test_level_between_the_thresholds_never_flickers():
    swell = 10 ** (-55 / 20) * np.sqrt(2) * (1 + 0.3 * np.sin(np.arange(4 * RATE) * 2 * np.pi * 3 / RATE))
    x = swell * sine(440, 4.0, 1.0)
    x[: RATE // 4] = sine(440, 0.25)
    assert [e.kind for e in silence_events(x, hold=0.1)] == ["sound"]
