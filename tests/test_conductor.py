"""Hands on the beat, with a metronome in the tracker's place: what fires, and when, after each gesture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.graph import Graph
from engine.node import AudioFormat, AudioIn, EventsFormat, EventsOut, HopNode, Param
from engine.offline import run_offline
from engine.plan import compile_graph
from engine.runner import Runner
from nodes.rhythm.conductor import Conductor
from nodes.rhythm.taps import Taps

RATE, QUANTUM = 44100, 256


class Metronome(HopNode):
    """Beats as a tracker says them: 0.25 s ahead, amended once, in bars. Latency: none."""

    audio = AudioIn("audio")
    beats = EventsOut("beats", kinds={"beat": "as a tracker's", "downbeat": "too", "state": "state"})
    bpm = Param(120.0, low=20.0, high=400.0, live=True, help="tempo")
    first = Param(0.5, low=0.0, high=10.0, unit="s", help="when the first beat falls")
    silent_from = Param(1e6, low=0.0, unit="s", help="no beats from here on")

    def prepare(self, audio: AudioFormat) -> EventsFormat:
        self.framing(audio, 64, 64)
        self.reset()
        return EventsFormat(audio.rate, (-round(0.25 * audio.rate), 0))

    def reset(self) -> None:
        super().reset()
        self._number, self._next, self._said = 0, self.first * self.rate, 0

    def step(self, window: np.ndarray) -> None:
        now = (self._index + 1) * 64
        if now > self.silent_from * self.rate:
            return
        for revision, ahead in enumerate((0.25, 0.1)):
            if self._said == revision and now >= self._next - ahead * self.rate:
                self._said += 1
                wobble = round((1 - revision) * 0.008 * self.rate)
                bar, place = divmod(self._number, 4)
                self.beats.emit(
                    "beat", round(self._next) + wobble, key=2 * self._number, revision=revision, bpm=self.bpm,
                    period=60.0 / self.bpm, confidence=0.8, number=self._number, beat=place + 1, bar=bar + 1,
                    meter=4,
                )  # fmt: skip
                if place == 0:
                    self.beats.emit(
                        "downbeat", round(self._next) + wobble, key=2 * self._number, revision=revision
                    )
        if now >= self._next:
            self._number, self._next, self._said = (
                self._number + 1,
                self._next + 60.0 / self.bpm * self.rate,
                0,
            )


def play(
    seconds: float,
    gestures: dict[float, tuple[str, object]],
    metronome: dict | None = None,
    quantum: int = QUANTUM,
    **params,
):
    """(seconds, values) of every beat that fires, and all other events; `gestures`: when -> what is set."""
    graph = (
        Graph(quantum=quantum)
        .add("tracker", Metronome(**(metronome or {})))
        .add("hands", Conductor(**params))
    )
    graph.connect("input", "tracker").connect("tracker.beats", "hands")
    plan = compile_graph(graph)
    runner = Runner(plan, strict=True)
    found: list = []
    waiting = sorted(gestures.items())

    def blocks():
        for _ in range(int(seconds * RATE / quantum)):
            while waiting and runner.position >= waiting[0][0] * RATE:
                target, value = waiting.pop(0)[1]
                runner.set(target if "." in target else f"hands.{target}", value)
            yield np.zeros((1, quantum), np.float32)

    run_offline(runner, blocks(), found.append)
    own = [event for event in found if event.source == "hands"]
    return [(e.time / RATE, dict(e.values)) for e in own if e.kind == "beat"], own


def times(beats) -> np.ndarray:
    return np.array([at for at, _ in beats])


def press(name: str, *at: float) -> dict[float, tuple[str, object]]:
    """Presses that arrive 40 ms after they were made, stamped with when that was."""
    return {t + 0.04: (name, t) for t in at}


def test_untouched_beats_pass_as_they_are():
    beats, events = play(8, {})
    np.testing.assert_allclose(times(beats), np.arange(0.5, 8, 0.5)[: len(beats)], atol=1e-4)
    assert [v["beat"] for _, v in beats[:5]] == [1, 2, 3, 4, 1]
    assert sum(e.kind == "downbeat" for e in events) == 4


def test_one_tap_moves_the_phase_at_the_next_beat():
    """The tracker is off by 0.17 s (no half beat): the next beat falls one period after the tap."""
    beats, _ = play(7, press("tap", 4.17) | {0.0: ("freeze", False)})
    after = times(beats)[times(beats) > 4.2]
    assert after[0] == pytest.approx(4.67, abs=0.002)
    assert times(beats)[times(beats) < 4.17].max() == pytest.approx(4.0, abs=0.002)
    assert len(times(beats)[(times(beats) > 4.01) & (times(beats) < 4.66)]) == 0


def test_taps_set_tempo_and_phase():
    taps = 3.1 + 0.6 * np.arange(4)  # 100 BPM against 120
    beats, events = play(12, press("tap", *taps))
    after = times(beats)[times(beats) > taps[-1] + 0.05]
    np.testing.assert_allclose(after[:5], taps[-1] + 0.6 * np.arange(1, 6), atol=0.03)
    assert beats[-1][1]["bpm"] == pytest.approx(100, abs=3)
    assert any(e.kind == "state" and e.values["state"] == "conducted" for e in events)


def test_taps_alone_make_beats_when_nothing_is_heard():
    taps = 1.0 + 0.5 * np.arange(4)
    beats, _ = play(10, press("tap", *taps), {"silent_from": 0.0})
    np.testing.assert_allclose(times(beats)[-12:], times(beats)[-1] - 0.5 * np.arange(12)[::-1], atol=1e-3)
    np.testing.assert_allclose((times(beats)[2:] - 1.0 + 0.25) % 0.5, 0.25, atol=1e-3)


def test_an_off_beat_tracker_follows_the_tap_and_keeps_it_in_time():
    """Tapped half a beat beside the tracker: the grid stays there, drawn by the tracker's beats."""
    beats, _ = play(20, press("tap", 4.76, 5.26, 5.77))  # its off-beats, 10 ms late
    late = times(beats)[times(beats) > 12]
    np.testing.assert_allclose((late - 0.25 + 0.25) % 0.5, 0.25, atol=0.005)


