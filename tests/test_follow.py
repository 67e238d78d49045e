"""The score follower: ear, references, filter and search against textbook definitions, and whole runs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from apps.cli import main
from engine.errors import FollowspotError
from nodes.follow.agogics import drawn_out
from nodes.follow.bands import COMPRESSION, FLUX_LAG, HOP, LONG, SHORT, Bands, Ear, midi_to_hz
from nodes.follow.filter_kernels import (
    EVIDENCE,
    FAST,
    LEFT,
    ORIGIN,
    RIGHT,
    SCALE,
    SLOW,
    SLOW_LOG_TEMPO,
    SOFT,
    STATES,
    STOPS,
    STRUCK,
    STRUCK_SOFTLY,
    WAITING,
    advance,
    place,
    read,
    straight,
    wait,
    weigh,
)
from nodes.follow.made_up import QUARTER, made_up_notes, made_up_score, play
from nodes.follow.reference import load_reference, note_powers, reference_of_score
from nodes.follow.relocate_kernels import best_cell, search_slice, turn_over
from nodes.follow.score import Score, load_score
from nodes.follow.tracker import CELL, TEMPI, Tracker

RATE = 44100


@pytest.fixture(scope="module")
def bands():
    return Bands(RATE)


@pytest.fixture(scope="module")
def reference(bands):
    return load_reference(made_up_score(), bands)


def follow(reference, bands, sound):
    """One row per hop: time s, position s, tempo, and the states."""
    ear, tracker = Ear(bands), Tracker(reference, RATE)
    padded = np.concatenate([np.zeros(LONG, np.float32), sound])
    rows, states = [], []
    for stop in range(LONG + HOP, len(padded) + 1, HOP):
        ear.step(padded[stop - LONG : stop])
        tracker.step(ear.flux, ear.pitches, ear.power, ear.level)
        rows.append(((stop - LONG) / RATE, tracker.position, tracker.tempo))
        states.append(tracker.state)
    return np.array(rows), states


# The ear


def test_band_powers_are_those_of_the_definition(bands):
    rng = np.random.default_rng(1)
    window = rng.standard_normal(LONG).astype(np.float32)
    ear = Ear(bands)
    ear.powers(window)
    taper = np.hanning(SHORT + 1)[:SHORT]
    power = np.abs(np.fft.rfft(window[-SHORT:] * taper * 2 / taper.sum())) ** 2
    bins = np.fft.rfftfreq(SHORT, 1 / RATE)
    centre = 2 * RATE / SHORT
    assert ear.onset_power[0] == pytest.approx(power[2], rel=1e-3)
    expected = (np.maximum(0, 1 - np.abs(bins - centre) / (RATE / SHORT)) * power).sum()
    assert ear.onset_power[0] == pytest.approx(expected, rel=1e-3)


def test_a_full_scale_sine_is_one_in_its_pitch_band(bands):
    ear = Ear(bands)
    ear.powers(np.sin(2 * np.pi * midi_to_hz(69) * np.arange(LONG) / RATE).astype(np.float32))
    assert np.argmax(ear.pitch_power) == 69 - 33
    assert 0.5 < ear.pitch_power[69 - 33] < 2.0


def test_flux_is_the_rise_of_the_compressed_powers(bands):
    rng = np.random.default_rng(2)
    sound = (rng.standard_normal(LONG + 40 * HOP) * 0.1).astype(np.float32)
    sound[LONG + 20 * HOP :] *= 5
    ear = Ear(bands)
    powers = []
    for i in range(40):
        ear.step(sound[(i + 1) * HOP : (i + 1) * HOP + LONG])
        powers.append(ear.onset_power.copy())
        if i >= FLUX_LAG:
            now = np.log1p(COMPRESSION * powers[i] / ear.level)
            before = np.log1p(COMPRESSION * powers[i - FLUX_LAG] / ear.level)
            np.testing.assert_allclose(ear.flux, np.maximum(0, now - before), atol=1e-4)


def test_gain_does_not_matter(bands):
    sound = play(made_up_notes(), RATE, 3.0)
    loud, soft = Ear(bands), Ear(bands)
    for stop in range(LONG, len(sound), HOP):
        loud.step(sound[stop - LONG : stop])
        soft.step(0.05 * sound[stop - LONG : stop])
        if stop > RATE:
            np.testing.assert_allclose(loud.flux, soft.flux, atol=2e-2)


# Scores and references


def test_midi_score_in_seconds_beats_and_bars():
    score = load_score(made_up_score())
    np.testing.assert_allclose(np.unique(score.onset), np.arange(24) * QUARTER, atol=1e-6)
    assert score.beat_at(3.25) == pytest.approx(6.5)
    assert score.seconds_at(6.5) == pytest.approx(3.25)
    assert [score.bar_at(beat) for beat in (0, 3.9, 4, 23)] == [1, 1, 2, 6]


MUSICXML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>P</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>2</beats>
<beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>
<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>60</per-minute></metronome>
</direction-type><sound tempo="60"/></direction>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration><type>quarter</type></note>
<note><pitch><step>E</step><octave>4</octave></pitch><duration>1</duration><type>quarter</type></note>
<barline location="right"><repeat direction="backward"/></barline></measure>
<measure number="2"><note><pitch><step>G</step><octave>4</octave></pitch><duration>2</duration>
<type>half</type></note></measure></part></score-partwise>"""


