"""Songs that MMA accompanies: several hundred styles that nobody here wrote.

MMA (Musical MIDI Accompaniment, GPL; Debian package `mma`) is called as a program and plays chords of ours
in one of its styles, with their introductions, fills and endings. What it plays becomes a `Song` like the
composed ones; a riff, off-beat chords or a melody of `parts` may come on top. A bank of the MIDI files:

    python -m tests.benchmarks.band.accompaniment FOLDER --songs 400 --seed 1
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path

import mido
import numpy as np

from .bank import DRUM_NOTES
from .grooves import HAT, RIDE, SHAKER, TAMB
from .parts import Bar, Chord, bass_part, chord_part, make_riff, melody_part
from .score import Note, Player, Song
from .styles import GUITARS, KEYS, LEADS, SCALES, SEVENTHS, TRIADS, Style, tempo_map

LIBRARY = Path("/usr/share/mma/lib")
NOT_MUSIC = re.compile(
    r"metronome|/none|zoom/(count|intro|ending|ambient|mide)|casio/ambient|afro-cuban|ballad68"
)
# What a style's name says: BPM of the beat, MMA's beats in one of ours, parts of a beat. The first that fits.
NAMES: list[tuple[str, float, float, int, int]] = [
    (r"68march", 95, 130, 1, 3),
    (r"68ballad|arpeggio68", 42, 80, 3, 3),
    (r"68|blues34", 50, 115, 3, 3),
    (r"ballad128|blues128", 45, 95, 1, 3),
    (r"rock-128", 50, 105, 1, 3),
    (r"viennese|vienese|fastwaltz|frenchwaltz", 145, 195, 1, 2),
    (r"jazzwaltz", 95, 190, 1, 3),
    (r"waltz|34", 78, 175, 1, 2),
    (r"samba|merengue|polka|bwmarch|germanmarch|/march|broadway|quando", 84, 138, 2, 2),
    (r"ragtime", 72, 105, 2, 2),
    (r"fastbigband", 100, 150, 2, 3),
    (r"quickstep|dixie|charleston|fastswing|bebop|gypsy", 150, 220, 1, 3),
    (r"bluegrass|zydeco|hillcountry", 100, 160, 1, 2),
    (r"slowrock|50s_?rock|srock", 58, 118, 1, 3),
    (r"slowblues|slowjazz|slowswing|slowbigband|mellowjazz|nitejazz", 50, 100, 1, 3),
    (r"bald|ballad|slow|lullaby|hymn|spiritual|serenade", 52, 98, 1, 2),
    (r"fastblues|jive|boog|twist|rockabilly", 120, 200, 1, 3),
    (r"shuffle", 76, 165, 1, 3),
    (r"swing|jazz|bigband|foxtrot|strut|softshoe|evansish", 85, 210, 1, 3),
    (r"blues", 60, 140, 1, 3),
    (r"house|techno|trance|rave|dance|disco", 112, 150, 1, 2),
    (r"hip-?hop|trip", 66, 108, 1, 2),
    (r"dnb", 150, 178, 1, 2),
    (r"punk|thr|mtl|metal", 88, 205, 1, 2),
    (r"reggae|ska", 108, 180, 1, 2),
    (r"bossa|beguine|rhumba|bolero", 90, 160, 1, 2),
    (r"mambo|salsa|son$|cuban|latin|merengue|afro|calypso|zoom/samba", 90, 205, 1, 2),
    (r"tango|chacha|desert", 92, 135, 1, 2),
    (r"funk|fus|soul|r&b|r\+b|rb|rnb|16beat|beat16", 64, 125, 1, 2),
    (r"country|cntry|folk|western", 75, 175, 1, 2),
    (r".", 60, 165, 1, 2),
]  # fmt: skip
MORE = re.compile(r"rock|beat|pop|blues|ballad|bald|68|128|hrk|shuffle|funk")  # twice as often
SLOW = re.compile(r"slow|ballad|bald|68|128|34|waltz|shuffle|50s|soul|hymn|r&b|rnb")  # in busy songs
HATS = (42, 44, 46, 51, 53, 54, 59, 69, 70, 82)  # hats, rides, tambourine, shakers
MODES_BASS = ("kick", "eighths", "riff", "two", "one", "walk")
MODES_CHORDS = ("strum", "strum16", "chug", "stabs", "skank", "backbeat", "riff", "arpeggio", "pad", "comp")
ROOTS = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
MAJOR = [(0, ""), (0, ""), (5, ""), (7, ""), (9, "m"), (2, "m"), (4, "m"), (10, ""), (7, "7"), (5, "m")]
MINOR = [(0, "m"), (0, "m"), (5, "m"), (7, "7"), (8, ""), (3, ""), (10, ""), (7, "m"), (5, "7")]
COLOURS = {"": ["", "", "6", "M7", "sus4"], "m": ["m", "m", "m7"], "7": ["7", "9"]}
Symbol = tuple[int, str]


@lru_cache(maxsize=1)
def names() -> list[str]:
    """All styles, as library/file."""
    found = sorted(str(path.relative_to(LIBRARY).with_suffix("")) for path in LIBRARY.glob("*/*.mma"))
    if not found:
        raise SystemExit(f"no styles in {LIBRARY}: apt-get install mma")
    return [n for n in found if not NOT_MUSIC.search(n) and any(k.startswith("main") for k in grooves(n))]


def kept_apart(name: str) -> bool:
    """A sixth of the styles is never trained on."""
    return zlib.crc32(name.encode()) % 6 == 0


@lru_cache(maxsize=400)
def grooves(name: str) -> dict[str, tuple[list[str], int]]:
    """The grooves of a style by what they are for (main, intro, fill, end), with their beats in a bar."""
    found: dict[str, tuple[list[str], int]] = {}
    time = 4
    for line in (LIBRARY / f"{name}.mma").read_text(errors="replace").splitlines():
        if hit := re.match(r"\s*time\s+(\d+)", line, re.IGNORECASE):
            time = int(hit[1])
        elif hit := re.match(r"\s*defgroove\s+(\S+)", line, re.IGNORECASE):
            groove = hit[1]
            kinds = {"intro": r"intro", "end": r"end", "fill": r"fill|F[AB]$"}
            kind = next(
                (kind for kind, like in kinds.items() if re.search(like, groove, re.IGNORECASE)), "main"
            )
            found.setdefault(f"{kind} {time}", ([], time))[0].append(groove)
    return found


def choose(rng: np.random.Generator, apart: bool, lean: str = "") -> str:
    """A style's name, out of those that are kept apart or out of the others; `lean` busy: slow ones and those
    in three more often."""
    those = [name for name in names() if kept_apart(name) == apart]
    weight = np.array([2.0 if MORE.search(name) else 1.0 for name in those])
    if lean == "busy":
        weight *= [3.0 if SLOW.search(name) else 1.0 for name in those]
    return str(rng.choice(those, p=weight / weight.sum()))


def harmony(rng: np.random.Generator) -> list[list[Symbol]]:
    """The chords of one to eight bars, mostly one a bar."""
    key, kinds = int(rng.integers(12)), MAJOR if rng.random() < 0.6 else MINOR
    rich = rng.random() < 0.4

    def symbol() -> Symbol:
        step, kind = kinds[rng.integers(len(kinds))]
        return (key + step) % 12, str(rng.choice(COLOURS[kind])) if rich else kind

    bars: list[list[Symbol]] = []
    for _ in range(int(rng.choice([1, 2, 4, 4, 4, 8]))):
        draw = rng.random()
        if draw < 0.15 and bars:
            bars.append(bars[-1])
        else:
            bars.append([symbol() for _ in range(2 if draw > 0.8 else 1)])
    bars[0][0] = (key, kinds[0][1])
    return bars


def plan(name: str, rng: np.random.Generator, time: int, bars: int) -> list[str]:
    """The groove of every bar: an introduction, sections with fills, an ending."""
    found = {
        kind: grooves(name).get(f"{kind} {time}", ([], time))[0] for kind in ("main", "intro", "fill", "end")
    }
    out: list[str] = []
    if found["intro"] and rng.random() < 0.4:
        out += [str(rng.choice(found["intro"]))] * int(rng.choice([2, 4]))
    chosen = [
        str(groove)
        for groove in rng.choice(
            found["main"], size=min(len(found["main"]), int(rng.integers(1, 4))), replace=False
        )
    ]
    section = int(rng.choice([4, 8]))
    while len(out) < bars:
        out += [chosen[(len(out) // section) % len(chosen)]] * section
        if found["fill"] and rng.random() < 0.6:
            out[-1] = str(rng.choice(found["fill"]))
    out = out[:bars]
    if found["end"] and rng.random() < 0.3:
        out[-2:] = [str(rng.choice(found["end"]))] * 2
    return out


def written(name: str, plan: list[str], chords: list[list[Symbol]], time: int, seed: int) -> str:
    """The score in MMA's language."""
    lines, before = [f"RndSeed {seed}", "Tempo 120"], ""
    for groove, bar in zip(plan, chords, strict=True):
        if groove != before:
            lines.append(f"Groove {name}.mma:{groove}")
            before = groove
        (first, *rest) = [ROOTS[root] + kind for root, kind in bar]
        lines.append(" ".join(["1", first, *(f"{chord}@{time // 2 + 1}" for chord in rest if time > 1)]))
    return "\n".join(lines) + "\n"