@pytest.mark.parametrize("shift", [-30.0, 30.0])
def test_a_nudge_moves_the_next_beat_and_stays(shift):
    beats, events = play(8, {3.3: ("nudge", shift), 5.3: ("nudge", shift)})
    at = times(beats)
    np.testing.assert_allclose(
        at[(at > 3.31) & (at < 5.3)], np.arange(3.5, 5.3, 0.5) + shift / 1000, atol=1e-3
    )
    np.testing.assert_allclose(
        at[at > 5.4], np.arange(5.5, 8.5, 0.5)[: sum(at > 5.4)] + 2 * shift / 1000, atol=1e-3
    )
    assert [e.values["offset"] for e in events if e.kind == "hands"] == [shift, 2 * shift]


@pytest.mark.parametrize(
    "pressed", [4.95, 5.06]
)  # a little before and after the third beat of a bar... at 5.0
def test_this_is_one_counts_from_the_nearest_beat(pressed):
    beats, events = play(9, press("one", pressed))
    by_time = {round(at, 2): v["beat"] for at, v in beats}
    assert by_time[4.5] == 1  # as the tracker had it
    assert [by_time[t] for t in (5.5, 6.0, 6.5, 7.0)] == [2, 3, 4, 1]
    ones = [e.time / RATE for e in events if e.kind == "downbeat" and e.time > 4.8 * RATE]
    assert ones[0] == pytest.approx(5.0, abs=0.01)
    assert ones[1] == pytest.approx(7.0, abs=0.01)


def test_half_and_double():
    half, _ = play(8, {0.0: ("octave", "half")})
    assert [v["beat"] for _, v in half[:4]] == [1, 3, 1, 3]
    np.testing.assert_allclose(np.diff(times(half)), 1.0, atol=1e-3)
    assert half[-1][1]["bpm"] == pytest.approx(60)
    double, _ = play(8, {0.0: ("octave", "double")})
    np.testing.assert_allclose(np.diff(times(double)), 0.25, atol=1e-3)
    assert [v["beat"] for _, v in double[:4]] == [1, 1.5, 2, 2.5]


def test_half_in_the_middle_acts_at_the_next_beat():
    beats, _ = play(8, {4.1: ("octave", "half")})
    np.testing.assert_allclose(times(beats)[times(beats) > 4.05], [4.5, 5.5, 6.5, 7.5], atol=2e-3)


def test_lock_keeps_the_tempo_and_freeze_everything():
    gesture = {4.0: ("tracker.bpm", 126.0)}
    locked, _ = play(14, {3.9: ("lock", True)} | gesture)
    frozen, _ = play(14, {3.9: ("freeze", True)} | gesture)
    free, _ = play(14, dict(gesture))
    assert {round(v["bpm"], 1) for at, v in locked if at > 4.5} == {120.0}
    np.testing.assert_allclose(np.diff(times(frozen)[times(frozen) > 4.5]), 0.5, atol=1e-4)
    assert free[-1][1]["bpm"] == pytest.approx(126)
    again, events = play(14, {3.9: ("freeze", True), 8.0: ("freeze", False)} | gesture)
    assert again[-1][1]["bpm"] == pytest.approx(126)
    assert [e.values["mode"] for e in events if e.kind == "hands"] == ["conducted", "following"]