def test_repeats_of_musicxml_unfold_and_keep_their_printed_bar(tmp_path):
    path = tmp_path / "repeat.musicxml"
    path.write_text(MUSICXML)
    score = load_score(path)
    assert score.pitch.tolist() == [60, 64, 60, 64, 67]
    np.testing.assert_allclose(score.onset, [0, 1, 2, 3, 4], atol=1e-6)
    assert [score.bar_at(beat) for beat in (0.5, 2.5, 4.5)] == [1, 1, 2]


@pytest.mark.parametrize("name, text", [("a.mid", b"no midi"), ("a.musicxml", b"<x/>"), ("a.mei", b"\x00")])
def test_a_bad_score_is_one_clear_line(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text)
    with pytest.raises(FollowspotError, match="cannot be read"):
        load_score(path)


def test_templates_hold_the_partials_of_their_notes(bands):
    onset, pitch = note_powers(bands.rate, bands.tuning)
    assert np.argmax(pitch[57]) == 57 - 33
    for partial in (12, 19, 24):  # octave, twelfth, double octave
        band = 57 - 33 + partial
        assert pitch[57, band] > 10 * max(pitch[57, band - 3], pitch[57, band + 3])
    assert (onset[21:109].sum(axis=1) > 0).all()


def test_a_reference_expects_only_new_notes(reference):
    onsets = np.flatnonzero(reference.is_onset)
    np.testing.assert_allclose(reference.time[onsets], np.arange(24) * QUARTER, atol=1e-6)
    assert (reference.flux_power[~reference.is_onset] == 0).all()
    length = (reference.pitches**2).sum(axis=1)
    np.testing.assert_allclose(length[length > 0], 1.0, atol=1e-4)


# The filter


def mean_and_sd(grid, window):
    columns = np.arange(window[LEFT], window[RIGHT])
    belief = grid[0, window[SLOW] : window[FAST], window[LEFT] : window[RIGHT]].astype(float)
    total = belief.sum()
    mean = (belief.sum(axis=0) * columns).sum() / total
    sd = np.sqrt((belief.sum(axis=0) * (columns - mean) ** 2).sum() / total)
    return total, (window[ORIGIN] + mean) * CELL, sd * CELL


def belief():
    return np.zeros((4, len(TEMPI), 1200), np.float32), np.zeros(6, np.int64), np.zeros(STATES)


def test_the_belief_moves_by_its_tempo_and_keeps_its_mass():
    grid, window, state = belief()
    place(grid, window, state, TEMPI, CELL, 3.0, 0.05, 1.0, 1e-3, 1.0)
    before, start, _ = mean_and_sd(grid, window)
    for _ in range(50):
        advance(grid, window, state, TEMPI, CELL, HOP / RATE, 1e-6, 0.0, 0.0)
    after, stop, _ = mean_and_sd(grid, window)
    assert after == pytest.approx(before, rel=1e-3)
    assert stop - start == pytest.approx(50 * HOP / RATE, abs=1e-3)


