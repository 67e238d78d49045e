"""The oscillator behind MIDI clock, in virtual time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.outputs.beat_line import BeatLine
from nodes.outputs.tick_oscillator import CONTINUE, START, STOP, TICK, TickOscillator, song_position

S = 1e9  # ns


def play(oscillator, beats, until, jitter=lambda: 0.0, hold_at=None):
    """Messages as (ns, message): each beat is told at its time, `advance` is called when it asks."""
    sent = []
    waiting = sorted(beats)
    now = 0.0
    while now < until:
        while waiting and waiting[0][0] <= now:
            oscillator.observe(*waiting.pop(0))
        if hold_at is not None and now >= hold_at and not waiting:
            oscillator.hold()
        sent += [(now, message) for message in oscillator.advance(now)]
        step = oscillator.wake_ns
        if waiting:
            step = min(step, waiting[0][0])
        now = max(now + 1, step + jitter())
    return sent


def steady(bpm, start, stop, told=True):
    period = 60 * S / bpm
    count = math.ceil((stop - start) / period)
    return [(start + n * period, bpm if told else 0.0) for n in range(count)]


def ticks(sent):
    return np.array([at for at, message in sent if message == TICK])


def beat_errors(sent, beats):
    """Distance in ns of every beat to the nearest tick that a receiver counts as a beat."""
    number, playing = 0, False
    on_beat = []
    for at, message in sent:
        if message == START:
            number, playing = 0, True
        elif message in (CONTINUE, STOP):
            playing = message == CONTINUE
        elif message[0] == 0xF2:
            number = (message[1] + 128 * message[2]) * 6
        elif message == TICK and playing:
            if number % 24 == 0:
                on_beat.append(at)
            number += 1
    on_beat = np.array(on_beat)
    return np.array([on_beat[np.argmin(abs(on_beat - at))] - at for at, _ in beats])


@pytest.mark.parametrize("bpm", [61.7, 120.0, 198.3])
def test_steady_music_gets_24_ticks_a_beat(bpm):
    beats = steady(bpm, S, 61 * S)
    sent = play(TickOscillator(), beats, 60 * S)
    at = ticks(sent)
    assert [m for _, m in sent if m != TICK] == [START]
    np.testing.assert_allclose(np.diff(at), 60 * S / bpm / 24, rtol=1e-4)
    assert len(at) == pytest.approx((60 * S - at[0]) / (60 * S / bpm) * 24, abs=1)
    assert abs(beat_errors(sent, beats[4:-4])).max() < 1e-3 * S


def test_start_comes_half_a_tick_before_the_first_tick_which_is_a_beat():
    sent = play(TickOscillator(), steady(120, S, 10 * S), 5 * S)
    assert sent[0][1] == START and sent[1][1] == TICK
    assert sent[1][0] - sent[0][0] == pytest.approx(0.5 * S / 24 / 2, rel=1e-3)
    assert (sent[1][0] - S) % (0.5 * S) == pytest.approx(0, abs=1e4)


def test_without_a_told_tempo_the_interval_of_two_beats_is_taken():
    beats = steady(100, S, 30 * S, told=False)
    sent = play(TickOscillator(), beats, 29 * S)
    assert abs(beat_errors(sent, beats[5:-3])).max() < 1e-3 * S


@pytest.mark.parametrize("after", [110.0, 118.0, 124.0, 140.0, 60.0])
@pytest.mark.parametrize("told", [True, False])
def test_converges_after_a_change_of_tempo(after, told):
    first = steady(120, S, 20 * S, told)
    second = steady(after, first[-1][0] + 0.5 * S, 60 * S, told)
    sent = play(TickOscillator(), first + second, 59 * S)
    assert abs(beat_errors(sent, second[8:-3])).max() < (15e-3 if told else 60e-3) * S
    assert abs(beat_errors(sent, second[20:-3])).max() < (2e-3 if told else 10e-3) * S


def test_a_tempo_told_with_a_rounding_error_leaves_no_phase_error():
    beats = [(at, 123.0) for at, _ in steady(122.6, S, 60 * S)]
    sent = play(TickOscillator(), beats, 58 * S)
    assert abs(beat_errors(sent, beats[20:-6])).max() < 2e-3 * S


def test_jitter_of_beats_is_smoothed():
    rng = np.random.default_rng(1)
    true = steady(120, S, 120 * S)
    beats = [(at + rng.normal(0, 10e6), bpm) for at, bpm in true]
    sent = play(TickOscillator(), beats, 118 * S)
    assert [m for _, m in sent if m != TICK] == [START]
    assert np.std(beat_errors(sent, true[10:-6])) < 8e6


def test_one_stray_beat_moves_nothing():
    beats = steady(120, S, 30 * S)
    stray = sorted([*beats, (beats[20][0] + 0.17 * S, 180.0)])
    one, other = (ticks(play(TickOscillator(), told, 28 * S)) for told in (beats, stray))
    np.testing.assert_allclose(one, other, atol=10)


def test_a_jump_of_phase_relocks_on_a_sixteenth():
    first = steady(120, S, 20 * S)
    second = [(at + 0.2 * S, bpm) for at, bpm in steady(120, 20 * S, 40 * S)]
    sent = play(TickOscillator(), first + second, 38 * S)
    words = [(at, m) for at, m in sent if m != TICK]
    kinds = [m[0] for _, m in words]
    assert kinds == [0xFA, 0xFC, 0xF2, 0xFB]
    stop, continued = words[1][0], words[3][0]
    assert 0 < continued - stop < 0.3 * S
    first_tick = next(at for at, m in sent if m == TICK and at > continued)
    sixteenths = (first_tick - second[0][0]) / (0.125 * S)
    assert sixteenths == pytest.approx(round(sixteenths), abs=0.02)
    assert abs(beat_errors(sent, second[4:-6])).max() < 2e-3 * S


def test_bars_of_the_song_begin_on_downbeats():
    """Start comes on a downbeat; after a jump the bars of the song are those of the music again."""
    first = steady(120, S, 20 * S)
    beats = [(*beat, (n + 1) % 4 + 1, 4) for n, beat in enumerate(first)]  # begins on the second of a bar
    second = [(at + 0.2 * S, bpm) for at, bpm in steady(120, 20 * S, 40 * S)]
    beats += [(*beat, (n + 3) % 4 + 1, 4) for n, beat in enumerate(second)]  # and goes on with the last
    sent = play(TickOscillator(), beats, 38 * S)
    started = next(at for at, message in sent if message == TICK)
    assert started == pytest.approx(first[3][0], abs=1e6)
    words = [(at, message) for at, message in sent if message != TICK]
    assert [message[0] for _, message in words] == [0xFA, 0xFC, 0xF2, 0xFB]
    pointer = words[2][1][1] + 128 * words[2][1][2]
    tick = next(at for at, message in sent if message == TICK and at > words[3][0])
    sixteenths = round((tick - second[1][0]) / (0.125 * S))  # from a downbeat
    assert (pointer - sixteenths) % 16 == 0


@pytest.mark.parametrize("policy", ["run", "stop", "freeze"])
def test_silence(policy):
    beats = steady(120, S, 11 * S)
    sent = play(TickOscillator(while_held=policy), beats, 30 * S, hold_at=12 * S)
    late = [m for at, m in sent if at > 12.2 * S]
    words = [m for _, m in sent if m != TICK]
    assert words == ([START, STOP] if policy == "stop" else [START])
    assert (len(late) > 800) == (policy != "freeze")


@pytest.mark.parametrize("policy", ["stop", "freeze"])
def test_the_song_goes_on_where_it_was_held(policy):
    oscillator = TickOscillator(while_held=policy)
    sent = play(oscillator, steady(120, S, 10.9 * S), 11 * S, hold_at=10.95 * S)
    count = len(ticks([x for x in sent if x[1] == TICK]))
    oscillator.hold()
    play(oscillator, [], 0)
    again = []
    now = 11 * S
    oscillator.hold()
    while now < 20 * S:
        again += [(now, m) for m in oscillator.advance(now)]
        now = max(now + 1, oscillator.wake_ns)
    again_words = [m for _, m in again if m != TICK]
    assert again_words in ([], [STOP])
    held = count / 6
    for at, bpm in steady(120, 20.1 * S, 30 * S):
        while now < at:
            again += [(now, m) for m in oscillator.advance(now)]
            now = max(now + 1, min(oscillator.wake_ns, at))
        oscillator.observe(at, bpm)
    pointer = next(m for _, m in again if m[0] == 0xF2)
    assert CONTINUE in [m for _, m in again]
    assert held - 1 <= pointer[1] + 128 * pointer[2] <= held + 5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.05, 1.5), st.one_of(st.just(0.0), st.floats(30, 280))), min_size=5, max_size=60
    ),
    st.sampled_from([0.02, 0.1, 0.3]),
    st.sampled_from(["run", "stop", "freeze"]),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_beats_ticks_never_double(intervals, slew, policy, seed):
    rng = np.random.default_rng(seed)
    at, beats = S, []
    for interval, bpm in intervals:
        at += interval * S
        beats.append((at, bpm))
    oscillator = TickOscillator(slew=slew, while_held=policy)
    late = lambda: float(rng.choice([0.0, 0.0, 2e5, 40e6], p=[0.5, 0.3, 0.19, 0.01]))  # noqa: E731
    sent = play(oscillator, beats, at + 3 * S, late, hold_at=at + S)
    times = [t for t, _ in sent]
    assert times == sorted(times)
    shortest = BeatLine.SHORTEST_NS * 0.9 / 24 * (1 - slew) - oscillator.TOLERANCE_NS
    assert np.diff(ticks(sent)).min(initial=math.inf) >= shortest
    playing = False
    for _, message in sent:  # the transport is never told twice, and located only at rest
        if message in (START, CONTINUE):
            assert not playing
            playing = True
        elif message == STOP:
            playing = False
        elif message[0] == 0xF2:
            assert not playing


@settings(max_examples=40, deadline=None)
@given(st.floats(50, 200), st.floats(-0.15, 0.15), st.sampled_from([0.05, 0.1, 0.3]))
def test_without_stalls_every_interval_stays_within_the_slew(bpm, change, slew):
    other = bpm * (1 + change)
    beats = steady(bpm, S, 15 * S)
    beats += steady(other, beats[-1][0] + 60 * S / bpm, 40 * S)
    sent = play(TickOscillator(slew=slew), beats, 40 * S)
    if any(message == STOP for _, message in sent):
        return  # a relock: the ticks in between are checked above
    nominal = sorted([60 * S / bpm / 24, 60 * S / other / 24])
    steps = np.diff(ticks(sent))
    assert steps.min() >= nominal[0] * (1 - slew) * 0.99
    assert steps.max() <= nominal[1] * (1 + slew) * 1.01


def test_song_position_counts_sixteenths_in_14_bits():
    assert song_position(0) == (0xF2, 0, 0)
    assert song_position(130) == (0xF2, 2, 1)
    assert song_position(1 << 14) == (0xF2, 0, 0)


def test_finish_leaves_the_transport_at_rest():
    oscillator = TickOscillator()
    play(oscillator, steady(120, S, 5 * S), 4 * S)
    assert oscillator.finish() == [STOP]
    assert oscillator.finish() == []