def test_freeze_goes_on_through_silence():
    beats, _ = play(12, {3.9: ("freeze", True)}, {"silent_from": 5.0})
    np.testing.assert_allclose(times(beats)[-8:], times(beats)[-1] - 0.5 * np.arange(8)[::-1], atol=1e-3)
    assert times(beats)[-1] > 11.4


def test_blackout_holds_beats_back_and_says_so():
    beats, events = play(8, {3.3: ("blackout", True), 5.3: ("blackout", False)})
    at = times(beats)
    assert not len(at[(at > 3.3) & (at < 5.3)])
    np.testing.assert_allclose(at[at > 5.3], [5.5, 6.0, 6.5, 7.0, 7.5], atol=2e-3)
    assert [e.values["on"] for e in events if e.kind == "blackout"] == [1, 0]


def test_the_tracker_has_it_again_when_both_agree():
    beats, events = play(16, press("tap", 4.01, 4.51, 5.01) | {12.0: ("tracker.bpm", 125.0)})
    hands = [(e.values["what"], e.values["mode"]) for e in events if e.kind == "hands"]
    assert hands[-1] == ("agreed", "following")
    assert np.diff(times(beats)).max() < 0.56
    assert np.diff(times(beats)).min() > 0.44
    assert beats[-1][1]["bpm"] == pytest.approx(125)


def test_follow_lets_go_at_the_next_beat():
    taps = 3.1 + 0.6 * np.arange(4)
    beats, _ = play(12, press("tap", *taps) | press("follow", 8.2))
    at = times(beats)
    np.testing.assert_allclose(at[at > 8.55], np.arange(9.0, 12, 0.5)[: sum(at > 8.55)], atol=2e-3)


def test_stale_presses_and_bounces_do_nothing():
    untouched, _ = play(8, {})
    beats, _ = play(8, {5.0: ("tap", 1.0)})
    assert beats == untouched
    taps = Taps()
    assert taps.add(0.0, 100.0, 1000) == (100.0, 0.0)
    assert taps.add(500.0, 100.0, 1000) == (500.0, 500.0)
    assert taps.add(550.0, 100.0, 1000) == (500.0, 500.0)  # a bounce
    period, place = taps.add(1510.0, 100.0, 1000)  # one left out
    assert period == pytest.approx(np.polyfit([0, 1, 3], [0, 500, 1510], 1)[0])
    assert place == pytest.approx(np.polyval(np.polyfit([0, 1, 3], [0, 500, 1510], 1), 3))


@pytest.mark.parametrize("quantum", [64, 512])
def test_gestures_act_the_same_in_every_quantum(quantum):
    gestures: dict[float, tuple[str, object]] = {}
    for k, (name, value) in enumerate(
        [("tap", 2.1), ("tap", 2.65), ("one", 3.0), ("nudge", 15.0), ("lock", True), ("follow", 5.2)]
    ):
        at = (2.2, 2.75, 3.1, 3.9, 4.4, 5.3)[k]
        gestures[round(at * RATE / 512) * 512 / RATE] = (name, value)
    beats, _ = play(9, dict(gestures))
    other, _ = play(9, dict(gestures), quantum=quantum)
    assert len(beats) == len(other)
    np.testing.assert_allclose(times(beats), times(other), atol=1e-9)


def relock(
    gesture: Callable[[float], tuple[str, object]], at: float, wanted: Callable[[float], float]
) -> int:
    """How many beats fire after a gesture before the first one that is where it should be (1: the next)."""
    beats, _ = play(at + 4, {at + 0.02: gesture(at)})
    after = times(beats)[times(beats) > at + 0.02 + QUANTUM / RATE]  # it acts at the edge of a quantum
    right = [k for k, t in enumerate(after, 1) if abs(t - wanted(t)) < 0.005]
    return right[0]


def test_relock_is_at_the_next_beat_wherever_the_hand_comes():
    noise = np.random.default_rng(3)
    found = []
    for at in 4.0 + noise.uniform(0, 2.0, 25):
        grid = lambda t, at=at: at + round((t - at) / 0.5) * 0.5  # noqa: E731
        found.append(relock(lambda at: ("tap", at), at, grid))
        found.append(relock(lambda at: ("nudge", 40.0), at, lambda t: round((t - 0.04) / 0.5) * 0.5 + 0.04))
    assert max(found) == 1