def played(score: str, path: Path) -> mido.MidiFile:
    """What MMA makes of a score; kept in `path`."""
    with tempfile.NamedTemporaryFile("w", suffix=".mma") as file:
        file.write(score)
        file.flush()
        done = subprocess.run(["mma", "-f", str(path), file.name], capture_output=True, text=True)
    if done.returncode or not path.exists():
        raise RuntimeError(f"mma: {' '.join(done.stdout.split())}")
    return mido.MidiFile(path)


def players(midi: mido.MidiFile, unit: int, last: float) -> list[Player]:
    """A player for each of MMA's tracks; beats are `unit` of MMA's, those from `last` on left out."""
    found = []
    for track in midi.tracks:
        now, program, drums = 0, 0, False
        sounding: dict[int, tuple[float, int]] = {}
        notes: list[Note] = []
        for message in track:
            now += message.time
            beat = now / midi.ticks_per_beat / unit
            if message.type == "program_change" and not notes:
                program = message.program
            elif message.type in ("note_on", "note_off"):
                drums = message.channel == 9
                if message.note in sounding:
                    start, velocity = sounding.pop(message.note)
                    if start < last and (not drums or message.note in DRUM_NOTES):
                        length = max(beat - start, 0.05)
                        notes.append(Note(start, length, message.note, int(np.clip(velocity, 8, 127))))
                if message.type == "note_on" and message.velocity:
                    sounding[message.note] = (beat, message.velocity)
        if notes:
            low = track.name.startswith(("Bass", "Walk"))
            stem = "drums" if drums else "bass" if low else "other"
            found.append(Player(stem, program, notes, drums=drums))
    return found