def test_reading_gives_position_tempo_and_evidence():
    grid, window, state = belief()
    place(grid, window, state, TEMPI, CELL, 3.0, 0.03, 1.0, 1e-3, 1.0)
    total, mean, _ = mean_and_sd(grid, window)
    column, stops = grid[0].sum(axis=0), np.zeros(1200, np.int64)
    assert read(grid, window, state, TEMPI, CELL, HOP / RATE, 0.1, 8.0, 1e-8, 0.1, (0.1, 0.8), stops, column)
    assert state[0] == pytest.approx(mean, abs=1e-3) == pytest.approx(3.0, abs=2e-3)
    assert state[1] == pytest.approx(1.0)
    assert state[EVIDENCE] == pytest.approx(np.log(total), abs=1e-4)
    assert state[SCALE] * mean_and_sd(grid, window)[0] == pytest.approx(1.0, abs=1e-4)


def test_who_comes_to_an_onset_may_wait_in_front_of_it():
    grid, window, state = belief()
    place(grid, window, state, TEMPI, CELL, 3.0, 0.02, 1.0, 1e-3, 1.0)
    time, onset, stops = np.array([3.1]), np.array([True]), np.zeros(1200, np.int64)
    for _ in range(20):
        advance(grid, window, state, TEMPI, CELL, HOP / RATE, 1e-6, 0.0, 0.0)
        wait(grid, window, TEMPI, CELL, HOP / RATE, time, onset, 0.4, 0.0, 0.1, 0.0, stops)
    total = grid[0].sum() + grid[2].sum() + grid[3].sum()
    assert (grid[2].sum() + grid[3].sum()) / total == pytest.approx(0.4, abs=0.02)
    assert {int(j) for j in np.flatnonzero((grid[2] + grid[3]).sum(axis=0))} == {
        int(np.ceil(3.1 / CELL)) - 1 - window[ORIGIN]
    }
    assert list(stops[: window[STOPS]]) == [int(np.ceil(3.1 / CELL)) - 1 - window[ORIGIN]]
    assert grid[3].sum() > 0.5 * grid[2].sum()
    for _ in range(200):
        wait(grid, window, TEMPI, CELL, HOP / RATE, time, onset, 0.0, 0.1, 0.0, 0.1, stops)
    assert (grid[2].sum() + grid[3].sum()) / total < 1e-3


@pytest.mark.parametrize("loudness", [1.0, 0.5, 0.0])
def test_an_onset_may_be_played_as_loud_as_expected_or_softly(loudness):
    rng = np.random.default_rng(0)
    template = rng.uniform(1.0, 3.0, 12).astype(np.float32)
    flux, power = loudness * template, float(template @ template)
    grid, window, state = belief()
    place(grid, window, state, TEMPI, CELL, 3.0, 0.1, 1.0, 1e-3, 1.0)
    state[SCALE], state[SOFT] = 1.0, 0.2
    before = grid[0].copy()
    weigh(
        grid, window, state, TEMPI, CELL, HOP / RATE,
        np.array([3.0]), np.array([True]), template[None], np.array([power]), np.ones((1, 4), np.float32),
        np.array([1.0]), flux, np.ones(4, np.float32), 0.7, 16.0, 0.3, 0.5, -3.0, 0.0, 0.0,
        np.zeros(1200, np.int64), np.zeros(1200, np.float32), np.zeros(1200, np.float32),
    )  # fmt: skip

    def likelihood(scale):
        error = ((flux - scale * template) ** 2).sum()
        return -0.7 * error / (16.0 + 0.15 * ((flux**2).sum() + scale**2 * power))

    loud, soft = (np.exp(max(likelihood(scale) - likelihood(0.0), -3.0)) for scale in (1.0, 0.5))
    j = int(np.ceil(3.0 / CELL)) - window[ORIGIN]  # the first cell after the onset
    k = int(np.argmin(np.abs(np.log(TEMPI))))
    assert grid[0, k, j] / before[k, j] == pytest.approx(0.8 * loud + 0.2 * soft, rel=1e-4)
    assert grid[0, k, j - 1] == pytest.approx(before[k, j - 1])
    assert state[STRUCK_SOFTLY] / state[STRUCK] == pytest.approx(
        0.2 * soft / (0.8 * loud + 0.2 * soft), rel=1e-4
    )


