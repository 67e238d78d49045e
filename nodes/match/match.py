"""The node that says what is being played, and where in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.audio.door import Door
from engine.deferred import DeferredNode
from engine.errors import FollowspotError
from engine.formats import AudioFormat, EventsFormat
from engine.memory import release_libraries
from engine.node import AudioIn, EventsOut, Param
from nodes.match.features import HOP, RATE
from nodes.match.gate import KINDS
from nodes.match.hypotheses import Statement
from nodes.match.library import writing
from nodes.match.matcher import KEYS, Matcher
from nodes.match.neighbours import METHODS
from nodes.match.priors import read_set_list
from nodes.match.shards import open_folder, open_store

Array = npt.NDArray[Any]

#: Searches a second.
CHUNKS = 10

_PAYLOAD = "document, position (s), tempo (ratio), transposition (semitones), confidence (0 to 1), lane"


class Match(DeferredNode):
    """Which document of a library sounds, where in it, how fast and in which key; or that it is unknown.

    Two lanes vote: landmarks know a recording again within seconds, through noise, a room and changes of
    speed or pitch up to 10 %; the scan knows the piece in whatever performance (see `nodes.match.scan`).
    Positions are moved on to the moment at which they are said.

    Latency: 0.6 s from the sound to the statement (0.4 s of analysis, the rest is time to search).

    References: Wang, ISMIR 2003 (landmarks); Mueller, Kurth and Clausen, ISMIR 2005 (chroma matching).
    """

    audio = AudioIn("music; several channels are mixed")
    events = EventsOut(
        "what is being played",
        kinds={
            "candidate": f"worth a look, not sure yet: {_PAYLOAD}",
            "match": f"this is it; repeated every 0.4 s: {_PAYLOAD}",
            "position": f"where the match is now, 5 times a second: {_PAYLOAD}",
            "jump": f"the music went on elsewhere in the same document: {_PAYLOAD}",
            "lost": f"it is this no longer: {_PAYLOAD}",
            "unknown": "nothing in the library fits; repeated every 0.4 s: no payload",
        },
    )
    library = Param("library", help="folder made by `followspot library add`; several: A|B")
    store = Param("", help="URL of a library in LanceDB, instead of a folder; several: A|B")
    transpose = Param("all", choices=("all", "none"), help="try all 12 keys, or only the written one")
    index = Param(
        "auto",
        choices=("auto", "none", *METHODS),
        help="what gates the scan; none: all is scanned; auto: none up to 20 hours in 12 keys; exact for all "
        "keys but the written one up to 240 hours; exact above",
    )
    shingles = Param(
        "short",
        choices=tuple(KINDS),
        help="what the gate compares: short: 4 s, kept in the library; network: also 20 s through a trained "
        "network, made when the library is opened",
    )
    set_list = Param("", help="file with the names of the documents that are expected, in order")
    deadline = Param(80.0, low=10.0, high=90.0, unit="ms", help="time to search 0.1 s of music")

    def prepare(self, audio: AudioFormat) -> EventsFormat:
        try:
            self._matcher = self._open()
        except FollowspotError as error:
            raise ValueError(str(error)) from None
        self._channels = audio.channels
        self._door = Door(self.rate, audio.channels, RATE, HOP, "mix")
        # Work is cut on a grid of its own, so that what is said does not depend on the quantum.
        self._chunk = round(self.rate / CHUNKS)
        self.delay = round(self.deadline * 1e-3 * self.rate)
        room = 4 * self.rate  # so long may a search be late before music is lost
        self._ring = np.zeros((room, audio.channels), np.float32)
        self._taken = np.zeros_like(self._ring)
        self._count = self._taken_count = self._searched = self._number = self._origin = 0
        return EventsFormat(audio.rate, (0, self.quantum + audio.latency))

    def _open(self) -> Matcher:
        library = open_store(self.store) if self.store else open_folder(self.library)
        names = read_set_list(self.set_list, library.names()) if self.set_list else []
        release_libraries()
        return Matcher(
            library, KEYS if self.transpose == "all" else KEYS[:1], self.index, names, self.shingles
        )

    def observe(self) -> None:
        block = self.audio
        n = block.shape[1]
        if self._count + n > len(self._ring):
            return  # the search has been hanging for seconds; what it misses it cannot use any more
        self._ring[self._count : self._count + n] = block.T
        self._count += n

    def snapshot(self) -> bool:
        if self._count < self._chunk:
            return False
        taken = self._taken_count = self._count // self._chunk * self._chunk
        self._taken[:taken] = self._ring[:taken]
        self._count -= taken
        self._ring[: self._count] = self._ring[taken : taken + self._count]
        self._searched += taken
        return True

    def compute(self) -> list[Statement]:
        self._door.push(self._taken[: self._taken_count])
        says: list[Statement] = []
        while (hop := self._door.pull()) is not None:
            says += self._matcher.push(hop[0], (self._searched + self.delay) / self.rate)
        return says

    def publish(self, result: list[Statement]) -> None:
        for statement in result:
            self._emit(statement)

    def _emit(self, statement: Statement) -> None:
        found = statement.hypothesis
        time = self._origin + self._searched + self.delay
        self._number += 1
        if found is None:
            self.events.emit(statement.kind, time, key=self._number)
            return
        self.events.emit(
            statement.kind,
            time,
            key=self._number,
            document=self._matcher.documents[found.document].id,
            position=round(found.position, 3),
            tempo=round(found.tempo, 4),
            transposition=found.transposition,
            confidence=round(found.confidence, 4),
            lane=found.lane,
        )

    def reset(self) -> None:
        super().reset()
        self._matcher.reset()
        self._door.restart()
        self._count = self._searched = self._number = self._origin = 0

    def gap(self, start: int, length: int) -> None:
        said = self._number
        self.reset()
        self._origin, self._number = start + length, said

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """A library that holds the conformance kit's own music."""
        import soundfile

        from engine.testing_inputs import RATE as TEST_RATE
        from engine.testing_inputs import music
        from nodes.match.references import analyse

        folder = Path(tempfile.mkdtemp(prefix="followspot-library-"))
        file = folder / "music.wav"
        soundfile.write(file, music(12.0)[0], TEST_RATE)
        with writing(folder / "library", create=True) as writer:
            writer.add([(file.name, file, analyse(file))])
        return [{"library": str(folder / "library")}]

    test_seconds = 6.0
    test_skips = {
        "allocation": "the search runs on a thread of its own; what runs in the quantum only copies"
    }
