"""The styles the band plays, and `compose`, which writes one song in a style from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import chance, grooves
from .parts import Bar, Chord, bass_part, chord_part, make_riff, melody_part
from .score import Player, Song, TempoMap


@dataclass
class Style:
    """How a style is played. `bpm` range of the counted beat; `swing` range of the off-beat's place."""

    bpm: tuple[float, float]
    groove: Callable[[np.random.Generator], grooves.Groove] | None
    bass: tuple[str, ...]
    chords: tuple[str, ...]
    swing: tuple[float, float] = (0.5, 0.5)
    meter: int = 4
    division: int = 2
    jazz: bool = False
    loose: float = 0.12
    drumless: float = 0.06  # share of songs without drums
    weight: float = 1.0
    pace: int = 1  # bars that a chord lasts


G = grooves
STYLES: dict[str, Style] = {
    "rock": Style(
        (95, 160),
        G.rock,
        ("eighths", "kick", "riff", "kick"),
        ("strum", "chug", "riff", "strum16", "pad"),
        weight=3,
    ),
    "rock_riff": Style((85, 150), G.rock, ("riff", "riff", "kick"), ("riff",), loose=0.2, weight=3),
    "pop80": Style(
        (96, 150), G.rock, ("eighths", "octaves", "kick"), ("pad", "stabs", "arpeggio", "strum16"), weight=1.5
    ),
    "ballad": Style(
        (58, 92), G.ballad, ("one", "two", "kick"), ("pad", "arpeggio", "strum"), drumless=0.3, weight=1.5
    ),
    "half_time": Style(
        (120, 165), G.half_time, ("riff", "eighths", "kick"), ("chug", "pad", "riff"), weight=0.7
    ),
    "punk": Style((140, 205), G.punk, ("eighths", "kick"), ("strum", "chug"), weight=1.5),
    "skate": Style((92, 125), G.skank_beat, ("eighths",), ("chug", "strum16"), weight=0.6),
    "metal": Style((95, 200), G.metal, ("riff", "eighths"), ("chug", "riff", "riff"), weight=2),
    "funk": Style(
        (84, 125),
        G.funk,
        ("funk", "funk", "kick"),
        ("strum16", "stabs", "comp"),
        (0.5, 0.5),
        loose=0.15,
        weight=2,
    ),
    "disco": Style((108, 135), G.disco, ("octaves", "funk"), ("strum16", "stabs", "pad"), weight=1),
    "house": Style((118, 134), G.house, ("off", "riff"), ("stabs", "pad", "skank"), drumless=0, weight=1),
    "breakbeat": Style(
        (150, 178), G.breakbeat, ("one", "riff", "dub"), ("pad", "stabs"), drumless=0, weight=0.8
    ),
    "hip_hop": Style(
        (72, 104),
        G.hip_hop,
        ("kick", "dub", "riff"),
        ("pad", "stabs", "arpeggio"),
        (0.5, 0.6),
        drumless=0,
        weight=1,
    ),
    "reggae": Style(
        (110, 165), G.reggae, ("dub", "dub", "riff"), ("skank", "skank", "backbeat"), (0.5, 0.58), weight=1.2
    ),
    "reggae_slow": Style((66, 86), G.rock, ("dub", "kick"), ("skank", "doubleskank"), (0.5, 0.58), weight=1),
    "ska": Style((125, 185), G.ska, ("walk", "eighths"), ("skank",), weight=1),
    "country": Style(
        (84, 170),
        G.country,
        ("boom", "two", "walk"),
        ("backbeat", "strum", "oompah", "arpeggio"),
        (0.5, 0.6),
        weight=1.2,
    ),
    "train": Style((95, 145), G.train, ("boom", "walk"), ("backbeat", "strum", "arpeggio"), weight=1.2),
    "rockabilly": Style(
        (140, 210),
        G.rockabilly,
        ("walk", "boom", "octaves"),
        ("backbeat", "comp", "riff"),
        (0.58, 0.67),
        weight=1.5,
    ),
    "shuffle": Style(
        (80, 150),
        G.shuffle,
        ("shuffle", "walk", "kick"),
        ("strum", "charleston", "stabs", "comp"),
        division=3,
        weight=2.2,
    ),
    "gospel": Style(
        (52, 100),
        G.gospel,
        ("kick", "walk", "two", "one"),
        ("arpeggio", "pad", "stabs", "comp"),
        division=3,
        weight=1.5,
    ),
    "gospel_fast": Style(
        (110, 190), G.rock, ("walk", "eighths", "octaves"), ("stabs", "backbeat", "comp"), weight=0.8
    ),
    "swing": Style(
        (105, 225),
        G.swing,
        ("walk",),
        ("comp", "charleston", "four", "comp"),
        (0.58, 0.68),
        jazz=True,
        loose=0.25,
        weight=3.5,
    ),
    "cool": Style(
        (80, 150),
        G.brushes,
        ("walk", "two"),
        ("comp", "pad", "charleston"),
        (0.56, 0.68),
        jazz=True,
        loose=0.25,
        weight=1.2,
    ),
    "modal": Style(
        (110, 200),
        G.swing,
        ("walk", "riff", "two"),
        ("stabs", "comp", "pad", "charleston"),
        (0.56, 0.67),
        jazz=True,
        loose=0.35,
        weight=1.5,
    ),
    "fusion": Style(
        (85, 140),
        G.fusion,
        ("funk", "riff", "kick"),
        ("stabs", "comp", "riff"),
        loose=0.25,
        jazz=True,
        weight=2,
    ),
    "bossa": Style((110, 160), G.bossa, ("bossa", "two"), ("bossa", "comp"), jazz=True, weight=1.2),
    "latin": Style(
        (90, 200),
        G.latin,
        ("tumbao", "tumbao", "bossa"),
        ("montuno", "montuno", "stabs"),
        jazz=True,
        drumless=0,
        weight=2,
    ),
    "waltz": Style((84, 190), G.waltz, ("one", "walk"), ("oompah", "arpeggio", "strum"), meter=3, weight=1.3),
    "jazz_waltz": Style(
        (100, 190),
        G.jazz_waltz,
        ("walk", "one"),
        ("comp", "charleston"),
        (0.56, 0.67),
        meter=3,
        jazz=True,
        weight=0.9,
    ),
    "six_eight": Style(
        (50, 95),
        G.six_eight,
        ("one", "kick", "eighths"),
        ("arpeggio", "strum", "pad"),
        meter=2,
        division=3,
        weight=1.3,
    ),
    "acoustic": Style(
        (70, 150),
        None,
        ("two", "boom", "one"),
        ("strum16", "arpeggio", "strum", "oompah"),
        drumless=1.0,
        weight=1,
    ),
    "piano": Style(
        (60, 150),
        None,
        ("one", "two", "eighths", "walk"),
        ("arpeggio", "strum", "pad", "backbeat"),
        drumless=1.0,
        loose=0.2,
        weight=0.8,
    ),
    "drums": Style(
        (70, 200), None, ("riff",), ("pad",), drumless=0, weight=1.0
    ),  # drums alone, any straight groove
}


