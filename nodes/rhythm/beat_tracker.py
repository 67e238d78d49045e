"""Beat tracker: beats ahead of time, tempo, confidence and bar position from beat activations."""

from __future__ import annotations

import numpy as np

from engine.node import (
    EventsFormat,
    EventsOut,
    FrameNode,
    FramesFormat,
    FramesIn,
    FramesOut,
    Param,
    same_grid,
)
from nodes.rhythm.bar_kernels import COLOURS
from nodes.rhythm.bar_listener import BarListener
from nodes.rhythm.bar_network import downbeat_table
from nodes.rhythm.bars import Bars
from nodes.rhythm.beat_network import likelihood_table
from nodes.rhythm.belief import Belief
from nodes.rhythm.belief_kernels import TICKS

SEARCHING, TRACKING, HOLDING, SILENT = "searching", "tracking", "holding", "silent"
REVISE = 0.004  # seconds by which a prediction must move to be amended
BEAT, OFF_BEAT, DOUBLE, BETWEEN, HALF = range(5)  # what the pulse may be, as in `bar_kernels.PULSES`
SURE = 0.8  # probability with which it must be something else, at two beats in a row, to be changed
LEAST_BEATS = 4  # judged before
FAINTEST = 0.12  # beat probability at a beat that says anything about the pulse
LIKELY = 0.38  # probability from which a downbeat is said: F is highest at half of what it reaches
CERTAIN, REST = 0.6, 0.1  # probability from which it is the beat, and what all else is then worth, every beat


