"""The conformance kit itself: it passes good nodes, and every check goes red on a node broken for it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.checks import NODE_CHECKS, STATIC_CHECKS
from engine.checks_sink import SINK_CHECKS
from engine.node import (
    AudioIn,
    AudioNode,
    AudioOut,
    EventsFormat,
    EventsIn,
    EventsOut,
    FrameNode,
    FramesFormat,
    FramesIn,
    FramesOut,
    HopNode,
    Node,
    Param,
    same_grid,
)
from engine.sink import Sink
from engine.testing import assert_conforms, check_node, table


class Gain(AudioNode):
    """Multiplies by a factor. Latency: none."""

    audio = AudioIn("audio")
    louder = AudioOut("the same, times the gain")
    gain = Param(0.5, low=0.0, high=4.0, live=True, help="factor")

    def step(self, audio, louder):
        np.multiply(audio, np.float32(self.gain), out=louder)


class Energy(HopNode):
    """Mean square of a window of 1024 samples. Latency: half a window."""

    audio = AudioIn("audio")
    energy = FramesOut("mean square, shape ()")

    def prepare(self, audio):
        self._square = np.zeros((audio.channels, 1024), np.float32)
        return self.framing(audio, 1024, 256)

    def step(self, window, energy):
        np.multiply(window, window, out=self._square)
        self._square.mean(out=energy)


class Smooth(FrameNode):
    """One-pole mean of frames. Latency: none."""

    frames = FramesIn("frames, any shape")
    smooth = FramesOut("the same, smoothed")

    def prepare(self, frames):
        self._state = np.zeros(frames.shape, np.float32)
        return same_grid(frames)

    def reset(self):
        self._state[...] = 0

    def step(self, frames, smooth):
        np.multiply(self._state, 0.9, out=self._state)
        np.add(self._state, frames, out=self._state)
        smooth[...] = self._state


class Gate(FrameNode):
    """An event when the level passes 0.1. Latency of events: that of the frames."""

    frames = FramesIn("frames, shape (bins,)")
    events = EventsOut("crossings", kinds={"loud": "level"})

    def prepare(self, frames):
        self._key = 0
        self._open = False
        return EventsFormat(frames.rate, (frames.latency, frames.latency))

    def reset(self):
        self._key, self._open = 0, False

    def step(self, frames):
        loud = float(frames[0]) > 0.1
        if loud and not self._open:
            self.events.emit("loud", self.time, key=self._key, level=float(frames[0]))
            self._key += 1
        self._open = loud


class Repeat(Node):
    """Says every event once more. Latency: that of the events."""

    events = EventsIn("beats")
    again = EventsOut("the same", kinds={"beat": "bpm, confidence, velocity"})

    def prepare(self, events):
        return events

    def process(self):
        for event in self.events:
            self.again.emit("beat", event.time, key=event.key, revision=event.revision, **event.values)


@pytest.mark.parametrize("cls", [Gain, Energy, Smooth, Gate, Repeat])
def test_good_nodes_pass_every_check(cls):
    results = check_node(cls)
    assert all(result.ok for result in results), table(results)
    assert {r.check for r in results} == {c.__name__ for c in (*STATIC_CHECKS, *NODE_CHECKS)}


# ---- one broken node for each check ----------------------------------------------------------------


class NoLatency(Gain):
    """Multiplies."""


class NoHelp(Gain):
    """Multiplies. Latency: none."""

    gain = Param(0.5)


class Clocked(Gain):
    """Its module imports a clock; see the test."""


class BadRepr(Gain):
    """Multiplies. Latency: none."""

    def __repr__(self):
        return "BadRepr(gain=2.0)"


class TakesAll(Gain):
    """Multiplies. Latency: none."""

    def __init__(self, **values):
        super().__init__(**{k: v for k, v in values.items() if k == "gain"})


class Mute(Gain):
    """Silent. Latency: none."""

    def step(self, audio, louder):
        louder[:] = 0.0


class Deaf(Gain):
    """Always says the same. Latency: none."""

    def step(self, audio, louder):
        louder[:] = 0.25


class MonoByAccident(Gain):
    """Falls over a second channel. Latency: none."""

    def step(self, audio, louder):
        louder[:] = audio.reshape(1, self.quantum)


class BlockMean(Gain):
    """Removes the mean of the quantum: depends on the quantum. Latency: none."""

    def step(self, audio, louder):
        louder[:] = audio - audio.mean()


class Forgetful(Smooth):
    """Does not reset. Latency: none."""

    def reset(self):
        pass


class Shared(Smooth):
    """Its state belongs to the class. Latency: none."""

    state = np.zeros(32, np.float32)

    def prepare(self, frames):
        self._state = Shared.state
        self._state[:] = 0
        return same_grid(frames)


class Oracle(Gain):
    """Knows what was played the last time. Latency: none."""

    played: dict[int, float] = {}

    def step(self, audio, louder):
        ahead = Oracle.played.get(self.clock.stop, 0.0)
        Oracle.played[self.clock.start] = float(audio[0, 0])
        louder[:] = audio + np.float32(ahead)


class LateChange(Gain):
    """Takes a new gain at the next quantum only: which depends on the quantum. Latency: none."""

    def prepare(self, audio):
        self._now = 0.5
        return audio

    def reset(self):
        self._now = 0.5

    def step(self, audio, louder):
        np.multiply(audio, np.float32(self._now), out=louder)
        self._now = self.gain


class Normalise(Gain):
    """Divides by the loudest sample of the quantum, silence or not. Latency: none."""

    def step(self, audio, louder):
        louder[:] = audio / np.abs(audio).max()


class GridLost(Energy):
    """Counts its frames from 0 after a gap. Latency: half a window."""

    def gap(self, start, length):
        self.reset()


class LatencyForgotten(Energy):
    """Says that it has no latency. Latency: none."""

    def prepare(self, audio):
        format = super().prepare(audio)
        return FramesFormat(format.rate, format.hop, format.origin, format.shape, latency=0)


class NotCentred(Energy):
    """Stamps frames with the end of the window. Latency: none."""

    def prepare(self, audio):
        format = super().prepare(audio)
        return FramesFormat(format.rate, format.hop, format.hop, format.shape, latency=0)


class SecretDelay(Gain):
    """Delays by 10 samples, says nothing. Latency: none."""

    def prepare(self, audio):
        self._line = np.zeros((audio.channels, 10 + self.quantum), np.float32)
        return audio

    def reset(self):
        self._line[:] = 0

    def step(self, audio, louder):
        self._line[:, 10:] = audio
        louder[:] = self._line[:, : self.quantum]
        self._line[:, :10] = self._line[:, self.quantum :].copy()


class EventsLate(Gate):
    """Declares no latency for its events. Latency: none."""

    def prepare(self, frames):
        return super().prepare(frames) and EventsFormat(frames.rate, (0, 0))


class RevisionStuck(Repeat):
    """Repeats every event with revision 0. Latency: that of the events."""

    def process(self):
        for event in self.events:
            self.again.emit("beat", event.time, key=event.key, velocity=1)


class Scribbler(Gain):
    """Writes to its input. Latency: none."""

    def step(self, audio, louder):
        audio *= 0.5
        louder[:] = audio


class Hoarder(Gain):
    """Keeps all it heard. Latency: none."""

    def prepare(self, audio):
        self._kept = []
        return audio

    def step(self, audio, louder):
        self._kept.append(float(audio[0, 0]))
        louder[:] = audio


class Allocates(Gain):
    """Makes arrays in a step. Latency: none."""

    def step(self, audio, louder):
        louder[:] = np.concatenate([audio] * 8, axis=1)[:, : self.quantum]


class NoEnd(Gain):
    """Fails at the end when nothing came. Latency: none."""

    def prepare(self, audio):
        self._heard = 0
        return audio

    def reset(self):
        self._heard = 0

    def process(self):
        super().process()
        self._heard += 1

    def finish(self):
        1 / self._heard


BROKEN = {
    "documented": [NoLatency, NoHelp],
    "imports": [Clocked],
    "constructs": [BadRepr, TakesAll],
    "speaks": [Mute, Deaf],
    "stereo": [MonoByAccident],
    "quantum_invariance": [BlockMean],
    "reset_is_fresh": [Forgetful],
    "instances_apart": [Shared],
    "causal": [Oracle],
    "live_params": [LateChange],
    "hostile_input": [Normalise],
    "survives_gap": [GridLost],
    "delivery": [LatencyForgotten],
    "centred": [NotCentred, SecretDelay],
    "event_times": [EventsLate, RevisionStuck],
    "inputs_untouched": [Scribbler],
    "allocation": [Hoarder, Allocates],
    "finishes": [NoEnd],
}


@pytest.mark.parametrize(("check", "cls"), [(name, cls) for name, all in BROKEN.items() for cls in all])
def test_check_goes_red_on_its_broken_node(check, cls, monkeypatch):
    if cls is Clocked:
        monkeypatch.setattr("inspect.getsource", lambda module: "import os\nfrom time import monotonic\n")
    (result,) = check_node(cls, only=[check])
    assert result.problems, f"{check} did not notice {cls.__name__}"


def test_every_check_has_a_broken_node():
    assert {check.__name__ for check in (*STATIC_CHECKS, *NODE_CHECKS)} == set(BROKEN)


def test_declared_skip_is_shown_with_its_reason_and_missing_module_too():
    class Skipping(Gain):
        """Multiplies. Latency: none."""

        test_skips = {"stereo": "one microphone only"}

    (result,) = check_node(Skipping, only=["stereo"])
    assert result.skipped == "one microphone only" and "one microphone only" in table([result])

    class Needs(Gain):
        """Multiplies. Latency: none."""

        requires = ("no_such_module",)

    (result,) = check_node(Needs, only=["causal"])
    assert "no_such_module" in result.skipped


def test_parameter_sets_of_the_class_are_all_run():
    class Sets(Gain):
        """Multiplies. Latency: none."""

        @classmethod
        def test_params(cls):
            return [{"gain": 0.1}, {"gain": 0.0}]

    results = check_node(Sets, only=["speaks"])
    assert [bool(r.problems) for r in results] == [False, True]
    assert "gain=0.0" in table(results)


def test_assert_conforms_shows_the_table():
    with pytest.raises(AssertionError, match="is silent"):
        assert_conforms(Mute, only=["speaks"])


# ---- sinks -----------------------------------------------------------------------------------------


class GoodSink(Sink):
    """Takes events."""

    def send_event(self, event, due_ns, ntp):
        pass


class SilentSink(Sink):
    """Takes events, it says."""


class FussySink(GoodSink):
    """Cannot close what it never opened."""

    def close(self):
        self.socket.close()


class UndocumentedSink(GoodSink):
    port = Param(1)


def test_sink_checks():
    assert all(result.ok for result in check_node(GoodSink))
    assert {r.check for r in check_node(GoodSink)} == {c.__name__ for c in SINK_CHECKS}
    red = {"accepts": SilentSink, "closes_unopened": FussySink, "documented": UndocumentedSink}
    for check, cls in red.items():
        assert not check_node(cls, only=[check])[0].ok, check


def test_sink_that_reads_a_clock_is_red(monkeypatch):
    monkeypatch.setattr("inspect.getsource", lambda module: "import time\n")
    assert not check_node(GoodSink, only=["no_clock"])[0].ok
