"""The presets that come along, on the demo's music, whose beats are known."""

from __future__ import annotations

import numpy as np
import pytest

from apps.demo_music import compose
from engine.events import Event
from engine.offline import collect, quanta
from engine.plan import compile_graph
from engine.preset import load_preset
from engine.registry import Registry
from engine.runner import Runner
from nodes import CATALOGUE
from nodes.outputs.rig.cue import parse_cues
from nodes.outputs.rig.patch import parse_patch
from nodes.outputs.rig.show import Show


@pytest.fixture(scope="module")
def piece():
    return compose()


def run(name: str, samples) -> list[Event]:
    """All events of a preset on `samples`, at the preset's own rate of 44.1 kHz."""
    plan = compile_graph(load_preset(name, Registry(CATALOGUE)).build())
    events = collect(Runner(plan, strict=True), quanta(samples, plan.quantum))
    plan.release()
    return events


def times(events: list[Event], kind: str) -> np.ndarray:
    return np.array([event.time for event in events if event.kind == kind]) / 44100


def share_heard(beats, heard, within: float) -> float:
    """Share of the beats that have something heard within so many seconds."""
    return float(np.mean(np.abs(beats[:, None] - heard).min(axis=1) <= within))


def test_onsets_to_midi(piece):
    pytest.importorskip("aubio")
    events = run("onsets_to_midi", piece.samples)
    drums = piece.beats[(piece.beats > 5) & (piece.beats < 17)]
    assert share_heard(drums, times(events, "onset"), 0.03) == 1.0
    assert all(event.emitted - event.time < 0.05 * 44100 for event in events)


@pytest.mark.parametrize("name", ["beats", "beats_small", "beats_low_latency", "beats_from_drums"])
def test_beats_are_heard_and_foretold(piece, name):
    events = run(name, piece.samples)
    beats = times(events, "beat")
    assert share_heard(piece.beats[piece.beats > 5], beats, 0.07) >= 0.9
    said = np.array([event.time - event.emitted for event in events if event.kind == "beat"]) / 44100
    assert np.mean(said > 0) > 0.9
    tempi = [event.values["bpm"] for event in events if event.kind == "beat"]
    assert np.median(tempi[10:25]) == pytest.approx(112, abs=1)
    assert np.median(tempi[-20:]) == pytest.approx(126, abs=1)


def test_beats_to_show_says_the_same_as_beats(piece):
    part = piece.samples[: 10 * 44100]
    assert run("beats_to_show", part) == run("beats", part)


def test_lights_is_a_show(piece):
    """Untouched, the conductor's beats are the tracker's; the rig chases on beats and marks the downbeats."""
    events = run("lights", piece.samples)
    beats = {
        source: [e.time for e in events if e.kind == "beat" and e.source == source]
        for source in ("tracker", "conductor")
    }
    assert beats["conductor"] == beats["tracker"]
    assert len(beats["conductor"]) > 50
    cues = [e.kind for e in events if e.source == "cues"]
    assert cues[0] == "sound"
    assert len(cues) <= 6  # a minute of music: cues do not flicker
    values = load_preset("lights", Registry(CATALOGUE)).sinks["rig"][1]
    fixtures = parse_patch(values["patch"])
    show = Show(fixtures, parse_cues(values["cues"], fixtures), 0)
    dimmers, strobes = [], []
    for event in events:
        if event.source in ("conductor", "cues", "bands"):
            at = event.time / 44100 * 1e9
            show.observe(event, at)
            if event.kind in ("beat", "downbeat"):
                channels = show.render(at + 30e6)[0]
                dimmers.append(tuple(channels[a - 1] > 0 for a in (1, 5, 9, 13)))
                strobes.append((event.kind, channels[29]))
    assert len(set(dimmers[20:])) >= 4  # one PAR after the other
    assert all(level == 255 for kind, level in strobes[8:] if kind == "downbeat")


@pytest.mark.parametrize("seconds", [3.0, 9.777, 21.9])
def test_truncated_music_gives_the_same_beats_so_far(piece, seconds):
    """Causality of the whole preset: what was said before the cut does not depend on what comes after."""
    cut = round(seconds * 44100 / 256) * 256
    whole, part = run("beats", piece.samples), run("beats", piece.samples[:cut])
    assert len(part) > 3
    assert whole[: len(part)] == part


def test_the_demos_music_is_the_same_every_time(piece):
    again = compose()
    assert again.samples.tobytes() == piece.samples.tobytes()
    assert len(piece.beats) == 65
    assert np.abs(piece.samples).max() == pytest.approx(0.8)
