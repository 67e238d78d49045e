"""The scan and its second witness where others play than the library's piano: known when, and false alarms.

    python -m tests.benchmarks.bench_match_instruments [--pieces odd|even] [--parts strings organ ...]

Two pianists of every piece, 80 s each, by other instruments (program changes, three sound fonts) or on a
piano with pink noise at 10 dB; and references that are scores instead of recordings. Each is joined at 10 s
and 45 s for 31 s (versions), and played whole to a library without its piece (strangers). Needs mido and
FluidSynth. `recordings`: five chorales by violin, clarinet, saxophone and bassoon against their scores among
the piano's recordings; they, seven songs and an electronic track are the strangers. Lead alone: the matcher
before it had a second witness.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile
import soxr

from nodes.match import features
from nodes.match.chroma_kernels import FINE
from nodes.match.hypotheses import ENTER
from nodes.match.matcher import KEYS
from nodes.match.notes import note_chroma, read_notes
from nodes.match.scan import Scan
from tests.benchmarks.bench_match import noisy
from tests.benchmarks.bench_match_roc import by_lead, heard
from tests.benchmarks.bench_match_witness import Table, fine, seconded
from tests.benchmarks.match_data import CACHE, DATA, FONTS, fillers, part_of, pieces, query_frames

OUT = Path("build/benchmarks/match_instruments.json")
PROGRAMS = {"piano": 0, "strings": 48, "organ": 19, "guitar": 24, "brass": 61, "piano, 10 dB noise": 0}
SECONDS, JOINS, LENGTH = 80.0, (100, 450), 310
#: The confidence from which the lead alone made a match.
BEFORE = 0.99


def by_program(file: Path, program: int, out: Path) -> None:
    """The first SECONDS of a MIDI file's notes and pedal, all by one program."""
    track, time, last = mido.MidiTrack(), 0.0, 0
    track.append(mido.Message("program_change", program=program))
    for message in mido.MidiFile(file):
        time += message.time
        if time > SECONDS:
            break
        pedal = message.type == "control_change" and message.control == 64 and program in (0, 24)
        if message.type in ("note_on", "note_off") or pedal:
            tick = round(time * 960)  # 120 BPM, 480 ticks
            track.append(message.copy(channel=0, time=tick - last))
            last = tick
    # Without this FluidSynth goes on for as long as a note sounds.
    track.append(mido.Message("control_change", control=64, value=0))
    track.append(mido.Message("control_change", control=123, value=0))
    whole = mido.MidiFile(ticks_per_beat=480)
    whole.tracks.append(track)
    whole.save(out)


def played(file: Path, name: str, font: str) -> Any:
    """Fine chroma (n, 120) of a pianist's notes by other means, cached."""
    cache = CACHE / "instruments" / f"{name}-{file.parent.name}-{file.stem}.npy"
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            midi, sound = Path(folder) / "a.mid", Path(folder) / "a.wav"
            by_program(file, PROGRAMS[name], midi)
            command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-r", str(features.RATE), "-g", "0.4"]
            subprocess.run([*command, "-F", str(sound), font, str(midi)], check=True, capture_output=True)
            audio = soundfile.read(sound, dtype="float32", always_2d=True)[0].mean(axis=1)
        if name.endswith("noise"):
            audio = noisy(audio, 10.0, np.random.default_rng(len(file.stem)))
        np.save(cache, chroma_of(audio).astype(np.float16))
    return np.load(cache).astype(np.float32)[: round(SECONDS * 10)]


def mixed(files: list[Path]) -> Any:
    """Fine chroma (n, 120) of the sum of some recordings."""
    sounds = [soundfile.read(file, dtype="float32", always_2d=True) for file in files]
    length = min(len(sound) for sound, _ in sounds)
    audio = sum(sound[:length].mean(axis=1) for sound, _ in sounds)
    return chroma_of(soxr.resample(audio, sounds[0][1], features.RATE))


