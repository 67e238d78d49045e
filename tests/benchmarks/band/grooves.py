"""Drum grooves by style: what a drummer plays in one bar, as pattern strings.

A groove is a list of (GM drum note, pattern); a pattern has one character per
step of the bar: `X` accent, `x` normal, `o` ghost, `.` rest, `1`..`9` a normal
stroke with that probability in tenths, drawn once per song (`settle`) and
varied a little bar by bar (`strokes`).
"""

from __future__ import annotations

import numpy as np

KICK, SNARE, RIM, CLAP, HAT, PEDAL, OPEN = 36, 38, 37, 39, 42, 44, 46
RIDE, BELL, CRASH, CRASH2, TAMB, COWBELL, CLAVE, SHAKER = 51, 53, 49, 57, 54, 56, 75, 70
CONGA_HIGH, CONGA_OPEN, CONGA_LOW, TIMBALE, TIMBALE_LOW = 62, 63, 64, 65, 66
TOMS = [50, 48, 47, 45, 43, 41]
VELOCITY = {"X": 118, "x": 94, "o": 48}
Groove = list[tuple[int, str]]


def settle(groove: Groove, rng: np.random.Generator) -> Groove:
    """Draw the probabilistic strokes of a groove once, so that a song keeps its own pattern."""
    return [
        (piece, "".join(("x" if rng.random() < int(c) / 10 else ".") if c.isdigit() else c for c in pattern))
        for piece, pattern in groove
    ]


def strokes(
    groove: Groove, beats: int, rng: np.random.Generator, loose: float
) -> list[tuple[float, int, float]]:
    """(position in beats, GM note, velocity) of one bar; `loose` is the chance to drop or add a stroke."""
    out = []
    for piece, pattern in groove:
        step = beats / len(pattern)
        for index, char in enumerate(pattern):
            if char == ".":
                if rng.random() < loose * 0.12 and piece in (KICK, SNARE, HAT):
                    out.append((index * step, piece, 55.0))
            elif rng.random() >= loose * 0.35:
                out.append((index * step, piece, VELOCITY[char] + rng.normal(0, 5)))
    return out


def pick(rng: np.random.Generator, *options: str) -> str:
    return options[rng.integers(len(options))]


def hats(rng: np.random.Generator) -> Groove:
    """Time keeping in straight 4/4, sixteen steps: eighths, quarters, sixteenths, hat or ride or off-beat."""
    pattern = pick(
        rng,
        "x.x.x.x.x.x.x.x.",
        "X.o.X.o.X.o.X.o.",
        "x.x.x.x.x.x.x.x.",
        "x...x...x...x...",
        "xoxoxoxoxoxoxoxo",
        "o.X.o.X.o.X.o.X.",
        "X.x.X.x.X.x.X.x.",
    )
    piece = [HAT, HAT, HAT, RIDE, OPEN, CRASH, TAMB][rng.choice(7, p=[0.4, 0.15, 0.1, 0.2, 0.07, 0.04, 0.04])]
    groove: Groove = [(piece, pattern)]
    if piece in (RIDE, CRASH) and rng.random() < 0.5:
        groove.append((PEDAL, pick(rng, "....x.......x...", "x...x...x...x...")))
    return groove


def rock(rng: np.random.Generator) -> Groove:
    kick = pick(
        rng,
        "x..3..2.x.4..2.2",
        "x.....4.5.x...3.",
        "x..4...3..x..3..",
        "x...2...x.x..1..",
        "x.x.....x.x.....",
    )
    snare = pick(rng, "....X.......X...", "....X.......X..2", "....X..2.2..X...", "....X.......X.3.")
    return [(KICK, kick), (SNARE, snare), *hats(rng)]


