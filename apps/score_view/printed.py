"""A score as it is printed and as it is played: every sounding note knows its sign on the page."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import FollowspotError
from nodes.follow.score import SUFFIXES, Score, load_score

MIDI = (".mid", ".midi")
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


@dataclass(frozen=True)
class Printed:
    """What the page shows.

    Attributes
    ----------
    name : of the file.
    engraving : MusicXML or MEI in which every note has a name, "" if there is nothing to engrave.
    score : with the same names; None if a recording is followed.
    """

    name: str
    engraving: str
    score: Score | None

    def timeline(self) -> dict[str, Any]:
        """What sounds when, in seconds of the score as it is played, repeats and all.

        `notes`: [onset, end, MIDI pitch, name] by onset. `bars`: [start, printed number] in playing order.
        """
        score = self.score
        if score is None:
            return {"name": self.name, "kind": "recording", "notes": [], "bars": []}
        names = score.ids or ("",) * len(score.onset)
        notes = [
            [round(on, 4), round(off, 4), pitch, name]
            for on, off, pitch, name in zip(
                score.onset.tolist(), score.end.tolist(), score.pitch.tolist(), names, strict=True
            )
        ]
        bars = [[round(score.seconds_at(beat), 4), int(number)] for beat, number in score.bars.tolist()]
        kind = "engraved" if self.engraving else "roll"
        return {"name": self.name, "kind": kind, "notes": notes, "bars": bars}


def load_printed(path: Path) -> Printed:
    """A score, or the recording that is followed in its place. Raises FollowspotError, one line."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return Printed(path.name, "", None)
    if suffix in MIDI:
        return Printed(path.name, "", load_score(path))
    engraving = _named(path)
    kind = ".mei" if suffix == ".mei" else ".musicxml"
    with tempfile.NamedTemporaryFile("w", suffix=kind, encoding="utf-8") as file:
        file.write(engraving)
        file.flush()
        try:
            return Printed(path.name, engraving, load_score(file.name))
        except FollowspotError as error:
            raise FollowspotError(str(error).replace(file.name, str(path))) from None


def _named(path: Path) -> str:
    """The XML with a name for every note that has none; all are named anew if two share one."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(_xml(path), parser)
    except (etree.XMLSyntaxError, zipfile.BadZipFile, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise FollowspotError(
            f"score {path}: cannot be read ({reason}); give MIDI, MusicXML (.mxl too) or MEI"
        ) from None
    is_mei = etree.QName(root).localname == "mei"
    key = _XML_ID if is_mei else "id"
    notes = [element for element in root.iter("{*}note") if isinstance(element.tag, str)]
    names = [note.get(key) for note in notes]
    anew = len({name for name in names if name}) < sum(1 for name in names if name)
    for number, (note, name) in enumerate(zip(notes, names, strict=True)):
        if anew or not name:
            note.set(key, f"note{number}")
    return str(etree.tostring(root, encoding="unicode"))


def _xml(path: Path) -> bytes:
    """The bytes of a file; of the score inside if it is a compressed one."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    from lxml import etree

    with zipfile.ZipFile(path) as archive:
        container = etree.fromstring(archive.read("META-INF/container.xml"))
        inside = container.find(".//{*}rootfile")
        if inside is None:
            raise FollowspotError(f"score {path}: names no score inside; export it again")
        return archive.read(str(inside.get("full-path")))
