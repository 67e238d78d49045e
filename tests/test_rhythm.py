"""Tempogram, PLP, beat network, belief and beat tracker against short definitions and plain rhythms."""

from __future__ import annotations

import numpy as np
import pytest

from engine.graph import Graph
from engine.node import FrameNode, FramesIn, FramesOut, Param, same_grid
from engine.offline import quanta, run_offline
from engine.plan import compile_graph
from engine.preset import PresetSource
from engine.runner import Runner
from nodes.rhythm.bar_network import downbeat_table
from nodes.rhythm.bars import METERS, PRIOR, Bars
from nodes.rhythm.beat_activation import BeatActivation
from nodes.rhythm.beat_network import weights
from nodes.rhythm.beat_tracker import LIKELY
from nodes.rhythm.belief import Belief
from nodes.rhythm.network_kernels import BANDS, CHANNELS, LAYERS, ROWS, SPAN, TAPS, network_step
from nodes.rhythm.tempogram_kernels import add_pulse, fourier_coefficient, tempogram_column
from nodes.spectral.stft import Stft

RATE = 44100


def test_tempogram_is_its_definition():
    rng = np.random.default_rng(1)
    novelty, taper, turns = rng.random(50), np.hanning(50), np.array([0.05, 0.2, 0.7])
    out = np.zeros(3, np.float32)
    tempogram_column(np.roll(novelty, 13), 12, taper, turns, out)
    n = np.arange(50)
    expected = [abs(np.sum(novelty * taper * np.exp(-1j * t * n))) / taper.sum() for t in turns]
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_pulse_kernel_continues_the_oscillation_it_was_found_in():
    size, turn = 200, 2 * np.pi / 20
    n = np.arange(size)
    novelty = 1 + np.cos(turn * n + 0.7)
    taper = np.hanning(size)
    coefficient = fourier_coefficient(novelty, size - 1, taper, turn)
    half = size // 2
    pulse = np.zeros(size, complex)
    add_pulse(pulse, 0, taper, turn, np.angle(coefficient) + turn * (size - 1 - half))
    later = size - 1 - half + n
    np.testing.assert_allclose(pulse.real, taper * np.cos(turn * later + 0.7), atol=0.02)


