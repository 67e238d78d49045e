"""Makes a reference out of a file: what the lanes search, a few hundred bytes a second."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.audio.files import AudioFile
from engine.errors import FollowspotError
from nodes.match import features, landmarks
from nodes.match.chroma_kernels import FINE
from nodes.match.hops import Hops
from nodes.match.notes import note_chroma, read_notes

Array = npt.NDArray[Any]

MIDI = (".mid", ".midi")
SCORES = (".musicxml", ".xml", ".mxl")
SOUND = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".au", ".w64")

#: Samples at 22,050 Hz read at a time.
_BLOCK = features.RATE
#: Hops of the landmarks' analysis done at a time.
_HOPS = 8


@dataclass(frozen=True)
class Reference:
    """What is kept of one recording or score.

    Parameters
    ----------
    digest : of the file's bytes.
    kind : "audio", "midi" or "score".
    seconds : its length.
    tuning : tenths of a semitone from A = 440 Hz.
    frames : (n, 12) int8, smoothed chroma at 5 Hz; zeros where nothing sounds.
    hashes, places : landmarks by rising hash, and the landmark frame of each (none for a score).
    onsets, pitches : notes of a score or MIDI file by onset: milliseconds uint32, MIDI pitch uint8 (none for
        a recording).
    """

    digest: str
    kind: str
    seconds: float
    tuning: float
    frames: Array
    hashes: Array
    places: Array
    onsets: Array = field(default_factory=lambda: np.zeros(0, np.uint32))
    pitches: Array = field(default_factory=lambda: np.zeros(0, np.uint8))


def is_reference(path: Path) -> bool:
    """Whether the name of a file promises something that can be added."""
    return path.suffix.lower() in (*SOUND, *MIDI, *SCORES)


def digest_of(path: Path) -> str:
    """A fingerprint of the file's bytes, to know it again under another name."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()
    except OSError as error:
        raise FollowspotError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def analyse(path: Path) -> Reference:
    """Read a sound file, a MIDI file or a score. FollowspotError, one line, if it cannot be read."""
    digest = digest_of(path)
    suffix = path.suffix.lower()
    if suffix in (*MIDI, *SCORES):
        notes = read_notes(path)
        frames = features.as_bytes(features.smoothed(note_chroma(notes)))
        none = np.zeros(0, np.uint32)
        seconds = float((notes[:, 0] + notes[:, 1]).max())
        kind = "midi" if suffix in MIDI else "score"
        onsets = np.round(np.maximum(notes[:, 0], 0.0) * 1e3).astype(np.uint32)
        pitches = notes[:, 2].astype(np.uint8)
        return Reference(digest, kind, seconds, 0.0, frames, none, none, onsets, pitches)
    try:
        return _analyse_sound(path, digest)
    except FollowspotError as error:  # a stream would go on with what there is; a reference has to be whole
        said = str(error).removeprefix("input ")
        raise FollowspotError(said.replace("all before that was used", "nothing of it was added")) from None


def _analyse_sound(path: Path, digest: str) -> Reference:
    file = AudioFile(path, features.RATE, _BLOCK, even=False)
    seconds = file.seconds
    chroma, picker = features.FineChroma(), landmarks.Constellation(_HOPS)
    chroma_hops, landmark_hops = Hops(features.HOP), Hops(landmarks.HOP * _HOPS)
    fine: list[Array] = []
    times: list[int] = []
    steps: list[float] = []
    silence = np.zeros((landmarks.REACH_FRAMES + _HOPS) * landmarks.HOP, np.float32)
    for audio in chain((block[0] for block in file.blocks()), [silence]):
        for hop in chroma_hops.push(audio):
            fine.append(np.zeros(FINE, np.float32))
            chroma.push(hop, fine[-1])
        for hops in landmark_hops.push(audio):
            for frame, found in picker.push(hops):
                times.extend([frame] * len(found))
                steps.extend(found.tolist())
    wanted = int(np.ceil(seconds * features.RATE / features.HOP))
    frames, tuning = features.reference_frames(np.array(fine[:wanted]))
    if not frames.any():
        raise FollowspotError(f"{path}: nothing but silence; there is nothing to know it by")
    hashes, places = landmarks.index_hashes(np.array(times, np.int64), np.array(steps, np.float32))
    return Reference(digest, "audio", seconds, tuning, features.as_bytes(frames), hashes, places)
