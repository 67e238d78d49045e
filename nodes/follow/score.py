"""A score as notes in time: MIDI, MusicXML, compressed MusicXML and MEI.

Repeats are unfolded; every note keeps its printed bar. MIDI is read with mido, everything else with
partitura (imported only then; it must not find pyfluidsynth, with which it reaches for the network).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError

Floats = npt.NDArray[np.float64]

#: Onset, end, pitch, name of the note, number of its part.
Note = tuple[float, float, int, str, int]

SUFFIXES = {".mid", ".midi", ".musicxml", ".xml", ".mxl", ".mei"}
DEFAULT_QPM = 120.0


@dataclass(frozen=True)
class Score:
    """The notes of a score with its repeats played, in order of onset.

    Attributes
    ----------
    onset, end : seconds at the notated tempo (120 quarters a minute where none is written).
    pitch : MIDI pitch.
    knots : (seconds, beat) pairs between which musical time is linear. A beat is a quarter note of the
        unfolded score, counted from its start (the pick-up's, if there is one).
    bars : (beat at which the bar starts, printed number of the bar) in playing order.
    marks : (beat, text) of rehearsal letters and other words above the score, markers of a MIDI file.
    part : of each note the index of its part in `parts`.
    parts : names of the parts that have notes: of a MIDI file its tracks, taken apart by channel.
    ids : name of each note in the file, the same whenever a repeat is played; "" where it has none.
    """

    onset: Floats
    end: Floats
    pitch: npt.NDArray[np.int64]
    knots: Floats
    bars: Floats
    ids: tuple[str, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    part: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    parts: tuple[str, ...] = ()

    def beat_at(self, seconds: float) -> float:
        """Beat at a time of the score."""
        return _interpolate(seconds, self.knots[:, 0], self.knots[:, 1])

    def seconds_at(self, beat: float) -> float:
        """Time of the score at a beat."""
        return _interpolate(beat, self.knots[:, 1], self.knots[:, 0])

    def bar_at(self, beat: float) -> int:
        """Printed number of the bar that a beat lies in."""
        row = int(np.searchsorted(self.bars[:, 0], beat + 1e-6, "right")) - 1
        return int(self.bars[max(row, 0), 1])


def _interpolate(x: float, xs: Floats, ys: Floats) -> float:
    """Linear between knots, and on with the first and last slope outside."""
    i = min(max(int(np.searchsorted(xs, x)) - 1, 0), len(xs) - 2)
    return float(ys[i] + (x - xs[i]) * (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]))


def load_score(path: str | Path) -> Score:
    """Read a score; FollowspotError says what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        raise FollowspotError(f"score {path}: there is no such file; check the path")
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> Score:
    """Read once, however many nodes ask."""
    try:
        score = _load_midi(path) if path.suffix.lower() in {".mid", ".midi"} else _load_engraved(path)
    except FollowspotError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise FollowspotError(
            f"score {path}: cannot be read ({reason}); give MIDI, MusicXML (.mxl too) or MEI"
        ) from None
    if len(score.onset) == 0:
        raise FollowspotError(f"score {path}: it holds no notes; give another file")
    return score


def _load_midi(path: Path) -> Score:
    import mido

    file = mido.MidiFile(path)
    per_quarter = file.ticks_per_beat
    last = 0
    seconds = 0.0
    tempo = 500000
    signatures: list[tuple[int, int, int]] = []  # tick, numerator, denominator
    clock: list[tuple[int, float]] = [(0, 0.0)]
    notes: list[Note] = []
    sounding: dict[tuple[int, int, int], list[float]] = {}
    marks: list[tuple[float, str]] = []
    for tick, track, message in _in_time(file.tracks):
        seconds += mido.tick2second(tick - last, per_quarter, tempo)
        last = tick
        if message.type == "set_tempo":
            tempo = message.tempo
            clock.append((tick, seconds))
        elif message.type in {"marker", "cue_marker"}:
            marks.append((tick / per_quarter, message.text))
        elif message.type == "time_signature":
            signatures.append((tick, message.numerator, message.denominator))
        elif message.type in {"note_on", "note_off"} and message.channel != 9:
            key = (track, message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                sounding.setdefault(key, []).append(seconds)
            elif sounding.get(key):
                notes.append((sounding[key].pop(0), seconds, message.note, "", 16 * track + message.channel))
    for (track, channel, pitch), starts in sounding.items():  # never let go: they sound to the end
        notes += [(start, seconds, pitch, "", 16 * track + channel) for start in starts]
    clock.append((last + per_quarter, seconds + mido.tick2second(per_quarter, per_quarter, tempo)))
    if not signatures or signatures[0][0] > 0:
        signatures.insert(0, (0, 4, 4))
    knots = np.array([(s, t / per_quarter) for t, s in clock])
    names = _names_of_tracks([" ".join(track.name.split()) for track in file.tracks], notes)
    return _score(notes, knots, _bars_of_ticks(signatures, per_quarter, last), marks, names)


def _in_time(tracks: list[Any]) -> list[tuple[int, int, Any]]:
    """(tick, number of the track, message) of all tracks in order of time."""
    found = []
    for number, track in enumerate(tracks):
        ticks = accumulate(message.time for message in track)
        found += [(tick, number, message) for tick, message in zip(ticks, track, strict=True)]
    return sorted(found, key=lambda entry: entry[0])


def _names_of_tracks(titles: list[str], notes: list[Note]) -> list[str]:
    """Of each track and channel (16 * track + channel) its name."""
    used = {note[4] for note in notes}
    names = []
    for track, title in enumerate(titles):
        name = title or f"track {track + 1}"
        several = sum(number // 16 == track for number in used) > 1
        names += [f"{name} channel {channel + 1}" if several else name for channel in range(16)]
    return names


def _bars_of_ticks(signatures: list[tuple[int, int, int]], per_quarter: int, last_tick: int) -> Floats:
    """(quarter at which a bar starts, its number) under changing time signatures."""
    last = {tick: 4.0 * numerator / denominator for tick, numerator, denominator in signatures}
    starts = [tick / per_quarter for tick in last]
    stops = [*starts[1:], last_tick / per_quarter + 1e-6]
    bars = [
        quarter
        for start, stop, length in zip(starts, stops, last.values(), strict=True)
        for quarter in np.arange(start, stop - 1e-9, length)
    ]
    return np.array([(quarter, k + 1) for k, quarter in enumerate(bars or [0.0])], np.float64)


def _load_engraved(path: Path) -> Score:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import partitura
    except ImportError:
        raise FollowspotError(
            f"score {path}: reading it needs partitura; pip install partitura, or give a MIDI file"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = partitura.load_score(str(path))
        parts = list(whole.parts)
        # Merging numbers the voices of all parts on.
        voices = np.cumsum([max(part.note_array()["voice"], default=1) for part in parts])
        part = partitura.score.merge_parts(parts) if len(parts) > 1 else parts[0]
        part = partitura.score.unfold_part_maximal(part)
        array = part.note_array()
        quarter_map = part.quarter_map
        tempi = [
            (float(quarter_map(t.start.t)), float(_qpm(t))) for t in part.iter_all(partitura.score.Tempo)
        ]
        zero = float(quarter_map(part.first_point.t))
        end = float(quarter_map(part.last_point.t))
        bars = [
            (float(quarter_map(m.start.t)) - zero, _number(m)) for m in part.iter_all(partitura.score.Measure)
        ]
        marks = [
            (float(quarter_map(word.start.t)) - zero, str(word.text))
            for word in part.iter_all(partitura.score.Words)
        ]
    if not tempi:
        tempi = [(zero, DEFAULT_QPM)]
    clock = _Clock(sorted(tempi), zero)
    start = clock(array["onset_quarter"])
    stop = clock(array["onset_quarter"] + array["duration_quarter"])
    ids = [_printed(str(id)) for id in array["id"]]
    owner = np.searchsorted(voices, array["voice"]).tolist()
    notes = list(zip(start, stop, array["pitch"], ids, owner, strict=True))
    names = [" ".join((part.part_name or part.id or "").split()) for part in parts]
    quarters = np.unique([zero, max(end, zero + 1.0), *[q for q, _ in tempi]])
    knots = np.stack([clock(quarters), quarters - zero], 1)
    return _score(notes, knots, np.array(bars or [(0.0, 1)], np.float64), marks, names)


class _Clock:
    """Seconds of quarters under tempo marks; zero at the start of the first bar."""

    def __init__(self, tempi: list[tuple[float, float]], zero: float) -> None:
        self._quarters = np.array([q for q, _ in tempi])
        self._spq = 60.0 / np.array([qpm for _, qpm in tempi])
        self._seconds = np.concatenate([[0.0], np.cumsum(np.diff(self._quarters) * self._spq[:-1])])
        self._zero = 0.0
        self._zero = float(self(np.array([zero]))[0])

    def __call__(self, quarters: npt.ArrayLike) -> Floats:
        q = np.asarray(quarters, np.float64)
        row = np.maximum(np.searchsorted(self._quarters, q, "right") - 1, 0)
        return self._seconds[row] + (q - self._quarters[row]) * self._spq[row] - self._zero


def _qpm(tempo: object) -> float:
    """Quarters a minute of a partitura tempo mark."""
    unit = str(getattr(tempo, "unit", "") or "q")
    bpm = float(tempo.bpm)  # type: ignore[attr-defined]
    length = {"w": 4.0, "h": 2.0, "q": 1.0, "e": 0.5, "s": 0.25}.get(unit[0], 1.0)
    return bpm * length * (1.5 if unit.endswith(".") else 1.0)


def _printed(id: str) -> str:
    """Name of a note in the file: unfolding adds the number of the pass."""
    return id.rpartition("-")[0] or id


def _number(measure: object) -> int:
    """Printed number of a partitura measure."""
    name = str(getattr(measure, "name", "") or "")
    return int(name) if name.isdigit() else int(getattr(measure, "number", 0) or 0)


def _score(
    notes: list[Note],
    knots: Floats,
    bars: Floats,
    marks: list[tuple[float, str]],
    names: list[str],
) -> Score:
    notes = sorted(notes)
    array = np.array([note[:3] for note in notes], np.float64).reshape(-1, 3)
    used, part = np.unique([note[4] for note in notes], return_inverse=True)
    keep = np.concatenate([[True], np.diff(knots[:, 0]) > 1e-9]) if len(knots) else np.zeros(0, bool)
    return Score(
        array[:, 0],
        array[:, 1],
        array[:, 2].astype(np.int64),
        knots[keep],
        bars,
        tuple(note[3] for note in notes),
        tuple(marks),
        part.astype(np.int64),
        tuple(names[number] or f"part {number + 1}" for number in used.astype(int)),
    )