def ballad(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "x.......x.3.....", "x......3..x.....", "x...........2...")),
        (
            pick_piece(rng, SNARE, RIM, SNARE),
            pick(rng, "....x.......x...", "........x.......", "....x.......x..."),
        ),
        (HAT, pick(rng, "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "x...x...x...x...")),
    ]


def pick_piece(rng: np.random.Generator, *pieces: int) -> int:
    return pieces[rng.integers(len(pieces))]


def half_time(rng: np.random.Generator) -> Groove:
    return [(KICK, "x..2.3..2.3..2.."), (SNARE, "........X......."), *hats(rng)]


def punk(rng: np.random.Generator) -> Groove:
    kick = pick(rng, "x...x...x...x...", "x.....x.x.......", "x...2.x.x.x.2...", "x.x...x.x.x...x.")
    return [
        (KICK, kick),
        (SNARE, "....X.......X..."),
        (pick_piece(rng, HAT, OPEN, RIDE, CRASH), pick(rng, "x.x.x.x.x.x.x.x.", "x...x...x...x...")),
    ]


def skank_beat(rng: np.random.Generator) -> Groove:
    """Double-time punk and ska: the snare on every off-beat eighth at a moderate count."""
    return [
        (KICK, "x...x...x...x..."),
        (SNARE, "..X...X...X...X."),
        (HAT, pick(rng, "x.x.x.x.x.x.x.x.", "x...x...x...x...")),
    ]


def metal(rng: np.random.Generator) -> Groove:
    kick = pick(
        rng,
        "xxxxxxxxxxxxxxxx",
        "x.x.x.x.x.x.x.x.",
        "x.xxx.xxx.xxx.xx",
        "x..x..x..x..x.x.",
        "xx..xx..xx..xx..",
        "x.xx..x.x.xx..x.",
    )
    snare = pick(rng, "....X.......X...", "....X.......X...", "..X...X...X...X.", "........X.......")
    return [
        (KICK, kick),
        (SNARE, snare),
        (pick_piece(rng, HAT, OPEN, RIDE, CRASH, BELL), pick(rng, "x.x.x.x.x.x.x.x.", "x...x...x...x...")),
    ]


def funk(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "x.2..2.3.3x..3.2", "x..x..2...x..3..", "x.x....3..x..x..", "x..3..x..xx..2..")),
        (
            SNARE,
            pick(
                rng,
                "....X..o.o..X..o",
                "....X..o.o.oX...",
                "....X.......X...",
                ".o..X..X.o..X..o",
                "....X..o.X....X.",
            ),
        ),
        (HAT, pick(rng, "xoxoxoxoxoxoxoxo", "x.x.x.x.x.x.x.x.", "x.xxx.xxx.xxx.xx", "x.o.x.o.x.o.x.o.")),
        (OPEN, pick(rng, "................", "..............x.", "......x.........")),
    ]


def disco(rng: np.random.Generator) -> Groove:
    return [
        (KICK, "X...X...X...X..."),
        (pick_piece(rng, SNARE, CLAP, SNARE), "....X.......X..."),
        (OPEN, "..x...x...x...x."),
        (HAT, pick(rng, "xx.xxx.xxx.xxx.x", "x...x...x...x...", "................")),
    ]


def house(rng: np.random.Generator) -> Groove:
    return [
        (KICK, "X...X...X...X..."),
        (CLAP, pick(rng, "....x.......x...", "................")),
        (pick_piece(rng, OPEN, HAT), "..X...X...X...X."),
        (SHAKER, pick(rng, "oooooooooooooooo", "................")),
        (RIM, "..2..3.2..2..3.."),
    ]


def breakbeat(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "x.x.......x.....", "x.........x..2..", "x.x...2...xx....")),
        (SNARE, pick(rng, "....X..o.o..X...", "....X.......X..o", "....X..X.o..X...")),
        (pick_piece(rng, HAT, RIDE), pick(rng, "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo")),
    ]


def hip_hop(rng: np.random.Generator) -> Groove:
    return [
        (KICK, "x..3..24..x3..2."),
        (pick_piece(rng, SNARE, CLAP), "....X.......X..."),
        (HAT, pick(rng, "x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxx.x.", "xxxxxxxxxxxxxxxx")),
    ]