@pytest.mark.parametrize(("softly", "share"), [(1.0, 0.28), (0.5, 0.23), (0.0, 0.18)])
def test_the_share_of_soft_notes_is_learnt_from_those_just_struck(softly, share):
    grid, window, state = belief()
    place(grid, window, state, TEMPI, CELL, 3.0, 0.03, 1.0, 1e-3, 1.0)
    column, stops = grid[0].sum(axis=0), np.zeros(1200, np.int64)
    state[SOFT], state[STRUCK] = 0.2, column.sum()
    state[STRUCK_SOFTLY] = softly * state[STRUCK]
    assert read(grid, window, state, TEMPI, CELL, HOP / RATE, 0.1, 8.0, 1e-8, 0.1, (0.1, 0.8), stops, column)
    assert state[SOFT] == pytest.approx(share)


def test_waiting_in_front_of_every_note_does_not_hide_that_the_tempo_is_too_fast():
    grid, window, state = belief()
    place(grid, window, state, TEMPI, CELL, 3.0, 0.03, 1.0, 1e-3, 8.0)
    column, stops = grid[0].sum(axis=0), np.zeros(1200, np.int64)
    for _ in range(2000):
        window[ORIGIN] += 2  # moves on at 0.86, and is said to wait for nine tenths of the time
        state[WAITING] = 0.9 * column.sum()
        assert read(
            grid,
            window,
            state,
            TEMPI,
            CELL,
            HOP / RATE,
            0.1,
            8.0,
            1e-8,
            0.1,
            (0.1, 0.8),
            stops,
            column.copy(),
        )
    assert np.exp(state[SLOW_LOG_TEMPO]) == pytest.approx(2 * 2 * CELL * RATE / HOP, rel=0.1)


def test_straight_lines_go_on_beyond_their_ends():
    xs, ys = np.array([1.0, 2.0, 4.0]), np.array([10.0, 11.0, 12.0])
    for x in (1.0, 1.5, 2.5, 3.9):
        assert straight(x, xs, ys)[0] == pytest.approx(np.interp(x, xs, ys))
    assert straight(3.0, xs, ys)[1] == pytest.approx(0.5)
    assert straight(0.0, xs, ys) == pytest.approx((9.0, 1.0))
    assert straight(6.0, xs, ys) == pytest.approx((14.0, 1.0))


def test_what_is_held_long_is_expected_to_be_held_longer_still():
    onsets = np.cumsum([0.0, 0.5, 0.5, 0.5, 0.5, 2.0, 0.5, 0.5, 0.5])
    intervals = np.diff(onsets)
    around = np.exp(np.mean(np.log(intervals)))  # all lie within 3 s of the long one
    longer = np.diff(drawn_out(onsets)) / intervals
    assert longer[4] == pytest.approx(1.0 + 0.05 * np.log2(2.0 / around / 1.5))
    np.testing.assert_allclose(np.delete(longer, 4), 1.0)


def test_a_held_note_is_waited_for_and_said_in_seconds_of_the_score(bands):
    score = load_score(made_up_score())
    onset = np.where(score.onset > 4.0, score.onset + 2.0, score.onset)
    held = reference_of_score(replace(score, onset=onset, end=score.end + 2.0 * (score.onset > 4.0)), bands)
    np.testing.assert_allclose(held.seconds[held.is_onset], np.unique(onset), atol=1e-6)
    drawn = held.time[-1] - held.seconds[-1]
    assert 0.05 < drawn < 0.2
    tracker = Tracker(held, RATE)
    tracker._main.place(3.0, 0.03, 1.0, 0.1)
    assert tracker.until(3.5) == pytest.approx(0.5)
    assert tracker.until(10.0) == pytest.approx(7.0 + drawn)


