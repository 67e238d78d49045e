"""Recorded drum kits: those of the Hydrogen drum machine (Debian's `hydrogen-drumkits` and `hydrogen-data`).

`piece(kits, note, rng)` draws the recording of a General MIDI drum note: some sounds, from soft to loud.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

RATE = 44100
FOLDER = Path("/usr/share/hydrogen/data/drumkits")
APART = ("ColomboAcousticDrumkit", "The Black Pearl 1.0", "VariBreaks")  # nothing is learnt from these
LONGEST, FADE = 1.5, 0.1  # seconds of a sound, and of its end
KIND = {  # of an instrument's name, first match; None: nothing of a kit
    r"hh|hat": 42,
    r"kick|bass ?drum": 36,
    r"beats_|click$|zap|fx|drum \d|whistle|roll|snap": None,
    r"rim click|stick": 37,
    r"snare": 38,
    r"clap": 39,
    r"\btom": 45,
    r"cowbell|agogo|(sangban|dununba|kenkeni).*bell": 56,
    r"crash|splash|china|cymbal": 49,
    r"ride|bell|cup": 51,
    r"tambourine": 54,
    r"shaker|maraca": 70,
    r"clave|woodblock|glass": 75,
    r"bongo|conga|djembe|sangban|cajon|dununba|kenkeni": 62,
}
ALIKE = {
    **dict.fromkeys((35, 36), 36),
    **dict.fromkeys((38, 40), 38),
    **dict.fromkeys((41, 43, 45, 47, 48, 50), 45),
    **dict.fromkeys((49, 52, 55, 57), 49),
    **dict.fromkeys((51, 53, 59), 51),
    **dict.fromkeys((56, 67, 68), 56),
    **dict.fromkeys((69, 70, 82), 70),
    **dict.fromkeys((75, 76, 77), 75),
    **dict.fromkeys(range(60, 67), 62),
}

Files = tuple[Path, ...]


def kind_of(name: str) -> int | None:
    """The GM note that stands for an instrument with this name."""
    name = name.lower()
    note = next((note for pattern, note in KIND.items() if re.search(pattern, name)), None)
    if note == 42 and re.search(r"open|semi|free|swish| op|ohh", name):
        return 46
    return 44 if note == 42 and re.search(r"ped| pd", name) else note


@lru_cache(maxsize=2)
def instruments(apart: bool = False) -> dict[str, dict[int, list[Files]]]:
    """Of every kit the instruments of each kind: their files from soft to loud. `apart`: of APART only."""
    kits: dict[str, dict[int, list[Files]]] = {}
    for file in sorted(FOLDER.glob("*/drumkit.xml")):
        if (file.parent.name in APART) != apart:
            continue
        kit = kits.setdefault(file.parent.name, {})
        for instrument in ElementTree.parse(file).iterfind(".//{*}instrument"):
            note = kind_of(instrument.findtext("{*}name", ""))
            layers = sorted(
                (float(layer.findtext("{*}min", "0")), layer.findtext("{*}filename", ""))
                for layer in instrument.iterfind(".//{*}layer")
            ) or [(0.0, instrument.findtext("{*}filename", ""))]
            files = tuple(file.parent / name for _, name in layers if (file.parent / name).is_file())
            if note is not None and files:
                kit.setdefault(note, []).append(files)
    if not kits:
        raise SystemExit(f"no drum kits in {FOLDER}: apt-get install hydrogen-drumkits hydrogen-data")
    return kits


@lru_cache(maxsize=1000)
def sound(file: Path) -> np.ndarray:
    """A recording, one channel, float32 at 44.1 kHz."""
    audio, rate = sf.read(file, dtype="float32", always_2d=True)
    wave = soxr.resample(audio.mean(axis=1), rate, RATE)[: round(LONGEST * RATE)].astype(np.float32)
    fade = min(len(wave), round(FADE * RATE))
    wave[len(wave) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return wave


def piece(home: str, note: int, rng: np.random.Generator, apart: bool = False) -> list[np.ndarray]:
    """Sounds of a piece, soft to loud: of the kit `home`, or of any that has it; empty if none has."""
    kits, kind = instruments(apart), ALIKE.get(note, note)
    own = kits[home].get(kind) or [files for kit in kits.values() for files in kit.get(kind, [])]
    return [sound(file) for file in own[rng.integers(len(own))]] if own else []
