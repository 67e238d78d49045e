"""The rig: patch, cues and the show, in virtual time."""

import numpy as np
import pytest

from engine.events import Event
from nodes.outputs.artnet import ArtNet
from nodes.outputs.beat_line import BeatLine
from nodes.outputs.rig.cue import parse_cues, step_of
from nodes.outputs.rig.patch import parse_patch
from nodes.outputs.rig.show import Show

S = 1e9
BEAT = 0.5 * S
PATCH = "p1 -> 1 rgb; p2 -> 4 rgb; p3 -> 7 rgb; p4 -> 10 rgb"
RED = [255, 0, 0]
DARK = [0, 0, 0]


def show(cues, patch=PATCH):
    fixtures = parse_patch(patch)
    return Show(fixtures, parse_cues(cues, fixtures), 1)


def play(show, beats=40, meter=4, bars=True):
    """Beats from 0 at 120 BPM; returns nothing: render afterwards at any time from there on."""
    for n in range(beats):
        place = {"beat": n % meter + 1, "meter": meter} if bars else {}
        show.observe(Event("beat", 0, 0, "beats", key=n, values={"bpm": 120.0, **place}), n * BEAT)


def lit(show, beats):
    """Which of the four are lit at a time in beats."""
    channels = show.render(beats * BEAT + 1e6)[1]
    return [n + 1 for n in range(4) if any(channels[3 * n : 3 * n + 3])]


def test_a_chase_steps_with_every_beat():
    rig = show("beat -> chase p* red")
    play(rig)
    assert [lit(rig, 40 + n) for n in range(5)] == [[1], [2], [3], [4], [1]]
    assert rig.render(40 * BEAT + 1e6)[1][:6] == bytes(RED + DARK)


def test_a_chase_of_eighths_steps_between_beats():
    rig = show("1/8 -> chase p4,p3 white")
    play(rig)
    assert [lit(rig, 40 + n / 2) for n in range(4)] == [[4], [3], [4], [3]]


@pytest.mark.parametrize("meter", [3, 4])
def test_bars_begin_on_downbeats_in_any_meter(meter):
    rig = show("bar -> colour p1 red blue")
    play(rig, beats=6 * meter, meter=meter)  # six bars; the sixth shows blue
    seen = []
    for n in range(6 * meter, 8 * meter):
        place = {"beat": n % meter + 1, "meter": meter}
        rig.observe(Event("beat", 0, 0, "beats", values={"bpm": 120.0, **place}), n * BEAT)
        seen.append("red" if rig.render(n * BEAT + 1e6)[1][0] else "blue")
    assert seen == ["red"] * meter + ["blue"] * meter


def test_two_bars():
    rig = show("2bars -> colour p1 red blue")
    seen = []
    for n in range(32):
        place = {"beat": n % 4 + 1, "meter": 4}
        rig.observe(Event("beat", 0, 0, "beats", values={"bpm": 120.0, **place}), n * BEAT)
        seen.append("red" if rig.render(n * BEAT + 1e6)[1][0] else "blue")
    assert seen[8:] == ["blue"] * 8 + ["red"] * 8 + ["blue"] * 8


def test_pulse_fades_until_the_next_step():
    rig = show("beat -> pulse p1 white")
    play(rig)
    levels = [rig.render((40 + x) * BEAT + 1e5)[1][0] for x in (0, 0.25, 0.5, 0.75, 0.99)]
    np.testing.assert_allclose(levels, [255, 143, 64, 16, 0], atol=2)


def test_without_a_colour_an_effect_scales_what_is_there():
    rig = show("bar -> colour p1 blue; beat -> pulse p1")
    play(rig)
    channels = rig.render(40.5 * BEAT)[1]
    assert channels[0] == 0 and channels[2] == pytest.approx(64, abs=2)


def test_a_wave_runs_through_the_fixtures():
    rig = show("bar -> wave p* white")
    play(rig)
    levels = [rig.render((40 + n) * BEAT + 1e5)[1][0:12:3] for n in range(4)]
    assert [max(range(4), key=lambda k, row=row: row[k]) for row in levels] == [0, 1, 2, 3]


