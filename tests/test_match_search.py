"""Notes in notes and themes in recordings."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from apps.cli import main
from engine.errors import FollowspotError
from nodes.match.library import Library, writing
from nodes.match.points import Points, Theme, included, most_common
from nodes.match.references import analyse
from nodes.match.typed import typed_notes
from tests.match_music import RATE, strike


def score(seed: int, count: int = 120):
    """Notes of a melody with chords below, on a grid of quarters of a second."""
    noise = np.random.default_rng(seed)
    melody = np.cumsum(noise.choice([-4, -3, -2, -1, 1, 2, 3, 5], count)) % 24 + 60
    onsets = np.cumsum(noise.choice([0.25, 0.25, 0.5, 0.75], count))
    notes = [(t, 0.25, p, 0.7) for t, p in zip(onsets, melody, strict=True)]
    for t in np.arange(0.25, onsets[-1], 0.5):
        notes += [(t, 0.5, p, 0.5) for p in noise.choice(np.arange(36, 58), 2, replace=False)]
    return melody, onsets, np.array(sorted(notes))


def theme(melody, onsets, first: int, count: int, *, tempo: float = 1.0, lift: int = 0):
    part = slice(first, first + count)
    columns = (
        (onsets[part] - onsets[first]) * tempo,
        np.full(count, 0.2),
        melody[part] + lift,
        np.ones(count),
    )
    return np.stack(columns, axis=1)


def test_inclusion_and_most_common_points_against_their_definitions():
    noise = np.random.default_rng(1)
    text_notes = np.stack([noise.integers(0, 60, 80) * 0.5, np.ones(80), noise.integers(50, 60, 80)], axis=1)
    text_notes = np.unique(text_notes, axis=0)
    text = Points(text_notes)
    there = set(zip(text.times.tolist(), text.pitches.tolist(), strict=True))
    picked = noise.choice(len(text), 4, replace=False)
    for query in (
        Points(text_notes[picked] + (3.0, 0, 7)),
        Points(text_notes[picked] * (1, 1, 0) + (0, 0, 55)),
    ):
        every = list(zip(query.times, query.pitches, strict=True))
        moves = {(t - query.times[0], int(p - query.pitches[0])) for t, p in there}
        pairs = {(t - q, int(p - r)) for t, p in there for q, r in every}
        counts = {(dt, dp): sum((t + dt, p + dp) in there for t, p in every) for dt, dp in pairs}
        whole = sorted(move for move in moves if counts[move] == len(query))
        found = included(query, text)
        assert sorted((f.seconds - query.times[0], -f.transposition) for f in found) == whole
        best = most_common(query, text)
        assert best is not None and best.notes == max(counts.values())
        assert counts[best.seconds - query.times[0], -best.transposition] == best.notes


@pytest.mark.parametrize(("tempo", "lift"), [(1.0, 0), (0.7, 5), (1.5, -3)])
def test_triples_find_a_theme_in_any_key_at_any_tempo(tempo, lift):
    texts = [score(seed) for seed in range(6)]
    melody, onsets, _ = texts[4]
    wanted = Theme(Points(theme(melody, onsets, 50, 12, tempo=tempo, lift=lift)))
    places = [wanted.aligned(Points(notes)) for _, _, notes in texts]
    counts = [0 if place is None else place.notes for place in places]
    assert counts[4] == 12 and max(counts[:4] + counts[5:]) < 10
    assert places[4].transposition == lift
    assert places[4].tempo == pytest.approx(1 / tempo, rel=0.02)
    assert places[4].seconds == pytest.approx(onsets[50], abs=0.1)


def test_typed_notes():
    notes = typed_notes("C4 F#5:2 Bb3 r:1 60")
    assert notes[:, 0].tolist() == [0.0, 0.5, 1.5, 3.0]
    assert notes[:, 2].tolist() == [60, 78, 58, 60]
    for wrong in ("H4", "C", "200", "r"):
        with pytest.raises(FollowspotError, match=r"note|range"):
            typed_notes(wrong)


def test_search_on_the_command_line(tmp_path: Path, capsys):
    melody, onsets, notes = score(1)
    song = mido.MidiFile(ticks_per_beat=480)
    events = sorted(
        [(round(t * 960), "note_on", int(p)) for t, _, p, _ in notes]
        + [(round((t + d) * 960) - 1, "note_off", int(p)) for t, d, p, _ in notes]
    )
    at = 0
    track = mido.MidiTrack()
    for tick, kind, pitch in events:
        track.append(mido.Message(kind, note=pitch, velocity=80, time=tick - at))
        at = tick
    song.tracks.append(track)
    song.save(tmp_path / "score.mid")
    audio = np.zeros(40 * RATE)
    partials = (1.0, 0.5, 0.3)
    for t, d, p, _ in theme(melody, onsets, 20, 30, tempo=1.1, lift=2):  # another key, alone, played
        strike(audio, 8.0 + t, d + 0.2, int(p), partials)
    for t, p in zip(np.arange(0.0, 8.0, 0.4), np.random.default_rng(7).integers(50, 70, 20), strict=True):
        strike(audio, float(t), 0.4, int(p), partials)
    soundfile.write(tmp_path / "played.wav", 0.1 * audio[: 30 * RATE], RATE)
    folder = tmp_path / "library"
    with writing(folder, create=True) as writer:
        for name in ("score.mid", "played.wav"):
            writer.add([(name, tmp_path / name, analyse(tmp_path / name))])
        writer.finish()
    assert len(Library(folder).segments) == 1
    typed = [
        f"{pitch + 3}:{gap / 0.5:g}" for pitch, gap in zip(melody[20:34], np.diff(onsets)[20:34], strict=True)
    ]
    assert main(["library", "search", *typed, "--library", str(folder)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "score.mid" in line)
    assert "+3" in line and "100 %" in line
    assert main(["library", "search", *typed, "--by", "sound", "--library", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("played.wav" in line and "+1" in line for line in lines)
    assert main(["library", "search", "none.mid", "--library", str(folder)]) == 2
    assert "no such file" in capsys.readouterr().err