def reggae(rng: np.random.Generator) -> Groove:
    """One drop, rockers and steppers; the count is the quick one with the skank on the off-beats."""
    return [
        (KICK, pick(rng, "........X.......", "x.......x.......", "X...X...X...X...")),
        (pick_piece(rng, RIM, SNARE), pick(rng, "........X.......", "....x.......x...", "........X....o..")),
        (HAT, pick(rng, "x.x.x.x.x.x.x.x.", "o.X.o.X.o.X.o.X.", "x...x...x...x...", "x..ox..ox..ox..o")),
    ]


def ska(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "........X.......", "....x.......x...", "x...x...x...x...")),
        (pick_piece(rng, SNARE, RIM), pick(rng, "....X.......X...", "........X.......")),
        (HAT, pick(rng, "..X...X...X...X.", "x.x.x.x.x.x.x.x.")),
    ]


def train(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "x.......x.......", "x...x...x...x...")),
        (SNARE, pick(rng, "ooXoooXoooXoooXo", "o.X.o.X.o.X.o.X.", "ooooXoooooooXooo", "..X...X...X...X.")),
        (PEDAL, pick(rng, "....x.......x...", "................")),
    ]


def country(rng: np.random.Generator) -> Groove:
    return [
        (KICK, "x.......x.3....."),
        (pick_piece(rng, SNARE, RIM), "....X.......X..."),
        (HAT, pick(rng, "x.x.x.x.x.x.x.x.", "..x...x...x...x.", "x...x...x...x...")),
    ]


def rockabilly(rng: np.random.Generator) -> Groove:
    """Swung eighths (written straight), back beat on the snare, ride or train pattern."""
    return [
        (KICK, pick(rng, "x...x...", "x.x.x.x.", "x...x..x")),
        (SNARE, pick(rng, "..X...X.", "..X..oX.", "oXoXoXoX")),
        (pick_piece(rng, RIDE, HAT), pick(rng, "x.xxx.xx", "xxxxxxxx", "x.x.x.x.")),
    ]


def swing(rng: np.random.Generator) -> Groove:
    """Jazz time: ride pattern, hat on two and four, feathered kick, comping snare; eight swung steps."""
    return [
        (
            pick_piece(rng, RIDE, RIDE, RIDE, HAT),
            pick(rng, "x.xxx.xx", "x.xxx.xx", "x.x.x.xx", "x.x.x.x.", "xxx.xxx.", "x.xxx.x."),
        ),
        (PEDAL, pick(rng, "..x...x.", "..x...x.", "..x...x.", "........")),
        (KICK, pick(rng, "o.o.o.o.", "........", "o......1", "x...x...")),
        (
            pick_piece(rng, SNARE, SNARE, RIM),
            pick(rng, "........", ".2.2.3.2", "......X.", "..x...x.", "...o.o.."),
        ),
    ]


def brushes(rng: np.random.Generator) -> Groove:
    return [
        (SNARE, pick(rng, "o.xoo.xo", "o.x.o.x.", "ooxoooxo")),
        (PEDAL, pick(rng, "..x...x.", "........")),
        (KICK, pick(rng, "o...o...", "........")),
    ]


def shuffle(rng: np.random.Generator) -> Groove:
    """Blues shuffle, twelve ternary steps."""
    return [
        (KICK, pick(rng, "x.....x..2..", "x..x..x..x..", "x....2x..2.3")),
        (SNARE, pick(rng, "...X.....X..", "..oX.o..oX.o", "......X.....")),
        (
            pick_piece(rng, HAT, RIDE, SNARE),
            pick(rng, "x.xx.xx.xx.x", "x..x..x..x..", "X.oX.oX.oX.o", "x.oX.ox.oX.o"),
        ),
    ]


def gospel(rng: np.random.Generator) -> Groove:
    """Slow 12/8: every ternary step on the hat or ride, back beat."""
    return [
        (KICK, pick(rng, "x.....x.2...", "x....xx.....", "x..2..x.3..2")),
        (pick_piece(rng, SNARE, RIM), "...X.....X.."),
        (pick_piece(rng, HAT, RIDE, TAMB), pick(rng, "xxxxxxxxxxxx", "XooXooXooXoo", "x.xx.xx.xx.x")),
    ]