def test_a_flash_lets_through_what_was_there():
    rig = show("bar -> colour p1 blue; drums.onset -> flash p1 white 100ms")
    play(rig)
    at = 40 * BEAT
    assert not rig.observe(Event("onset", 0, 0, "other"), at)
    assert rig.observe(Event("onset", 0, 0, "drums"), at)
    assert rig.render(at + 0.05 * S)[1][:3] == bytes([255] * 3)
    assert rig.render(at + 0.11 * S)[1][:3] == bytes([0, 0, 255])


def test_the_show_runs_on_without_beats():
    rig = show("beat -> chase p* red")
    play(rig)
    assert lit(rig, 40 + 4 * 25) == [1]


def test_nothing_is_lit_before_the_first_beat():
    assert not any(show("beat -> chase p* red").render(S)[1])


def test_the_next_step():
    rig = show("beat -> chase p* red; 1/8 -> pulse p*")
    assert rig.next_step_ns(0) == float("inf")
    play(rig)
    assert rig.next_step_ns(40.3 * BEAT) == pytest.approx(40.5 * BEAT)


def test_profiles():
    rig = show("beat -> colour * #804000", patch="a -> 1 drgb; b -> 2.1 rgbw; c -> 100 d; e -> 5 rx0")
    play(rig)
    universes = rig.render(40 * BEAT + 1e6, master=0.5)
    assert list(universes) == [1, 2]
    assert list(universes[1][:7]) == [128, 128, 64, 0, 64, 255, 0]
    assert list(universes[2][:4]) == [64, 32, 0, 0]
    assert universes[1][99] == 64


def test_white_goes_to_the_white_channel():
    rig = show("beat -> colour * white", patch="a -> 1 rgbw; b -> 5 w")
    play(rig)
    assert list(rig.render(40 * BEAT)[1][:5]) == [0, 0, 0, 255, 255]


@pytest.mark.parametrize(
    ("when", "step"),
    [
        ("beat", (1, "beat")),
        ("4beats", (4, "beat")),
        ("1/16", (0.25, "beat")),
        ("1/2", (2, "beat")),
        ("bar", (1, "bar")),
        ("8bars", (8, "bar")),
        ("onset", None),
        ("drums.onset", None),
    ],
)
def test_steps(when, step):
    assert step_of(when) == step


@pytest.mark.parametrize(
    ("patch", "fault"),
    [
        ("a -> 1 rgb; b -> 3 d", "a and b share channel 3"),
        ("a -> 511 rgb", "do not fit"),
        ("a -> 0 d", "do not fit"),
        ("a -> 1 rgq", "'q' in profile"),
        ("a -> x rgb", "no address"),
        ("a -> 1", "give an address and a profile"),
        ("a -> 1 d; a -> 2 d", "patched twice"),
    ],
)
def test_faults_of_a_patch(patch, fault):
    with pytest.raises(ValueError, match=fault):
        ArtNet(patch=patch)


@pytest.mark.parametrize(
    ("cue", "fault"),
    [
        ("beat -> chase q* red", "no fixture 'q\\*' is patched"),
        ("beat -> chas p* red", "did you mean 'chase'"),
        ("beat -> chase p* rde", "did you mean 'red'"),
        ("beat -> chase", "a cue is"),
        ("beat -> colour p*", "needs a colour"),
        ("beat -> flash p1 white xms", "120ms"),
        ("beat -> colour p1 #12345g", "#rrggbb"),
    ],
)
def test_faults_of_a_cue(cue, fault):
    with pytest.raises(ValueError, match=fault):
        show(cue)


def test_a_beat_that_a_hand_placed_moves_the_steps_at_once():
    line = BeatLine()
    for k in range(8):
        line.observe(k * 5e8, 120.0)
    line.observe(8 * 5e8 + 1.7e8, 100.0, placed=True)  # tapped a third of a beat late, slower
    assert line.position(8 * 5e8 + 1.7e8) == 8
    assert line.time_of(9) == pytest.approx(8 * 5e8 + 1.7e8 + 6e8)