def test_the_coarse_search_is_viterbi_with_jumps():
    rng = np.random.default_rng(3)
    cells, ticks = 40, 12
    coarse = rng.random((cells, 24)).astype(np.float32)
    queries = rng.random((ticks, 24)).astype(np.float32)
    prices = np.array([1.0, 0.3, 0.0, 0.4], np.float32)
    scores, best = np.zeros((2, cells), np.float32), np.array([0.0, -1e30])
    textbook = np.zeros(cells)
    for query in queries:
        for start in range(0, cells, 7):
            search_slice(scores, best, query, coarse.T.copy(), prices, 2.0, 6.0, start, min(start + 7, cells))
        turn_over(scores, best)
        new = np.empty(cells)
        for j in range(cells):
            steps = [textbook[j - s] - prices[s] for s in range(4) if j >= s]
            new[j] = max([*steps, textbook.max() - 2.0]) + 6.0 * float(query @ coarse[j])
        textbook = new
    np.testing.assert_allclose(scores[0] - scores[0].max(), textbook - textbook.max(), atol=1e-4)
    top, second = np.argsort(textbook)[[-1, -2]]
    assert best_cell(scores, np.array([top]), 0, 0, 0.0)[0] == second
    cell, outside, inside = best_cell(scores, np.array([second]), 0, int(second), 0.01)
    here = textbook - 0.01 * np.abs(np.arange(cells) - second) - textbook.max()
    here[second] = -np.inf
    assert cell == here.argmax() and outside == pytest.approx(here.max(), abs=1e-4)
    assert inside == pytest.approx(textbook[second] - textbook.max(), abs=1e-4)


# The whole


