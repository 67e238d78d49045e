"""Cues of a score, foretold from where the performer is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import FollowspotError
from engine.node import Event, EventNode, EventsFormat, EventsIn, EventsOut, Param
from nodes.follow.cue_list import Cue, cues_of_marks, load_cues
from nodes.follow.score import SUFFIXES, Score, load_score

#: Beats by which the position may go further than the tempo says before that is a jump.
JUMP = 2.0
#: Seconds by which a prediction must have moved to be worth a word.
STEP = 0.002


def predict(position: Event, beat: float, rate: int) -> int | None:
    """Input sample at which the performer will be at `beat`, from a `position` event; None if not playing."""
    values = position.values
    speed = values["tempo"] / 60.0
    if values["state"] != "tracking" or speed <= 0.0:
        return None
    return position.time + round((beat - values["beat"]) / speed * rate)


def _cues(source: str, score: Score | None) -> list[Cue]:
    """Cues by the parameter `list`."""
    if not source:
        return []
    if source != "marks":
        return load_cues(source, score)
    if score is None or not score.marks:
        raise FollowspotError("cues: the score has no marks (rehearsal letters, words, MIDI markers)")
    return cues_of_marks(score)


class ScoreCues(EventNode):
    """Says each cue of a list once, ahead of time, at the sample at which its note is expected.

    A prediction moves (higher revisions of one key) until it is due; a sink with a latency sends it that
    much earlier. A cue that the performer passes without playing it (a skip) is said at once if it is `late`
    (unless it lay more than `late` seconds back), never if it is `skip`, and when its place is played after
    all if it is `wait`. A cue that is set to `wait` is not foretold: it comes when its note was heard.

    Latency: none; cues are told up to `ahead` seconds early.
    """

    position = EventsIn("`position` events of a follower")
    cues = EventsOut(
        "cues, in the future where they can be foretold",
        kinds={
            "cue": "name, number (from 1), beat, pitch (its MIDI note, -1 for none), late (s after its place)"
        },
    )
    list = Param("", help="TOML file of [[cue]] tables, or marks: every mark of the score")
    reference = Param("", help="the score, for cues by bar or mark; a path, or a recording (for none)")
    ahead = Param(2.0, low=0.0, high=60.0, unit="s", help="how early a cue is told")
    late = Param(5.0, low=0.0, high=600.0, unit="s", help="how long after its place a cue may come late")

    test_skips = {"speaks": "cues answer positions in a score, which the kit's events are not"}

    def prepare(self, position: EventsFormat) -> EventsFormat:
        try:
            engraved = Path(self.reference).suffix.lower() in SUFFIXES
            score = load_score(self.reference) if self.list and engraved else None
            self._cues = _cues(self.list, score)
        except FollowspotError as error:
            raise ValueError(str(error)) from None
        self._due: list[int | None] = [None] * len(self._cues)
        self._revision = [0] * len(self._cues)
        self._done = [False] * len(self._cues)
        self.reset()
        return EventsFormat(rate=position.rate, latency=(-round(self.ahead * position.rate), 0))

    def reset(self) -> None:
        self._last: Event | None = None
        for k in range(len(self._cues)):
            self._due[k] = None
            self._revision[k] = 0
            self._done[k] = False

    def gap(self, start: int, length: int) -> None:
        """What has been said stays said."""

    def step(self, event: Event) -> None:
        if event.kind != "position" or event.values["state"] == "waiting":
            return
        last, self._last = self._last or event, event
        here, before = event.values["beat"], last.values["beat"]
        speed = max(event.values["tempo"], last.values["tempo"], 1.0) / 60.0
        leap = here - before - speed * (event.time - last.time) / self.rate
        jumped = abs(leap) > JUMP
        for k, cue in enumerate(self._cues):
            if self._done[k]:
                continue
            due = self._due[k]
            if due is not None and due <= event.time:
                self._done[k] = True
            elif cue.beat > here:
                self._foretell(k, cue, event)
            elif before < cue.beat or (last is event and here - cue.beat < 0.1):
                self._passed(k, cue, event, jumped, (here - cue.beat) / speed)

    def _foretell(self, k: int, cue: Cue, event: Event) -> None:
        time = predict(event, cue.beat, self.rate)
        due = self._due[k]
        if time is None or cue.missed == "wait" or time - event.time > self.ahead * self.rate:
            if due is not None:
                self._say(k, cue, due, 0.0, retracted=True)
                self._due[k] = None
        elif due is None or abs(time - due) > STEP * self.rate:
            self._say(k, cue, time, 0.0)
            self._due[k] = time

    def _passed(self, k: int, cue: Cue, event: Event, jumped: bool, late: float) -> None:
        if not jumped or (cue.missed == "late" and late <= self.late):
            self._say(k, cue, event.time, late)
            self._done[k] = True
        elif cue.missed != "wait":
            if self._due[k] is not None:
                self._say(k, cue, event.time, late, retracted=True)
            self._done[k] = True

    def _say(self, k: int, cue: Cue, time: int, late: float, *, retracted: bool = False) -> None:
        self._revision[k] += 1
        self.cues.emit(
            "cue",
            time,
            key=k,
            revision=self._revision[k],
            retracted=retracted,
            name=cue.name,
            number=k + 1,
            beat=cue.beat,
            pitch=cue.note,
            late=round(late, 3),
        )

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """A mark in the made-up score."""
        from nodes.follow.made_up import made_up_cues

        return [{"list": str(made_up_cues())}]