class BeatTracker(FrameNode):
    """Says when the next beat falls before it falls, and what tempo, bar and certainty are believed.

    A bar-pointer filter (`belief.py`) weighs tempi and places of the beat by what the activation is worth on
    the beat, half way, and elsewhere. Once the next beat is probable enough it is announced, amended with
    higher revisions while it moves, and counted when it is due.

    After every beat a recurrent network over beats (`bar_listener.py`) compares it with those before it. It
    says how much it is a downbeat, by which bars of 2, 3, 4 or 6 beats are followed, and whether the pulse is
    the beat at all: one half way between the beats is turned round, one twice or half as fast changes tempo.

    States: searching (nothing believed yet), tracking, holding (no beat heard for a while, the tempo
    goes on), silent (longer than `hold`: no beats until something is heard, tempo forgotten).

    Latency: none where the beat is foreseen: a beat is announced up to `lookahead` before it is due.
    The first
    beats of a piece cannot be foreseen.

    Sources: bar-pointer model: Whiteley, Cemgil and Godsill, ISMIR 2006; Krebs, Boeck and Widmer, ISMIR 2015.
    """

    activation = FramesIn("logits (4,) from `BeatActivation`")
    colour = FramesIn("bands and chroma (44,) from `BeatActivation`")
    beats = EventsOut(
        "beats, foretold and amended until due",
        kinds={
            "beat": "bpm, period (s), confidence (0..1), number, beat (place in the bar from 1), bar, meter",
            "downbeat": "bpm, bar, meter, confidence (0..1) that a bar begins; said from 0.38",
            "state": "state: searching, tracking, holding or silent",
        },
    )
    tempo = FramesOut("believed tempo in BPM, shape ()")
    confidence = FramesOut("probability that the next beat falls where it is believed to, shape (), 0..1")
    phase = FramesOut("place in the beat at the frame's time, shape (), 0 on the beat .. 1")

    low = Param(45.0, low=30.0, high=240.0, unit="BPM", live=True, help="slowest tempo")
    high = Param(225.0, low=30.0, high=240.0, unit="BPM", live=True, help="fastest tempo")
    centre = Param(115.0, low=40.0, high=240.0, unit="BPM", live=True, help="most usual tempo")
    width = Param(0.4, low=0.1, high=3.0, unit="octaves", live=True, help="how far from it is still usual")
    octave = Param(
        "heard",
        choices=("heard", "half", "double"),
        live=True,
        help="emit beats as heard, every second, or twice as many",
    )
    lock = Param(False, live=True, help="keep the tempo within 3 % of what is believed now")
    lookahead = Param(0.25, low=0.0, high=1.0, unit="s", live=True, help="how early a beat is announced")
    enter = Param(0.42, low=0.0, high=1.0, live=True, help="confidence from which beats are given")
    leave = Param(0.30, low=0.0, high=1.0, live=True, help="confidence below which they stop again")
    hold = Param(2.5, low=0.5, high=30.0, unit="s", live=True, help="beats go on so long when none is heard")
    heard = Param(0.2, low=0.01, high=0.9, live=True, help="beat probability that counts as heard")

    test_seconds = 6.0

    def prepare(
        self, activation: FramesFormat, colour: FramesFormat
    ) -> dict[str, FramesFormat | EventsFormat]:
        if activation.shape != (4,):
            raise ValueError(f"takes the logits of BeatActivation, shape (4,), not {activation}")
        if colour.shape != (COLOURS,):
            raise ValueError(f"takes the colour of BeatActivation, shape ({COLOURS},), not {colour}")
        frame_hop = activation.hop / 2
        self._tick = frame_hop / TICKS  # samples
        self._step = activation.hop
        self._belief = Belief(activation.rate / frame_hop, likelihood_table())
        self._bars = Bars(downbeat_table())
        self._listener = BarListener()
        self._rate = activation.rate
        self._out = self._belief.out
        self._fresh()
        self._rehearse()
        self._fresh()
        scalar = same_grid(activation, shape=())
        ahead = round(1.0 * activation.rate)
        return {
            "beats": EventsFormat(activation.rate, (-ahead, activation.latency + self._step)),
            "tempo": scalar,
            "confidence": scalar,
            "phase": scalar,
        }

    def _rehearse(self) -> None:
        """Call what is called at beats only, once: a kernel that is loaded in mid-show takes 20 ms."""
        self._belief.step(np.zeros(4, np.float32))
        self._belief.favour(REST)
        self._belief.turn()
        self._belief.change_tempo(self._belief.halved) or self._belief.change_tempo(self._belief.doubled)
        self._listener.judge(100.0, 20.0)
        self._bars.observe(self._listener.downbeat)
        self._bars.advance()

    def _fresh(self) -> None:
        self._belief.set_prior(self.low, max(self.low, self.high), self.centre, self.width)
        self._belief.reset()
        self._bars.reset()
        self._listener.reset()
        self._state, self._states = "", 0
        self._giving = False
        self._key = self._count = 0
        self._bar = 0
        self._announced = -1  # sample at which the next beat was said to fall
        self._revision = -1
        self._counted = False  # whether the bar has moved on to the next beat already
        self._last_heard = -(10**9)
        self._judge_at = -1  # step at which the last beat can be judged
        self._place_of_beat = 0.0  # of the last beat, in steps
        self._doubted = -1  # what the pulse was taken for at the last beat, if not for the beat

    def reset(self) -> None:
        self._fresh()

    def changed(self, name: str) -> None:
        if name in ("low", "high", "centre", "width"):
            self._belief.set_prior(self.low, max(self.low, self.high), self.centre, self.width)
            self._belief.forget()
        elif name == "lock":
            if self.lock:
                self._belief.allow_only(60.0 * self._belief.tick_rate / max(self._out[2], 1.0), 0.042)
            else:
                self._belief.set_prior(self.low, max(self.low, self.high), self.centre, self.width)

    def step(
        self,
        activation: np.ndarray,
        colour: np.ndarray,
        tempo: np.ndarray,
        confidence: np.ndarray,
        phase: np.ndarray,
    ) -> None:
        belief = self._belief
        belief.step(activation)
        ticks, share, period, probability = self._out.tolist()  # as floats of Python's: quicker
        self._listener.hear(self.index, colour, activation[0], activation[1])
        if self.index == self._judge_at and self._judge(period):
            return self._stand_by(tempo, confidence, phase)
        if probability >= self.heard:
            self._last_heard = self.time
        self._follow_state(share, ticks * self._tick)
        bpm = 60.0 * belief.tick_rate / period
        if self._giving:
            self._foretell(ticks, share, period, bpm)
        tempo[...] = bpm
        confidence[...] = share
        phase[...] = (1.0 - ticks / period) % 1.0

    def _judge(self, period: float) -> bool:
        """What the last beat says of the bar and of the pulse; True if the pulse was changed by it."""
        listener = self._listener
        listener.judge(self._place_of_beat, period / (2 * TICKS))
        self._bars.observe(listener.downbeat, 1 if self._counted else 0)
        heard = int(np.argmax(listener.pulse))
        sure = listener.pulse[heard] + (listener.pulse[5 - heard] if heard in (DOUBLE, BETWEEN) else 0.0)
        kind = DOUBLE if heard == BETWEEN else heard
        if listener.strength < FAINTEST:
            return False
        if kind == BEAT and sure >= CERTAIN and listener.judged >= LEAST_BEATS:
            self._belief.favour(REST)
        if kind == BEAT or sure < SURE or listener.judged < LEAST_BEATS or self.lock:
            self._doubted = -1
            return False
        if kind != self._doubted:
            self._doubted = kind
            return False
        return self._change_pulse(heard)

    def _change_pulse(self, heard: int) -> bool:
        belief = self._belief
        if heard == OFF_BEAT:
            belief.turn()
        elif not belief.change_tempo(
            belief.doubled if heard == HALF else belief.halved, 1 if heard == DOUBLE else 0
        ):
            return False
        self._withdraw()
        self._counted = False
        self._doubted = -1
        self._listener.start_again()
        self._bars.reset()
        return True

    def _stand_by(self, tempo: np.ndarray, confidence: np.ndarray, phase: np.ndarray) -> None:
        """The belief has changed under the last answers: the next step gives new ones."""
        ticks, share, period, _ = self._out.tolist()
        tempo[...] = 60.0 * self._belief.tick_rate / period
        confidence[...] = share
        phase[...] = (1.0 - ticks / period) % 1.0

    def _follow_state(self, share: float, ahead: float) -> None:
        quiet = (self.time - self._last_heard) / self._rate
        if quiet > self.hold:
            if self._state != SILENT:
                self._say(SILENT)
                self._belief.forget()
                self._bars.reset()
                self._listener.start_again()
            self._giving = False
        else:
            # Given up only when the beat is at hand: from afar even a sure tempo leaves its place open.
            if self._giving and ahead <= 2 * self._step:
                self._giving = share >= self.leave
            elif not self._giving and ahead <= self.lookahead * self._rate + self._step:
                self._giving = share >= self.enter
            period = self._out[2] / self._belief.tick_rate
            state = SEARCHING if not self._giving else HOLDING if quiet > 1.5 * period + 0.2 else TRACKING
            if state != self._state:
                self._say(state)
        if not self._giving:
            self._withdraw()

    def _say(self, state: str) -> None:
        self._state = state
        self._states += 1
        self.beats.emit("state", self.clock.stop, key=self._states, state=state)

    def _withdraw(self) -> None:
        """A beat that was announced and is not due yet will not come."""
        due = self._announced
        if due > self.clock.stop:
            self._revision += 1
            for kind, key in (("beat", self._key), ("beat", self._key + 1), ("downbeat", self._key)):
                self.beats.emit(kind, due, key=key, revision=self._revision, retracted=True)
        self._announced = -1

    def _foretell(self, ticks: float, share: float, period: float, bpm: float) -> None:
        now = self.clock.stop
        due = self.time + round(ticks * self._tick)
        if due - now > max(self.lookahead * self._rate, self._step):
            if self._announced > now and abs(due - self._announced) > REVISE * self._rate:
                self._withdraw()
            return
        if self._announced < 0 or (
            self._announced > now and abs(due - self._announced) > REVISE * self._rate
        ):
            self._revision += 1
            self._announced = due
            self._emit(due, share, period, bpm)
        if due < now + self._step:
            self._commit(ticks)

    def _emit(self, due: int, share: float, period: float, bpm: float) -> None:
        emit, revision = self.beats.emit, self._revision
        if not self._counted:
            self._counted = True
            state = self._bars.advance()
            self._meter, self._place = int(self._bars.meter[state]), int(self._bars.place[state])
            self._downbeat = self._bars.downbeat
            if self._place == 0:
                self._bar += 1
        half = self.octave == "half"
        if half and self._place % 2:
            return
        seconds = period / self._belief.tick_rate
        factor = {"heard": 1.0, "half": 0.5, "double": 2.0}[self.octave]
        emit(
            "beat", due, key=self._key, revision=revision, bpm=round(bpm * factor, 3),
            period=round(seconds / factor, 6), confidence=round(float(share), 4), number=self._count,
            beat=self._place + 1, bar=self._bar, meter=self._meter,
        )  # fmt: skip
        if self.octave == "double":
            emit(
                "beat", due + round(period * self._tick / 2), key=self._key + 1, revision=revision,
                bpm=round(2 * bpm, 3), period=round(seconds / 2, 6), confidence=round(float(share), 4),
                number=self._count, beat=self._place + 1.5, bar=self._bar, meter=self._meter,
            )  # fmt: skip
        if self._place == 0 and self._downbeat >= LIKELY:
            emit(
                "downbeat", due, key=self._key, revision=revision, bpm=round(bpm, 3), bar=self._bar,
                meter=self._meter, confidence=round(self._downbeat, 4),
            )  # fmt: skip

    def _commit(self, ticks: float) -> None:
        """The beat falls before the next step: it is counted, and the one after it is looked for."""
        clock = self._belief.clock
        clock[1] = clock[0] + ticks
        # A step's middle lies a quarter of a step before its newer frame.
        self._place_of_beat = self.index + 0.25 + ticks / (2 * TICKS)
        self._judge_at = max(self.index + 1, self._listener.complete(self._place_of_beat))
        self._key += 2
        self._count += 1
        self._announced, self._revision, self._counted = -1, -1, False

    @classmethod
    def test_inputs(cls, graph):
        """For the conformance kit: the activation of an `Stft`."""
        from nodes.rhythm.beat_activation import BeatActivation
        from nodes.spectral.stft import Stft

        graph.add("stft", Stft()).add("activation", BeatActivation())
        graph.connect("input.audio", "stft").connect("stft.magnitude", "activation")
        return {"activation": "activation.activation", "colour": "activation.colour"}
