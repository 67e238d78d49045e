"""Performances made harder: out of tune, in a hall, in noise, with slips, at other tempi and gains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr

from tests.benchmarks.follow_data import BUILD, Performance, render

RATE = 44100
Notes = list[tuple[float, float, int, int]]  # onset s, end s, pitch, velocity


def detuned(sound: np.ndarray, cents: float) -> tuple[np.ndarray, float]:
    """Played back faster or slower; and by how much its times stretch."""
    ratio = 2.0 ** (cents / 1200.0)
    return soxr.resample(sound, RATE, RATE / ratio), 1.0 / ratio


def in_a_hall(sound: np.ndarray, seconds: float = 1.5) -> np.ndarray:
    """With noise that decays by 60 dB in `seconds` as impulse response, half as loud as the direct sound."""
    time = np.arange(int(seconds * RATE)) / RATE
    response = np.random.default_rng(1).standard_normal(len(time)) * 10.0 ** (-3.0 * time / seconds)
    response /= 2.0 * np.sqrt((response**2).sum())
    size = len(sound) + len(time)
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
    return (sound + wet[: len(sound)]).astype(np.float32)


def noisy(sound: np.ndarray, snr_db: float = 10.0) -> np.ndarray:
    """With white noise so far below."""
    noise = np.random.default_rng(2).standard_normal(len(sound))
    noise *= np.sqrt(np.mean(sound**2) / 10.0 ** (snr_db / 10.0))
    return (sound + noise).astype(np.float32)


def other_gains(sound: np.ndarray, every: float = 5.0, db: float = 12.0) -> np.ndarray:
    """A gain of -db to +db dB that changes every so many seconds, within 50 ms."""
    count = int(len(sound) / RATE / every) + 2
    steps = 10.0 ** (np.random.default_rng(3).uniform(-db, db, count) / 20.0)
    time = np.arange(len(sound)) / RATE
    edges = np.repeat(np.arange(1, count) * every, 2) + np.tile([-0.025, 0.025], count - 1)
    gains = np.interp(time, edges, np.repeat(steps, 2)[1:-1])
    return (sound * gains / np.abs(steps).max()).astype(np.float32)


def notes_of(midi: Path) -> Notes:
    """The notes of a performance, pedal left out."""
    time, sounding, found = 0.0, {}, []
    for message in mido.MidiFile(midi):
        time += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = (time, message.velocity)
        elif message.type in {"note_on", "note_off"} and message.note in sounding:
            start, velocity = sounding.pop(message.note)
            found.append((start, time, message.note, velocity))
    return sorted(found)


def slips(notes: Notes, share: float = 0.05) -> Notes:
    """So many left out, so many a semitone or two off."""
    rng = np.random.default_rng(4)
    kept = [note for note in notes if rng.random() >= share]
    return [
        (a, b, int(np.clip(pitch + rng.choice([-2, -1, 1, 2]) * (rng.random() < share), 21, 108)), v)
        for a, b, pitch, v in kept
    ]


def wandering_tempo(seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    """Times under a tempo that walks at random between half and twice as fast."""
    rng = np.random.default_rng(5)
    walk, tempo = 0.0, []
    for _ in range(int(seconds / 0.1) + 2):
        walk += 0.05 * rng.standard_normal()
        walk = np.log(2.0) - abs(abs(walk + np.log(2.0)) % (4 * np.log(2.0)) - 2 * np.log(2.0))
        tempo.append(np.exp(walk))
    edges = np.arange(len(tempo) + 1) * 0.1
    warped = np.concatenate([[0.0], np.cumsum(0.1 / np.array(tempo))])
    return lambda times: np.interp(times, edges, warped)


def rendered(notes: Notes, name: str) -> np.ndarray:
    """The sound of notes."""
    file, track = mido.MidiFile(ticks_per_beat=1000), mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=1000000, time=0))
    edges = [(a, 1, p, v) for a, _, p, v in notes] + [(b, 0, p, 0) for _, b, p, _ in notes]
    last = 0
    for time, _, pitch, velocity in sorted(edges):
        tick = round(1000 * time)
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=tick - last))
        last = tick
    file.tracks.append(track)
    midi = BUILD / f"{name}.mid"
    file.save(midi)
    sound, _ = soundfile.read(render(midi, name, 0), dtype="float32")
    return sound


def hardships(
    performance: Performance, midi: Path, seconds: float
) -> Iterator[tuple[str, np.ndarray, Performance]]:
    """(what, sound, performance with its true beats), the first so many seconds of each."""
    sound, _ = soundfile.read(performance.audio, dtype="float32", frames=int(seconds * RATE))
    beats = performance.beats
    yield "as it is", sound, performance
    for cents in (-50.0, 50.0):
        changed, stretch = detuned(sound, cents)
        moved = np.stack([beats[:, 0], beats[:, 1] * stretch], 1)
        yield f"{cents:+.0f} cents", changed, replace(performance, beats=moved)
    yield "reverberation 1.5 s", in_a_hall(sound), performance
    yield "noise at 10 dB", noisy(sound), performance
    yield "gain +-12 dB", other_gains(sound), performance
    notes = [note for note in notes_of(midi) if note[0] < seconds]
    yield "5 % wrong, 5 % missing", rendered(slips(notes), f"{performance.name}-slips"), performance
    warp = wandering_tempo(seconds)
    ends = warp(np.array([note[:2] for note in notes]))
    walked = [(a, b, p, v) for (a, b), (_, _, p, v) in zip(ends.tolist(), notes, strict=True)]
    inside = beats[beats[:, 1] < seconds]
    moved = np.stack([inside[:, 0], warp(inside[:, 1])], 1)
    yield (
        "tempo walks 0.5 to 2",
        rendered(walked, f"{performance.name}-walk"),
        replace(performance, beats=moved),
    )
