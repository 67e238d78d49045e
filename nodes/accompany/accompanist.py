"""The accompanist: plays the other parts of a score in time with the one who is followed."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import FollowspotError
from engine.node import Event, EventsFormat, EventsIn, EventsOut, Node, Param
from nodes.accompany.keeper import Keeper
from nodes.follow.score import load_score

REVISE = 0.002  # s by which a note must move to be said again
VELOCITY = 72


class Accompanist(Node):
    """Plays notes from a file as the score follower says where the soloist is.

    Notes are said `lookahead` before they sound, from where the soloist will be at the tempo of now, and put
    right until they fall due. After a jump of the soloist what sounds is ended, and it goes on from there.

    Latency: none; notes come `lookahead` early, so a sink's `latency_ms` is made up for up to that.
    Errors: a file that is missing or holds no notes is a fault of the preset, in one line.
    """

    heard = EventsIn("positions of a score follower")
    notes = EventsOut(
        "what is played along",
        kinds={"note": "pitch, velocity, beat (seconds of the score)", "note_end": "pitch"},
    )

    parts = Param("", help="MIDI file of what is played, in the same seconds as the followed score; a path")
    solo = Param("", help="the followed score, so that its rests are known; a path")
    lookahead = Param(0.1, low=0.02, high=1.0, unit="s", help="how early notes are announced")

    def prepare(self, heard: EventsFormat) -> EventsFormat:
        if not self.parts or not self.solo:
            raise ValueError("nothing to play: set parts and solo to MIDI files")
        try:
            played, followed = load_score(self.parts), load_score(self.solo)
        except FollowspotError as error:
            raise ValueError(str(error)) from None
        self._rate = heard.rate
        self._onset, self._pitch = played.onset, played.pitch.tolist()
        self._end = np.maximum(played.end, played.onset + 0.03)
        self._keeper = Keeper(followed.onset, followed.end)
        self._ahead = float(self.lookahead)
        self._fresh()
        return EventsFormat(heard.rate, (-round(self.lookahead * heard.rate), max(0, heard.latency[1])))

    def _fresh(self) -> None:
        self._keeper.reset()
        self._at: int | None = None  # sample of the last word of the follower
        self._next = 0  # the first note that has not been said
        self._said: dict[int, tuple[int, int]] = {}  # note that is not due -> sample, revision
        self._sounding: dict[int, int] = {}  # note that has fallen due -> key
        self._keys: dict[int, int] = {}  # note -> key of its last stroke
        self._strokes = 0

    def reset(self) -> None:
        self._fresh()

    def gap(self, start: int, length: int) -> None:
        """The place is kept over a gap, as the follower keeps it."""

    def process(self) -> None:
        for event in self.heard:
            if event.kind == "position" and not event.retracted:
                self._hear(event)

    def finish(self) -> None:
        if self._at is not None:
            self._silence(self._at)

    def _hear(self, event: Event) -> None:
        keeper, now = self._keeper, event.time
        passed = 0.0 if self._at is None else (now - self._at) / self._rate
        self._at = now
        begun = keeper.place is not None
        keeper.step(passed, float(event.values["seconds"]), str(event.values["state"]))
        if keeper.place is None:
            return
        if keeper.jumped or not begun:
            self._silence(now)
            self._next = int(np.searchsorted(self._onset, keeper.place - 0.05))
        self._fall_due(now)
        self._announce(now, keeper.place, keeper.speed)
        self._release(now, keeper.place)

    def _fall_due(self, now: int) -> None:
        """What was said has begun to sound."""
        for note in [note for note, (at, _) in self._said.items() if at <= now]:
            del self._said[note]
            self._sounding[note] = self._keys[note]

    def _announce(self, now: int, place: float, speed: float) -> None:
        """Say what comes within the lookahead, or say it anew where it has moved."""
        reach = place + speed * self._ahead
        while self._next < len(self._onset) and self._onset[self._next] <= reach:
            self._keys[self._next] = self._strokes
            self._strokes += 1
            self._said[self._next] = (-1, -1)
            self._next += 1
        for note, (said, revision) in self._said.items():
            away = (self._onset[note] - place) / max(speed, 0.05)
            at = now + round(max(0.0, min(away, self._ahead)) * self._rate)
            if abs(at - said) < REVISE * self._rate:
                continue
            self._said[note] = (at, revision + 1)
            self.notes.emit(
                "note", at, key=self._keys[note], revision=revision + 1, pitch=self._pitch[note],
                velocity=VELOCITY, beat=round(float(self._onset[note]), 4),
            )  # fmt: skip

    def _release(self, now: int, place: float) -> None:
        """End the notes whose time is over."""
        for note in [note for note in self._sounding if self._end[note] <= place]:
            key = self._sounding.pop(note)
            self.notes.emit("note_end", now, key=key, pitch=self._pitch[note])

    def _silence(self, now: int) -> None:
        """End what sounds, withdraw what was said."""
        for note, (at, revision) in self._said.items():
            self.notes.emit(
                "note", at, key=self._keys[note], revision=revision + 1, retracted=True,
                pitch=self._pitch[note], velocity=VELOCITY, beat=round(float(self._onset[note]), 4),
            )  # fmt: skip
        self._said.clear()
        for note, key in self._sounding.items():
            self.notes.emit("note_end", now, key=key, pitch=self._pitch[note])
        self._sounding.clear()

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """The made-up score accompanies itself."""
        from nodes.follow.made_up import made_up_score

        return [{"parts": str(made_up_score()), "solo": str(made_up_score())}]

    @classmethod
    def test_inputs(cls, graph: Any) -> dict[str, str]:
        """Positions of a real follower."""
        from nodes.follow.follower import ScoreFollower
        from nodes.follow.made_up import made_up_score

        graph.add("follower", ScoreFollower(reference=str(made_up_score())))
        graph.connect("input.audio", "follower")
        return {"heard": "follower.position"}