def chroma_of(audio: Any) -> Any:
    chroma = features.FineChroma()
    rows = np.zeros((len(audio) // features.HOP, FINE), np.float32)
    for n, row in enumerate(rows):
        chroma.push(audio[n * features.HOP : (n + 1) * features.HOP], row)
    return rows


def listened(search: Scan, music: Any, documents: list[Any]) -> tuple[Any, Any]:
    """The best of the scan after every frame of some fine chroma, and the confidence with both witnesses."""
    frames = query_frames(music)
    rows = heard(search, frames)
    return rows, seconded(rows, frames, documents)


def recordings(real: list[Any], made: list[Any]) -> tuple[list[Any], list[Any]]:
    """Strangers and versions that no synthesiser made."""
    tunes = sorted((DATA / "bach10").iterdir())
    scores = [note_chroma(read_notes(tune / "score.mid")) for tune in tunes]
    documents = [*real, *(features.as_bytes(features.smoothed(score)) for score in scores), *made]
    whole, others = Scan([part_of(documents)], KEYS), Scan([part_of(real + made)], KEYS)
    chorales = [mixed([tune / "mix.flac"]) for tune in tunes]
    songs = [mixed(sorted(song.glob("*.flac"))) for song in sorted((DATA / "mdb").iterdir())]
    tracks = [mixed([track / "mix.ogg"]) for track in sorted((DATA / "grid").iterdir())]
    strangers = [listened(others, music, real + made) for music in (*chorales, *songs, *tracks)]
    versions = [(len(real) + n, *listened(whole, music, documents)) for n, music in enumerate(chorales)]
    return strangers, versions


def pianists(
    part: str, references: list[Any], made: list[Any], midis: list[list[Path]], numbers: range
) -> tuple[list[Any], list[Any]]:
    """Strangers and versions: two pianists of every piece, by some instrument."""
    name = part if part in PROGRAMS else "piano"
    whole = Scan([part_of(references + made)], KEYS)
    strangers, versions = [], []
    for number in numbers:
        rest = references[:number] + references[number + 1 :] + made
        others = Scan([part_of(rest)], KEYS)
        for k, file in enumerate(midis[number][1:3]):
            music = played(file, name, FONTS[(k + number) % len(FONTS)])
            strangers.append(listened(others, music, rest))
            for start in JOINS:
                clip = music[start : start + LENGTH]
                versions.append((number, *listened(whole, clip, references + made)))
    return strangers, versions


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", choices=("odd", "even"), default="odd")
    choices = (*PROGRAMS, "score references", "recordings")
    parser.add_argument("--parts", nargs="+", choices=choices, default=choices)
    args = parser.parse_args()
    names = pieces()
    midis = [sorted(f for f in (DATA / "asap" / n).glob("*.mid") if f.stem != "score") for n in names]
    real = [
        features.as_bytes(features.reference_frames(fine(f"asap__{name}__{files[0].stem}"))[0])
        for name, files in zip(names, midis, strict=True)
    ]
    made = fillers(1.0, [])[1::2]
    results = json.loads(OUT.read_text()) if OUT.exists() else {}
    for part in args.parts:
        numbers = range(args.pieces == "odd", len(names), 2)
        if part == "recordings":
            strangers, versions = recordings(real, made)
        elif part == "score references":
            scores = [note_chroma(read_notes(DATA / "asap" / name / "score.mid")) for name in names]
            written = [features.as_bytes(features.smoothed(score)) for score in scores]
            strangers, versions = pianists(part, written, made, midis, numbers)
        else:
            strangers, versions = pianists(part, real, made, midis, numbers)
        hours = sum(len(rows) for rows, _ in strangers) / features.FRAME_RATE / 3600
        print(f"{part}, {args.pieces} pieces: {hours:.2f} h of strangers, {len(versions)} versions")
        table = Table()
        alone = [(rows, by_lead(rows)) for rows, _ in strangers]
        table.add("lead alone", BEFORE, alone, [(n, rows, by_lead(rows)) for n, rows, _ in versions])
        table.add("both", ENTER, strangers, versions)
        results[f"{part}, {args.pieces}"] = table.rows
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