def drawn(rng: np.random.Generator) -> Style:
    """A style that nobody wrote."""
    meter, division, bpm = chance.metre(rng)
    swing = (0.5, 0.67) if division == 2 and rng.random() < 0.15 else (0.5, 0.5)
    return Style(
        (bpm, bpm),
        lambda more: chance.groove(meter, division, bpm, more),
        tuple(str(mode) for mode in rng.choice(chance.BASS, 2)),
        tuple(str(mode) for mode in rng.choice(chance.CHORDS, 3)),
        swing,
        meter,
        division,
        jazz=rng.random() < 0.2,
        loose=float(rng.uniform(0.03, 0.3)),
        pace=int(rng.choice([1, 1, 1, 2, 2, 4])),
    )


SCALES = [
    [0, 2, 4, 5, 7, 9, 11],
    [0, 2, 3, 5, 7, 8, 10],
    [0, 2, 3, 5, 7, 9, 10],
    [0, 3, 5, 6, 7, 10],
    [0, 2, 4, 7, 9],
]
TRIADS = [(0, 4, 7), (0, 3, 7), (0, 4, 7), (0, 3, 7), (0, 5, 7), (0, 7, 12)]
SEVENTHS = [(4, 7, 10, 14), (3, 7, 10, 14), (4, 7, 11, 14), (3, 6, 10)]
BASSES = [32, 33, 33, 34, 35, 36, 38, 39]
GUITARS = [24, 25, 26, 27, 28, 29, 29, 30, 30]
KEYS = [0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18, 19, 21, 48, 50, 61, 62, 63, 80, 81, 88, 89, 105]
LEADS = [52, 53, 54, 56, 57, 59, 64, 65, 66, 67, 71, 73, 75, 80, 81, 82, 26, 27, 29, 30, 40, 42, 22, 0, 11]