@pytest.mark.parametrize("tempo", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("gain", [0.02, 1.0])
def test_follows_at_other_tempi_and_gains(reference, bands, tempo, gain):
    start = 0.7
    sound = gain * play(made_up_notes(tempo, start), RATE, start + 12 / tempo)
    rows, states = follow(reference, bands, sound)
    assert states[int(0.3 * RATE / HOP)] == "waiting"
    playing = (rows[:, 0] > start + 1.5 / tempo) & (rows[:, 0] < start + 11 / tempo)
    error = rows[playing, 1] / tempo + start - rows[playing, 0]
    assert np.median(np.abs(error)) < 0.05
    assert np.mean(np.abs(error) < 0.12) > 0.9
    assert np.median(rows[playing, 2]) == pytest.approx(tempo, rel=0.1)


def test_follows_noise_wrong_and_missing_notes(reference, bands):
    rng = np.random.default_rng(4)
    notes = made_up_notes()
    notes = notes[rng.random(len(notes)) > 0.1]
    wrong = rng.random(len(notes)) < 0.1
    notes[wrong, 1] += rng.integers(1, 3, wrong.sum())
    sound = play(notes, RATE, 12.0)
    sound += (rng.standard_normal(len(sound)) * np.sqrt(np.mean(sound**2) / 10)).astype(np.float32)
    rows, _ = follow(reference, bands, sound)
    error = np.abs(rows[:, 1] - rows[:, 0])[(rows[:, 0] > 2) & (rows[:, 0] < 11)]
    assert np.mean(error < 0.1) > 0.8


def test_finds_itself_after_a_skip_and_from_the_middle(reference, bands):
    notes = made_up_notes()
    after = notes[notes[:, 0] >= 6.0]
    rows, _ = follow(reference, bands, play(after - [6.0, 0], RATE, 6.0))
    late = (rows[:, 0] > 4.0) & (rows[:, 0] < 5.5)
    assert np.mean(np.abs(rows[late, 1] - rows[late, 0] - 6.0) < 0.2) > 0.9


@pytest.mark.parametrize("verse", [1, 4])
def test_of_verses_that_begin_alike_the_right_one_is_found_where_they_differ(bands, verse):
    rng = np.random.default_rng(1)
    phrase = rng.integers(55, 80, 8)
    verses = [np.concatenate([phrase, rng.integers(50, 85, 8)]) for _ in range(6)]
    pitch = np.concatenate([rng.integers(50, 85, 8), *verses])
    onset = np.arange(len(pitch)) * QUARTER
    end = onset + QUARTER
    knots = np.array([[0.0, 0.0], [end[-1], len(pitch)]])
    score = Score(onset, end, pitch, knots, np.array([[0.0, 1.0]]))
    start = (8 + 16 * verse) * QUARTER
    played = np.stack([onset - start, pitch], 1)[onset >= start]
    rows, _ = follow(reference_of_score(score, bands), bands, play(played, RATE, 9.0))
    wrong = np.abs(rows[:, 1] - rows[:, 0] - start) > 1.0
    assert 8 * QUARTER <= rows[wrong, 0].max() < 8 * QUARTER + 2.5  # not before they differ, or it was luck


def test_another_piece_is_lost_and_silence_waits(reference, bands):
    rng = np.random.default_rng(5)
    other = np.stack([np.sort(rng.uniform(0, 20, 90)), rng.integers(40, 90, 90)], 1)
    _, states = follow(reference, bands, play(other, RATE, 20.0))
    assert "lost" in states[-int(8 * RATE / HOP) :]
    _, states = follow(reference, bands, np.zeros(3 * RATE, np.float32))
    assert set(states) == {"waiting"}


def test_a_recording_is_a_reference_too(tmp_path, bands):
    import soundfile

    path = tmp_path / "other.wav"
    soundfile.write(path, play(made_up_notes(0.8), RATE, 15.0), RATE)
    rows, _ = follow(load_reference(path, bands), bands, play(made_up_notes(1.0), RATE, 12.0))
    playing = (rows[:, 0] > 2) & (rows[:, 0] < 11)
    error = rows[playing, 1] * 0.8 - rows[playing, 0]
    assert np.mean(np.abs(error) < 0.1) > 0.9


def test_recordings_are_fused(tmp_path, bands):
    import soundfile

    slow, quick = tmp_path / "slow.wav", tmp_path / "quick.wav"
    soundfile.write(slow, play(made_up_notes(0.8), RATE, 15.0), RATE)
    soundfile.write(quick, play(made_up_notes(1.2), RATE, 10.0), RATE)
    alone, fused = load_reference(slow, bands), load_reference(f"{slow}|{quick}", bands)
    np.testing.assert_array_equal(fused.time, alone.time)
    played = fused.pitches[fused.is_onset], alone.pitches[alone.is_onset]
    assert np.median((played[0] * played[1]).sum(axis=1)) > 0.95  # the same notes at the same places
    assert not np.allclose(fused.flux, alone.flux)
    rows, _ = follow(fused, bands, play(made_up_notes(1.0), RATE, 12.0))
    playing = (rows[:, 0] > 2) & (rows[:, 0] < 11)
    assert np.mean(np.abs(rows[playing, 1] * 0.8 - rows[playing, 0]) < 0.1) > 0.9


def test_what_cannot_be_fused_is_said_in_one_line(tmp_path, bands):
    import soundfile

    notes = made_up_notes()
    first, high, noise = (tmp_path / f"{name}.wav" for name in ("first", "high", "noise"))
    soundfile.write(first, play(notes, RATE, 12.0), RATE)
    soundfile.write(high, play(np.add(notes, (0.0, 2.0)), RATE, 12.0), RATE)
    soundfile.write(noise, 0.1 * np.random.default_rng(1).standard_normal(12 * RATE), RATE)
    with pytest.raises(FollowspotError, match="2 semitones from"):
        load_reference(f"{first}|{high}", bands)
    with pytest.raises(FollowspotError, match="another piece than"):
        load_reference(f"{first}|{noise}", bands)
    with pytest.raises(FollowspotError, match="scores are not fused"):
        load_reference(f"{first}|{made_up_score()}", bands)


def test_follow_on_the_command_line(tmp_path, capsys):
    import soundfile

    sound = tmp_path / "played.wav"
    soundfile.write(sound, play(made_up_notes(), RATE, 12.0), RATE)
    events = tmp_path / "events.jsonl"
    assert (
        main(["follow", str(made_up_score()), "--input", str(sound), "--offline", "--events", str(events)])
        == 0
    )
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert len(lines) >= 20 * 11
    assert all(line["kind"] == "position" and line["time"] <= line["emitted"] + 1e-6 for line in lines)
    at = next(line for line in lines if line["time"] >= 6.0)
    assert at["seconds"] == pytest.approx(6.0, abs=0.1)
    assert at["beat"] == pytest.approx(12.0, abs=0.2)
    assert at["bar"] in (3, 4) and at["state"] == "tracking"
    assert main(["follow", str(tmp_path / "none.mid"), "--input", str(sound)]) == 2
    assert "there is no such file" in capsys.readouterr().err
