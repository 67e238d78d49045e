"""Songs that people wrote for free games: no network here has heard them, and no constant was chosen on them.

FOLLOWSPOT_GAME_SONGS names a folder (default build/games) in which these Debian packages were unpacked:

    apt-get download freedoom freedm openttd-openmsx planetblupi-music-midi
    for package in *.deb; do dpkg -x $package .; done

They hold MIDI files, some inside of WAD archives. Taken are those in 4/4 whose snare drum strikes on the
second and fourth beat, because elsewhere a quarter note of the file need not be what one taps to.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np

FOLDER = Path(os.environ.get("FOLLOWSPOT_GAME_SONGS", "build/games"))
SECONDS = 60.0
SNARES = (38, 40)
STROKES, BACKBEAT = 20, 0.75  # least strokes of the snare in `SECONDS`, and least share on two and four


def files() -> Iterator[tuple[str, bytes]]:
    """Name and content of every MIDI file, each song once."""
    seen = set()
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix.lower() == ".mid":
            found = [(path.stem, path.read_bytes())]
        elif path.suffix.lower() == ".wad":
            found = lumps(path)
        else:
            continue
        for name, content in found:
            if content[:4] == b"MThd" and content not in seen:
                seen.add(content)
                yield name, content


def lumps(path: Path) -> list[tuple[str, bytes]]:
    """What a WAD archive of Doom holds: a directory of (offset, size, name) at its end."""
    content = path.read_bytes()
    count, directory = struct.unpack_from("<ii", content, 4)
    found = []
    for k in range(count):
        offset, size, name = struct.unpack_from("<ii8s", content, directory + 16 * k)
        lump = name.rstrip(b"\0").decode("ascii", "replace")
        found.append((f"{path.stem}-{lump}", content[offset : offset + size]))
    return found


def written(content: bytes) -> tuple[np.ndarray, float] | None:
    """Rows (seconds, place in the bar) of a song's beats, and when it begins; None if they are not sure."""
    midi = mido.MidiFile(file=io.BytesIO(content))
    ticks, seconds, tempo, bars = 0, 0.0, 500_000, [(0, 4, 4)]
    times, snares, onsets = [(0, 0.0)], [], []
    for message in mido.merge_tracks(midi.tracks):
        ticks += message.time
        seconds += mido.tick2second(message.time, midi.ticks_per_beat, tempo)
        if message.type == "set_tempo":
            times.append((ticks, seconds))
            tempo = message.tempo
        elif message.type == "time_signature":
            bars.append((ticks, message.numerator, message.denominator))
        elif message.type == "note_on" and message.velocity:
            onsets.append(seconds)
            if message.channel == 9 and message.note in SNARES:
                snares.append((seconds, ticks / midi.ticks_per_beat))
    if not onsets or any((upper, lower) != (4, 4) or at for at, upper, lower in bars):
        return None
    places = np.array([beat for at, beat in snares if at < onsets[0] + SECONDS])
    if len(places) < STROKES or np.mean(np.abs(places % 2 - 1) < 0.125) < BACKBEAT:
        return None
    times.append((ticks, seconds))
    beats = np.arange(ticks // midi.ticks_per_beat + 1)
    at = np.interp(beats * midi.ticks_per_beat, *np.array(times).T)
    rows = np.stack([at, beats % 4 + 1], axis=1)
    return rows[(at > onsets[0] - 0.05) & (at < onsets[-1])], onsets[0]