def tempo_map(style: Style, beats: int, rng: np.random.Generator, bpm: float, steadiness: str) -> TempoMap:
    """`steadiness`: steady (machine), human (slow drift), ramp, change (one abrupt change) or rubato."""
    period = np.full(beats, 60.0 / bpm)
    if steadiness != "steady":
        depth = {"human": 0.004, "ramp": 0.004, "change": 0.003, "rubato": 0.015}[steadiness]
        walk = np.zeros(beats)
        for i in range(1, beats):
            walk[i] = 0.93 * walk[i - 1] + rng.normal(0, depth)
        period = period * np.exp(walk)
    if steadiness == "ramp":
        first = int(beats * rng.uniform(0.1, 0.4))
        last = int(beats * rng.uniform(0.6, 0.95))
        factor = rng.uniform(0.75, 1.35)
        period = period * factor ** np.interp(np.arange(beats), [first, max(last, first + 1)], [0.0, 1.0])
    if steadiness == "change":
        at = int(beats * rng.uniform(0.35, 0.65)) // style.meter * style.meter
        period[at:] *= rng.choice([rng.uniform(0.65, 0.87), rng.uniform(1.15, 1.5)])
    return TempoMap(period, start=0.0)


def progression(rng: np.random.Generator, jazz: bool) -> list[Chord]:
    key = 28 + int(rng.integers(12))
    moves = rng.choice([0, 5, 7, -2, -4, 3, 2, -5, 0, 0], size=rng.choice([1, 2, 4, 4, 8]))
    kinds = SEVENTHS if jazz else TRIADS
    return [Chord(key + int(m), kinds[rng.integers(len(kinds))]) for m in moves]