def accompany(name: str, seed: int, keep: Path | None = None, lean: str = "") -> Song:
    """A song of 25 to 40 s in style `name`; everything follows from (name, seed, lean). `keep`: where MMA's
    own MIDI file is to stay; `lean` busy: not above 100 BPM where the style may be slow, with even strokes
    twice, three or four times a beat on top: what is heard double; `lean` sparse: as fast as the style may
    be, with few strokes a beat: what is heard at half its tempo."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    low, high, unit, division = next(row[1:] for row in NAMES if re.search(row[0], name))
    if lean == "busy":
        low, high = low * 0.95, min(high, max(100.0, 1.2 * low))
    elif lean == "sparse":
        low, high = max(low, min(110.0, 0.85 * high)), min(1.1 * high, 200.0)
    bpm = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    times = sorted({time for kind, (_, time) in grooves(name).items() if kind.startswith("main")})
    time = int(rng.choice(times))
    meter = max(1, time // unit)
    bars = max(4, round(rng.uniform(25, 40) * bpm / 60 / meter))
    beats = bars * meter
    every = harmony(rng)
    chords = [every[k % len(every)] for k in range(bars)]
    score = written(name, plan(name, rng, time, bars), chords, time, seed)
    with tempfile.TemporaryDirectory() as folder:
        mma = players(played(score, keep or Path(folder) / "song.mid"), unit, beats)
    style = Style((low, high), None, MODES_BASS, MODES_CHORDS, meter=meter, division=division)
    steadiness = str(
        rng.choice(["steady", "human", "ramp", "change", "rubato"], p=[0.3, 0.5, 0.07, 0.05, 0.08])
    )
    tempo = tempo_map(style, beats + 2, rng, bpm, steadiness)
    tempo.start = float(rng.uniform(0.0, 0.3)) if rng.random() < 0.7 else float(rng.uniform(0.3, 2.0))
    tempo.__post_init__()
    tight = rng.uniform(0.001, 0.009)
    for player in mma:
        player.push, player.jitter = rng.normal(0, 0.005), tight
        if player.stem == "other" and rng.random() < 0.25:
            player.program = int(rng.choice(GUITARS if rng.random() < 0.5 else KEYS))
    mma = _thinned(mma, rng)
    if lean == "sparse":
        mma = _sparse(mma, rng)
    own = _own_parts(mma, style, chords, beats, rng, tight)
    if lean == "busy":
        own += _busy_parts(style, chords, rng, tight)
    return Song(name, seed, meter, division, tempo, beats, [*mma, *own])


def _thinned(mma: list[Player], rng: np.random.Generator) -> list[Player]:
    """Some songs without the bass, or without some of the chords."""
    if len({player.stem for player in mma}) > 1:
        gone = {"bass"} if rng.random() < 0.08 else set()
        share = rng.choice([0.0, 0.4, 1.0], p=[0.6, 0.3, 0.1])
        mma = [
            p for p in mma if p.stem not in gone and not (p.stem == "other" and rng.random() < share)
        ] or mma
    return mma


def _sparse(mma: list[Player], rng: np.random.Generator) -> list[Player]:
    """Drums without hats, and players who leave out what is not on a beat or half a beat (of these some)."""
    if rng.random() < 0.6:
        for player in mma:
            if player.drums:
                player.notes = [n for n in player.notes if n.pitch not in HATS] or player.notes
    for player in mma:
        if rng.random() < 0.6:
            step = float(rng.choice([0.5, 1.0, 1.0]))
            left = [n for n in player.notes if abs(n.beat / step - round(n.beat / step)) < 0.15]
            player.notes = left or player.notes
            if not player.drums:
                stretch = rng.uniform(1.0, 2.5)
                for note in player.notes:
                    note.length *= stretch
    return mma


def _own_parts(
    mma: list[Player],
    style: Style,
    chords: list[list[Symbol]],
    beats: int,
    rng: np.random.Generator,
    tight: float,
) -> list[Player]:
    """A melody, a riff, chords on the off-beat: what may mask the pulse. Drums alone are given more."""
    meter, division = style.meter, style.division
    bare = all(player.drums for player in mma)
    with_bass = bare and rng.random() < 0.6
    with_chords = rng.random() < (0.65 if bare else 0.3)
    with_lead = rng.random() < (0.4 if bare else 0.6)
    bass = Player("bass", int(rng.integers(32, 40)), push=rng.normal(0.004, 0.008), jitter=tight * 1.3)
    guitar = Player("other", int(rng.choice(GUITARS)), push=rng.normal(0.004, 0.01), jitter=tight * 1.5)
    lead = Player("vocals", int(rng.choice(LEADS)), push=rng.normal(0.012, 0.018), jitter=tight * 2.5)
    modes = [(str(rng.choice(MODES_BASS)), str(rng.choice(MODES_CHORDS))) for _ in range(2)]
    riffs = [make_riff(meter, division, rng) for _ in range(2)]
    kinds = SEVENTHS if rng.random() < 0.3 else TRIADS
    density, syncopation = rng.uniform(0.25, 0.65), rng.uniform(0.2, 0.75)
    state = {"rest": float(rng.uniform(0.05, 0.5))}
    scale, register = SCALES[rng.integers(len(SCALES))], 60 + int(rng.integers(12))
    kicks = {round(n.beat, 2) for p in mma if p.drums for n in p.notes if n.pitch in (35, 36)}
    roots = [
        Chord(28 + bar[0][0], (0, 3, 7) if bar[0][1].startswith("m") else kinds[rng.integers(len(kinds))])
        for bar in chords
    ]
    section = int(rng.choice([4, 8]))
    for index, chord in enumerate(roots):
        which, start = (index // section) % 2, index * meter
        here = sorted(k - start for k in kicks if start <= k < start + meter)
        bar = Bar(start, meter, division, chord, roots[(index + 1) % len(roots)], riffs[which], here, rng)
        if with_bass:
            bass_part(modes[which][0], bass, bar)
        if with_chords:
            chord_part(modes[which][1], guitar, bar)
        if with_lead:
            notes = [step + chord.root % 12 for step in scale]
            melody_part(lead, bar, notes, state, register, density, syncopation)
    return [player for player in (bass, guitar, lead) if player.notes]


def _busy_parts(
    style: Style, chords: list[list[Symbol]], rng: np.random.Generator, tight: float
) -> list[Player]:
    """Strokes on every part of the beat: hats, repeated notes, broken chords or chords on the off-beat, loud
    on the beat, between the beats, every three strokes or nowhere."""
    out = []
    kinds = rng.choice(["hats", "notes", "broken", "skank"], size=int(rng.integers(1, 4)), replace=False)
    for kind in kinds:
        parts = 3 if style.division == 3 else int(rng.choice([2, 2, 4]))
        every, first = [(parts, 0), (parts, parts // 2), (3, 0), (1000, 1)][
            int(rng.choice(4, p=[0.3, 0.25, 0.2, 0.25]))
        ]
        loud, soft = rng.uniform(95, 120), rng.uniform(55, 95)
        dropped = float(rng.choice([0.0, 0.05, 0.2]))
        piece = int(rng.choice([HAT, HAT, RIDE, SHAKER, TAMB]))
        program = int(rng.choice(GUITARS if rng.random() < 0.6 else KEYS))
        stem = "drums" if kind == "hats" else "other"
        player = Player(
            stem, 0 if kind == "hats" else program, push=rng.normal(0, 0.008), jitter=tight * 1.3,
            drums=kind == "hats",
        )  # fmt: skip
        octave = 40 + 12 * int(rng.integers(0, 3))
        for index, bar in enumerate(chords):
            root, symbol = bar[0]
            tones = [0, 3 if symbol.startswith("m") else 4, 7, 12, 7, 3 if symbol.startswith("m") else 4]
            for step in range(style.meter * parts):
                beat = index * style.meter + step / parts
                velocity = (loud if step % every == first else soft) + rng.normal(0, 4)
                if rng.random() < dropped or (kind == "skank" and step % parts != parts - parts // 2):
                    continue
                if kind == "hats":
                    player.play(beat, piece, velocity)
                elif kind == "notes":
                    player.play(beat, octave + root, velocity, 0.8 / parts)
                elif kind == "broken":
                    player.play(beat, octave + root + tones[step % 6], velocity, 0.9 / parts)
                else:
                    for tone in tones[:3]:
                        player.play(beat, 52 + root + tone, velocity, 0.3 / parts)
        out.append(player)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apart", action="store_true", help="of the styles that are never trained on")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for index in range(options.songs):
        rng = np.random.default_rng([options.seed, index])
        name = choose(rng, options.apart)
        path = options.folder / f"{index:04d}_{name.replace('/', '-')}.mid"
        if not path.exists():
            song = accompany(name, options.seed * 100_000 + index, keep=path)
            about = {"style": name, "seed": song.seed, "meter": song.meter, "beats": song.beats,
                     "bpm": round(60 / float(np.median(song.tempo.periods)), 2)}  # fmt: skip
            path.with_suffix(".json").write_text(json.dumps(about))


if __name__ == "__main__":
    main()