def six_eight(rng: np.random.Generator) -> Groove:
    """Two dotted beats, six steps."""
    return [
        (KICK, pick(rng, "x.....", "x..2.2", "x....x")),
        (pick_piece(rng, SNARE, RIM), "...X.."),
        (pick_piece(rng, HAT, RIDE), pick(rng, "xxxxxx", "XooXoo", "x.xx.x")),
    ]


def waltz(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "x.....", "x....2")),
        (pick_piece(rng, SNARE, RIM, HAT), pick(rng, "..x.x.", "..o.o.", "....x.")),
        (pick_piece(rng, HAT, RIDE), pick(rng, "x.x.x.", "xxxxxx", "......")),
    ]


def jazz_waltz(rng: np.random.Generator) -> Groove:
    return [
        (RIDE, pick(rng, "x.xxx.", "x.x.xx", "x.xxxx")),
        (PEDAL, pick(rng, "..x...", "..x.x.", "....x.")),
        (KICK, "x....."),
    ]


def bossa(rng: np.random.Generator) -> Groove:
    clave = pick(rng, "x..x..x...x..x..", "..x.x...x..x..x.", "x..x...x..x.x...")
    return [
        (KICK, pick(rng, "x..xx..xx..xx..x", "x...x...x...x...", "x.....x.x.....x.")),
        (RIM, clave),
        (HAT, pick(rng, "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo")),
        (PEDAL, pick(rng, "....x.......x...", "................")),
    ]


def latin(rng: np.random.Generator) -> Groove:
    """Son, mambo and cha-cha percussion over a clave (four beats written in eighths per two-beat cell)."""
    groove: Groove = [
        (CONGA_HIGH, pick(rng, "o.o.X.o.o.o.....", "x.o.X...o.o.....")),
        (CONGA_OPEN, "............x.x."),
        (CLAVE, pick(rng, "x..x..x...x.x...", "..x.x...x..x..x.", "x..x...x..x.x...", "................")),
        (COWBELL, pick(rng, "x...x...x...x...", "x.x.x.xxx.xxx.x.", "x.xx.xx.x.xx.x.x", "................")),
        (TIMBALE, pick(rng, "x.x.xx.xx.xx.x.x", "................", "x.xx.xx.xx.x.xx.")),
    ]
    if rng.random() < 0.6:
        groove.append((KICK, pick(rng, "x.....x.x.....x.", "......x.......x.", "x..x....x..x....")))
    if rng.random() < 0.5:
        groove.append((pick_piece(rng, HAT, RIDE, BELL), pick(rng, "x.x.x.x.x.x.x.x.", "x.xx.xx.x.xx.xx.")))
    return groove


def fusion(rng: np.random.Generator) -> Groove:
    return [
        (KICK, pick(rng, "x..x....2.x..x..", "x.....x..x....3.", "x..2.2x...3..x.2")),
        (SNARE, pick(rng, "....X..o.o..X.o.", "....X....X....o.", "..o.X.o....XX...", "........X..o..o.")),
        (
            pick_piece(rng, RIDE, HAT, BELL),
            pick(rng, "x.xxx.xxx.xxx.xx", "x.x.x.x.x.x.x.x.", "x..x..x.x..x..x.", "xoxoxoxoxoxoxoxo"),
        ),
    ]


def fill(
    beats: int, division: int, length: float, rng: np.random.Generator
) -> list[tuple[float, int, float]]:
    """A fill over the last `length` beats of a bar: snare and toms, sometimes across the pulse."""
    per_beat = division if division == 3 else int(rng.choice([2, 4, 4]))
    out = []
    steps = int(length * per_beat)
    group = int(rng.choice([1, 1, 2, 3]))
    for index in range(steps):
        if rng.random() < 0.2 and index % per_beat:
            continue
        piece = SNARE if rng.random() < 0.4 else TOMS[min(len(TOMS) - 1, index * len(TOMS) // max(1, steps))]
        accent = 115 if index % (group * 2 if group > 1 else per_beat) == 0 else 85
        out.append((beats - length + index / per_beat, piece, accent + rng.normal(0, 6)))
        if rng.random() < 0.2:
            out.append((beats - length + index / per_beat, KICK, 95.0))
    return out