def compose(
    style_name: str,
    seed: int,
    seconds: float | None = None,
    steadiness: str | None = None,
    bpm: float | None = None,
) -> Song:
    """A song in a style, or in one drawn by chance ("chance"); everything follows from (style, seed).

    `seconds`: default 25 to 40.
    """
    if style_name == "chance":
        rng = np.random.default_rng([seed])
        style = drawn(rng)
    else:
        rng = np.random.default_rng([sorted(STYLES).index(style_name), seed])
        style = STYLES[style_name]
    seconds = seconds or float(rng.uniform(25, 40))
    bpm = bpm or float(np.exp(rng.uniform(np.log(style.bpm[0]), np.log(style.bpm[1]))))
    division, meter = style.division, style.meter
    groove_of = style.groove
    if style_name == "drums":
        groove_of = [
            G.rock,
            G.funk,
            G.disco,
            G.breakbeat,
            G.metal,
            G.fusion,
            G.train,
            G.hip_hop,
            G.swing,
            G.latin,
        ][rng.integers(10)]
    bars = max(4, round(seconds * bpm / 60 / meter))
    beats = bars * meter
    steadiness = steadiness or str(
        rng.choice(["steady", "human", "ramp", "change", "rubato"], p=[0.3, 0.48, 0.08, 0.06, 0.08])
    )
    tempo = tempo_map(style, beats + 2, rng, bpm, steadiness)
    tight = rng.uniform(0.002, 0.011)
    swing = float(rng.uniform(*style.swing)) if division == 2 else 0.5
    if style_name == "drums" and groove_of is G.swing:
        swing = float(rng.uniform(0.58, 0.68))
    elif division == 2 and style.swing == (0.5, 0.5) and rng.random() < 0.08:
        swing = float(rng.uniform(0.52, 0.6))

    drums = Player("drums", 0, push=rng.normal(0, 0.003), jitter=tight, drums=True)
    bass = Player("bass", int(rng.choice(BASSES)), push=rng.normal(0.004, 0.008), jitter=tight * 1.3)
    chords = Player(
        "other",
        int(rng.choice(GUITARS if rng.random() < 0.55 else KEYS)),
        push=rng.normal(0.004, 0.01),
        jitter=tight * 1.5,
    )
    second = Player("other", int(rng.choice(KEYS)), push=rng.normal(0.004, 0.01), jitter=tight * 1.5)
    lead = Player("vocals", int(rng.choice(LEADS)), push=rng.normal(0.012, 0.018), jitter=tight * 2.5)
    players = [drums, bass, chords, second, lead]

    has_drums = groove_of is not None and rng.random() >= style.drumless
    alone = style_name == "drums"
    sections = [_section(style, rng) for _ in range(2)]
    chord_list = [progression(rng, style.jazz) for _ in range(2)]
    riffs = [make_riff(meter, division, rng) for _ in range(2)]
    groove_sets = [G.settle(groove_of(rng), rng) if groove_of else [] for _ in range(2)]
    if rng.random() < 0.6:
        groove_sets[1] = groove_sets[0]
    intro = int(rng.choice([0, 0, 0, 1, 2, 4]))
    intro_kind = str(rng.choice(["nodrums", "drums", "riff", "hats", "bass"]))
    section_bars = int(rng.choice([4, 8, 8]))
    break_bar = int(rng.integers(bars // 2, bars)) if rng.random() < 0.35 else -9
    break_kind = str(rng.choice(["nodrums", "stop", "drumsonly", "silence"]))
    lead_density, lead_sync = rng.uniform(0.25, 0.65), rng.uniform(0.2, 0.7)
    lead_state: dict[str, float] = {"rest": float(rng.uniform(0.05, 0.5))}
    scale = SCALES[rng.integers(len(SCALES))]
    register = 60 + int(rng.integers(12))
    has_bass = rng.random() < (0.93 if has_drums else 0.6)
    has_lead = rng.random() < 0.75
    has_second = rng.random() < 0.4
    vary = float(rng.uniform(0.3, 1.2)) * style.loose

    for index in range(bars):
        which = (index // section_bars) % 2
        mode = sections[which]
        start = index * meter
        in_intro = index < intro
        in_break = break_bar <= index < break_bar + 2
        list_of = chord_list[which]
        chord, following = (list_of[at // style.pace % len(list_of)] for at in (index, index + 1))
        groove = groove_sets[which]
        kicks = [
            p for p, piece, _ in G.strokes(groove, meter, np.random.default_rng(0), 0.0) if piece == G.KICK
        ]
        bar = Bar(start, meter, division, chord, following, riffs[which], kicks, rng)
        parts = {
            "drums": has_drums,
            "bass": has_bass,
            "chords": True,
            "second": has_second,
            "lead": has_lead and not in_intro,
        }
        if alone:
            parts = dict.fromkeys(parts, False) | {"drums": True}
        elif in_intro or in_break:
            kind = intro_kind if in_intro else break_kind
            if kind == "nodrums":
                parts["drums"] = False
            elif kind in ("drums", "drumsonly"):
                parts = {name: name == "drums" and has_drums for name in parts}
                parts["chords"] = not has_drums
            elif kind == "riff":
                parts = {name: name == "chords" for name in parts}
            elif kind == "bass":
                parts = {name: name == "bass" and has_bass for name in parts}
                parts["chords"] = not has_bass
            elif kind == "hats":
                groove = [(p, s) for p, s in groove if p not in (G.KICK, G.SNARE)]
            elif kind == "stop":
                for player, pitch in ((bass, chord.root), (chords, chord.root + 24)):
                    player.play(start, pitch, 110, 0.6)
                if has_drums:
                    drums.play(start, G.KICK, 115), drums.play(start, G.CRASH, 110)
                parts = {name: name == "lead" and parts["lead"] for name in parts}
            else:
                parts = dict.fromkeys(parts, False)
        if parts["drums"]:
            _drum_bar(
                drums,
                groove,
                bar,
                rng,
                vary,
                fill=(index + 1) % int(section_bars / 2) == 0,
                opening=index % section_bars == 0,
            )
        if parts["bass"]:
            bass_part(mode["bass"], bass, bar)
        if parts["chords"]:
            chord_part(mode["chords"], chords, bar)
        if parts["second"]:
            chord_part(mode["second"], second, bar)
        if parts["lead"]:
            melody_part(
                lead, bar, [s + chord.root % 12 for s in scale], lead_state, register, lead_density, lead_sync
            )

    pickup = _pickup(rng, meter, tempo, bpm, has_drums, drums, lead, register)
    used = [p for p in players if p.notes]
    return Song(style_name, seed, meter, division, tempo, beats, used, swing, pickup)


def _section(style: Style, rng: np.random.Generator) -> dict[str, str]:
    chords = str(rng.choice(style.chords))
    return {
        "bass": str(rng.choice(style.bass)),
        "chords": chords,
        "second": str(rng.choice(["pad", "stabs", "arpeggio", "comp", "strum"])),
    }


def _drum_bar(
    drums: Player,
    groove: G.Groove,
    bar: Bar,
    rng: np.random.Generator,
    vary: float,
    fill: bool,
    opening: bool,
) -> None:
    cut = float(bar.beats)
    if fill and rng.random() < 0.6:
        length = float(rng.choice([1, 1, 2, bar.beats]))
        cut = bar.beats - length
        for place, piece, velocity in G.fill(bar.beats, bar.division, length, rng):
            drums.play(bar.start + place, piece, velocity)
    for place, piece, velocity in G.strokes(groove, bar.beats, rng, vary):
        if place < cut:
            drums.play(bar.start + place, piece, velocity)
    if opening and rng.random() < 0.6:
        drums.play(bar.start, G.CRASH if rng.random() < 0.6 else G.CRASH2, 108)


def _pickup(
    rng: np.random.Generator,
    meter: int,
    tempo: TempoMap,
    bpm: float,
    has_drums: bool,
    drums: Player,
    lead: Player,
    register: int,
) -> int:
    """Notes before the first bar: a count-in, a pick-up line or nothing. Returns its length in beats."""
    if rng.random() > 0.3:
        tempo.start = float(rng.uniform(0.0, 0.3)) if rng.random() < 0.7 else float(rng.uniform(0.3, 2.0))
        tempo.__post_init__()
        return 0
    length = int(rng.integers(1, meter + 1))
    if has_drums and rng.random() < 0.5:
        piece = int(rng.choice([G.HAT, G.RIM, G.SNARE]))
        for beat in range(-length, 0):
            drums.play(beat, piece, 90)
    else:
        for step in range(-2 * length, 0):
            if step == -2 * length or rng.random() < 0.6:
                lead.play(step / 2, register + int(rng.integers(-5, 8)), 90, 0.4)
    tempo.start = length * 60.0 / bpm + float(rng.uniform(0.0, 0.2))
    tempo.__post_init__()
    return length