def network_by_definition(bands):
    """The whole sequence at once, layer by layer."""
    w = weights()

    def lrelu(x):
        return np.maximum(x, 0.1 * x)

    padded = np.concatenate([np.zeros((2, BANDS)), bands])
    x = [padded[2 * m : 2 * m + SPAN].ravel() for m in range(len(bands) // 2)]
    h = lrelu(lrelu(np.array(x) @ w.first.T + w.first_bias) @ w.mixing.T + w.mixing_bias)
    for k in range(LAYERS):
        past = np.concatenate([np.zeros(((TAPS - 1) * 2**k, CHANNELS)), h])
        taps = np.concatenate([past[t * 2**k : t * 2**k + len(h)] for t in range(TAPS)], axis=1)
        h = h + lrelu(taps @ w.dilated[k].T + w.dilated_bias[k]) @ w.point[k].T + w.point_bias[k]
    return lrelu(h) @ w.last.T + w.last_bias


def test_network_frame_by_frame_is_the_network():
    bands = np.random.default_rng(2).random((600, BANDS)).astype(np.float32) * 3
    inputs, rows = np.zeros(SPAN * BANDS, np.float32), np.zeros((ROWS, CHANNELS), np.float32)
    count, scratch = np.zeros(1, np.int64), np.zeros((TAPS + 2) * CHANNELS, np.float32)
    out = np.zeros((300, 4), np.float32)
    for m in range(300):
        inputs[-2 * BANDS :] = bands[2 * m : 2 * m + 2].ravel()
        network_step(*weights(), inputs, rows, count, scratch, out[m])
    np.testing.assert_allclose(out, network_by_definition(bands), atol=2e-3)


class Muffled(FrameNode):
    """The lower quarter of a spectrum; fails from frame `fails` on."""

    frame = FramesIn("magnitudes")
    out = FramesOut("magnitudes")
    fails = Param(1_000_000, low=0, high=1_000_000, help="frame")

    def prepare(self, frame):
        return same_grid(frame)

    def step(self, frame, out):
        if self.index >= self.fails:
            raise ValueError("broken")
        out[:] = frame
        out[len(out) // 4 :] = 0.0


def activations(music, *wires, **params):
    """Logits and colours (steps, 4 + 44) of a graph of stft, muffled and activation, and how many faults."""
    graph = Graph(quantum=1024).add("stft", Stft(window=2048, hop=512)).add("activation", BeatActivation())
    graph.add("muffled", Muffled(**params)).connect("input", "stft").connect("stft.magnitude", "muffled")
    for source, target in wires:
        graph.connect(source, f"activation.{target}")
    plan = compile_graph(graph)
    runner, rows, faults = Runner(plan), [], 0
    logits, colour = (plan.streams[f"activation.{port}"] for port in ("activation", "colour"))
    for block in quanta(music, plan.quantum):
        faults += sum(event.kind == "fault" for event in runner.tick(block))
        rows += [np.r_[logits.slots[k], colour.slots[k]] for k in range(logits.count)]
    return np.array(rows), faults


def noise(seconds):
    return 0.1 * np.random.default_rng(8).standard_normal(int(seconds * RATE)).astype(np.float32)


def test_activation_of_mix_and_drums_is_the_mean_of_both():
    music = noise(3.0)
    both, _ = activations(music, ("stft.magnitude", "magnitude"), ("muffled", "drums"))
    mix, drums = (activations(music, (source, "magnitude"))[0] for source in ("stft.magnitude", "muffled"))
    assert np.abs(mix - drums).max() > 0.1
    np.testing.assert_allclose(both, (mix + drums) / 2, atol=1e-5)


def test_activation_hears_the_mix_where_the_drums_have_failed():
    music = noise(4.0)
    whole, _ = activations(music, ("stft.magnitude", "magnitude"))
    rows, faults = activations(music, ("stft.magnitude", "magnitude"), ("muffled", "drums"), fails=100)
    assert faults == 1
    assert len(rows) == len(whole)
    assert np.abs(rows[:40] - whole[:40]).max() > 0.1
    np.testing.assert_allclose(rows[60:, 4:], whole[60:, 4:], atol=1e-5)  # colours: the network remembers


@pytest.fixture
def belief():
    table = np.zeros((2, 3, 15, 23))
    table[0, :, :, 12:] = 4.0 * (1 - np.abs(np.arange(-7, 8)) / 8)[:, None]
    table[0, :, :, :6] = -1.0
    belief = Belief(86.13, table)
    belief.set_prior(50.0, 220.0, 110.0, 0.6)
    belief.reset()
    return belief


def test_belief_keeps_its_mass_exact(belief):
    logits = np.random.default_rng(3).normal(-4, 2, (400, 4)).astype(np.float32)
    for row in logits:
        belief.step(row)
    sums = np.add.reduceat(belief.cells, belief.offset)
    np.testing.assert_allclose(belief.mass, sums, rtol=1e-2, atol=1e-4 * sums.sum())


def test_belief_finds_tempo_and_phase_of_plain_pulses(belief):
    period = 43  # frames, 120 BPM
    for m in range(430):
        frames = (2 * m, 2 * m + 1)
        belief.step(np.array([1.0 if f % period == 0 else -6.0 for f in frames] + [-6.0, -6.0], np.float32))
    assert belief.out[2] / 4 == pytest.approx(period, rel=0.01)
    ahead = -(2 * 429 + 1) % period
    assert belief.out[0] / 4 == pytest.approx(ahead, abs=1.0)


def rhythm(seconds, bpm, rng):
    """Kick, snare and hi-hat of a plain rock beat, made of noise and a falling sine."""
    out = np.zeros(int(seconds * RATE), np.float32)
    t = np.arange(4000) / RATE
    kick = np.sin(2 * np.pi * (50 * t + 3 * np.exp(-t * 40))) * np.exp(-t * 25)
    snare = rng.normal(size=4000) * np.exp(-t * 30) * 0.5
    hat = np.diff(rng.normal(size=4001)) * np.exp(-t * 90) * 0.2
    for step in range(int(seconds * bpm / 30) - 1):
        sounds = [hat] + ([[kick], [], [snare], []][step % 4])
        at = int(step * 30 / bpm * RATE)
        for sound in sounds:
            out[at : at + 4000] += sound[: len(out) - at]
    return out


def events_of(audio, *settings):
    """What the beats preset says about `audio`, with parameters `tracker.name=value` set."""
    preset = PresetSource("beats", overrides=settings).load()
    plan = compile_graph(preset.build())
    heard = []
    padded = np.pad(audio, (0, -len(audio) % preset.quantum)).astype(np.float32)
    runner = Runner(plan)
    run_offline(runner, padded.reshape(-1, 1, preset.quantum), heard.append)
    plan.release()
    assert not runner.faults
    return heard


def beats_of(heard):
    return np.array([max(e.time, e.emitted) / RATE for e in heard if e.kind == "beat"])


@pytest.fixture(scope="module")
def music():
    """Twelve seconds of a plain beat at 110 BPM, ten of silence, twelve of noise 40 dB below."""
    rng = np.random.default_rng(4)
    noise = 0.003 * rng.normal(size=12 * RATE)
    return np.concatenate([0.5 * rhythm(12, 110, rng), np.zeros(10 * RATE), noise])


@pytest.fixture(scope="module")
def heard(music):
    return events_of(music)


def test_beats_of_a_plain_rhythm_are_found_and_foretold(heard):
    beats = beats_of(heard)
    period = 60 / 110
    inside = beats[(beats > 4) & (beats < 11.5)]
    errors = (inside + period / 2) % period - period / 2
    assert abs(len(inside) - 7.5 / period) <= 1.5
    assert np.abs(errors).max() < 0.03
    due = [e for e in heard if e.kind == "beat" and 4 < e.time / RATE < 11.5]
    assert all(e.emitted < e.time for e in due)
    assert beats[0] < 2.5


def test_a_one_is_said_once_it_is_likely(heard):
    """The first beat begins a bar as likely as any other, so it is called a one only by its place."""
    first = next(e for e in heard if e.kind == "beat")
    ones = [e for e in heard if e.kind == "downbeat"]
    assert first.values["beat"] == 1 and ones
    assert min(e.time for e in ones) > first.time
    assert min(e.values["confidence"] for e in ones) >= LIKELY


def test_the_chance_of_a_downbeat_is_that_of_all_meters():
    bars = Bars(downbeat_table())
    bars.advance()
    assert bars.downbeat == pytest.approx(sum(p / m for p, m in zip(PRIOR, METERS, strict=True)))
    bars.observe(6.0)
    assert bars.downbeat > 0.8
    bars.advance()
    assert bars.downbeat < 0.1


def test_no_beats_in_silence_and_noise(heard):
    beats = beats_of(heard)
    assert not ((beats > 15) & (beats < 22)).any()
    assert not (beats > 25).any()
    assert any(e.kind == "state" and e.values["state"] == "silent" for e in heard)


def test_the_state_does_not_flicker():
    heard = events_of(rhythm(12.0, 200.0, np.random.default_rng(3)))
    assert len(beats_of(heard)) > 30
    assert sum(e.kind == "state" for e in heard) <= 8


def test_octave_control_gives_half_and_double(music):
    start = music[: 10 * RATE]
    count = {
        octave: (beats_of(events_of(start, f"tracker.octave={octave}")) > 5).sum()
        for octave in ("heard", "half", "double")
    }
    assert count["half"] == pytest.approx(count["heard"] / 2, abs=1.5)
    assert count["double"] == pytest.approx(count["heard"] * 2, abs=2)


def test_nothing_said_depends_on_what_comes_later(music, heard):
    cut = 8 * RATE // 1024 * 1024
    before = [e for e in events_of(music[:cut]) if max(e.time, e.emitted) < cut - RATE // 10]
    assert before == heard[: len(before)]
