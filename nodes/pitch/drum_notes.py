"""Drum notes: what is struck, at once, and what it was, a moment later."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from engine.node import AudioFormat, AudioIn, EventsFormat, EventsOut, FramesFormat, FramesOut, HopNode, Param
from nodes.pitch.drum_kernels import BANDS, HIGHEST, LOWEST, strike_bands, strike_taper
from nodes.pitch.drum_network import weights
from nodes.pitch.tcn import Tcn
from nodes.rhythm.accent_kernels import band_weights
from nodes.spectral.fft import RealFft

LABELS = ("kick", "snare", "hihat", "tom", "cymbal", "other")
KICK, OTHER = 0, len(LABELS) - 1
BANDS_OF = ((0, 6), (4, 24), (24, BANDS), (2, 14), (20, BANDS), (10, BANDS))  # where a class is loud
LEVEL_HALF_LIFE = 3.0  # seconds in which the level that bands are measured against falls by half
LOUDEST_HALF_LIFE = 30.0  # seconds in which the loudest stroke of a class is forgotten by half (6 dB)
HEARD = 3.5  # frames of a stroke that have been heard, as a rule, when it is said
DELAY = 7.5  # frames after its beginning at which the network tells what it was
NEAR = 3.5  # frames within which two classes are one stroke
REST = 9  # frames between two strokes, at least
DUE = 8  # frames after its note at which a stroke is confirmed: 32 ms after its time
PAUSE = 14  # frames between two strokes of one class, at least
# What makes a kick follows the kicks heard, in logits: how far below them it aims, how much of the way it
# goes with each, and by how much it falls in a second in which anything is struck.
KICK_MARGIN, KICK_STEP, KICK_FALL = 2.0, 0.2, 0.05
OWN = "the probability for this class; 0: as certainty, 1: never"


@dataclass
class Stroke:
    """A stroke that has been said and not yet confirmed."""

    key: int
    time: int
    frame: float  # at which it began
    label: int
    heard: list[int] = field(default_factory=list)  # classes found so far
    due: int = 0  # frame at which it is confirmed


class DrumNotes(HopNode):
    """Drum strokes as notes: a provisional one at once, its class and velocity put right within 35 ms.

    A window that ends steeply, every 128 samples, goes through 40 log bands at a level that does not matter,
    then through a causal dilated convolutional network trained on kits drawn by chance (`drum_network.md`):
    one output for any stroke now, six for what it seems to be, six for what it was 26 ms ago. The first
    makes the note, the last confirm it: a revision of the same key carries the final label, pitch and
    velocity. A second drum of the same stroke comes as a note of its own at the same time.

    How sure the network is of a kick depends on the kit more than for any other drum, and every kit has one:
    the probability that makes a kick follows the kicks that are heard, within `kick_reach` of its certainty.
    What makes the other drums depends on the kit as well, but not every kit has them: takes of each drum
    alone tell (`nodes.pitch.drum_takes`).

    Velocity: the level of the stroke in its class's bands against the loudest of that class lately, `range`
    dB for the whole scale, bent by `curve`.

    Works at 44.1 and 48 kHz, and at twice and four times these with windows as much longer.
    Latency: a note is said 3 to 12 ms after its time (where only the class stands out: up to 33 ms) and
    confirmed 26 to 35 ms after it.

    Sources: Wu et al., A review of automatic drum transcription, TASLP 26(9), 2018 (networks on log
    spectra); Stowell and Plumbley, ICMC 2010 (delayed decisions); the network is our own.
    """

    audio = AudioIn("audio of one channel")
    activation = FramesOut("probability of any stroke now, then of each class 26 ms ago, shape (7,)")
    notes = EventsOut(
        "drum notes",
        kinds={
            "note": "pitch (MIDI), velocity (1..127), label (kick, snare, hihat, tom, cymbal, other), "
            "confirmed (false, then true)"
        },
        corrections=True,
    )

    threshold = Param(0.5, low=0.02, high=0.98, live=True, help="probability that makes a stroke")
    certainty = Param(0.3, low=0.02, high=0.98, live=True, help="probability that makes a class")
    kick_certainty = Param(0.0, low=0.0, high=1.0, live=True, help=OWN)
    snare_certainty = Param(0.0, low=0.0, high=1.0, live=True, help=OWN)
    hihat_certainty = Param(0.0, low=0.0, high=1.0, live=True, help=OWN)
    tom_certainty = Param(0.0, low=0.0, high=1.0, live=True, help=OWN)
    cymbal_certainty = Param(0.0, low=0.0, high=1.0, live=True, help=OWN)
    kick_reach = Param(1.2, low=0.0, high=3.0, live=True, help="logits by which it may differ for kicks")
    kick = Param(36, low=0, high=127, live=True, help="MIDI note of the class")
    snare = Param(38, low=0, high=127, live=True, help="MIDI note of the class")
    hihat = Param(42, low=0, high=127, live=True, help="MIDI note of the class")
    tom = Param(45, low=0, high=127, live=True, help="MIDI note of the class")
    cymbal = Param(49, low=0, high=127, live=True, help="MIDI note of the class")
    other = Param(37, low=0, high=127, live=True, help="MIDI note of what has no class")
    range = Param(30.0, low=6.0, high=80.0, unit="dB", live=True, help="from the softest to the loudest")
    curve = Param(1.0, low=0.2, high=5.0, live=True, help="velocity = 127 * x ** curve, x from 0 (soft) to 1")

    def prepare(self, audio: AudioFormat) -> dict[str, FramesFormat | EventsFormat]:
        if audio.channels != 1:
            raise ValueError(f"takes one channel, not {audio.channels}: mix the channels first")
        scale = max(1, 1 << round(np.log2(audio.rate / 46000)))
        window, hop = 1024 * scale, 128 * scale
        if not 270 <= audio.rate / hop <= 420:
            raise ValueError(f"does not work at {audio.rate} Hz: set the rate to 44100 or 48000")
        frames = self.framing(audio, window, hop, (1 + len(LABELS),), unit="probability")
        self._taper = strike_taper(window)
        self._fft = RealFft(window)
        self._spectrum = np.zeros(self._fft.bins, np.complex64)
        self._magnitude = np.zeros(self._fft.bins, np.float32)
        self._table = band_weights(audio.rate, self._fft.bins, BANDS, LOWEST, HIGHEST)
        self._decay = np.float32(0.5 ** (hop / audio.rate / LEVEL_HALF_LIFE))
        self._second = audio.rate // hop  # frames
        self._fall = KICK_FALL * hop / audio.rate  # logits a frame
        self._fade = 6.0 * hop / audio.rate / LOUDEST_HALF_LIFE  # dB a frame
        self._level = np.zeros(1, np.float32)
        self._power = np.zeros(BANDS, np.float32)
        self._network = Tcn(weights(), BANDS)
        self._before = np.zeros((2, len(LABELS)), np.float32)
        self._delay = audio.latency
        self._restart()
        delay = frames.latency - window // 2
        return {
            "activation": FramesFormat(
                audio.rate, hop, frames.origin - hop + window // 2, frames.shape, latency=delay + hop,
                unit="probability", labels=("stroke", *LABELS),
            ),
            "notes": EventsFormat(audio.rate, (delay, delay + 14 * hop)),
        }  # fmt: skip

    def reset(self) -> None:
        super().reset()
        self._network.reset()
        self._restart()

    def _restart(self) -> None:
        self._level[:] = 0
        self._before[:] = -9.0
        self._open: list[Stroke] = []
        self._past: Stroke | None = None
        self._loudest, self._loudest_at = [-200.0] * len(LABELS), [0] * len(LABELS)
        self._lean = 0.0  # what is added to the certainty of a kick, logits
        self._said = [-1000] * len(LABELS)  # frame of the last stroke of each class
        self._last = -1000  # frame of the last stroke
        self._armed = True
        self._key = 0

    def step(self, window: np.ndarray, activation: np.ndarray) -> None:
        self._fft.forward(window[0], self._taper, self._spectrum, self._magnitude)
        strike_bands(
            self._magnitude, *self._table, self._level, self._decay, self._power, self._network.newest
        )
        logits = self._network.step()
        now = self._index
        self._strike(now, logits)
        self._find_classes(now, logits)
        while self._open and self._open[0].due <= now:
            self._confirm(self._open.pop(0))
        activation[0] = logits[0]
        activation[1:] = logits[1 + len(LABELS) :]
        probability(activation)

    def _strike(self, now: int, logits: np.ndarray) -> None:
        """A note as soon as something is struck."""
        struck = chance(logits[0])
        if struck < 0.5 * self.threshold:
            self._armed = True
        if not self._armed or struck < self.threshold or now - self._last < REST:
            return
        self._armed = False
        label = int(np.argmax(logits[1 : 1 + len(LABELS)]))
        self._open.append(self._new_stroke(now - HEARD + 1, label, now + DUE))
        self._say(self._open[-1], 0, label, confirmed=False)

    def _new_stroke(self, frame: float, label: int, due: int) -> Stroke:
        time = round((frame + 0.5) * self._hop) - self._delay
        stroke = Stroke(self._key, max(0, time), frame, label, due=due)
        self._key += 1
        self._last = max(self._last, round(frame + HEARD - 1))
        return stroke

    def _find_classes(self, now: int, logits: np.ndarray) -> None:
        """Classes whose late output has just passed a peak."""
        before, last = self._before
        if now - self._last < self._second:
            self._lean = max(-self.kick_reach, self._lean - self._fall)
        for label in range(len(LABELS)):
            level = logits[1 + len(LABELS) + label]
            peak = before[label] < last[label] >= level
            lean = self._lean if label == KICK else 0.0
            found = peak and chance(last[label] - lean) >= self._needed(label)
            if found and now - self._said[label] >= PAUSE:
                self._said[label] = now
                self._found(now, label)
                if label == KICK:
                    self._follow_kick(float(last[label]))
            before[label], last[label] = last[label], level

    def _needed(self, label: int) -> float:
        """The probability that makes this class."""
        return getattr(self, f"{LABELS[label]}_certainty", 0.0) or self.certainty

    def _follow_kick(self, logit: float) -> None:
        """What makes a kick goes towards `KICK_MARGIN` below the one just heard."""
        needed = self._needed(KICK)
        aim = logit - KICK_MARGIN - math.log(needed / (1.0 - needed))
        lean = self._lean + KICK_STEP * (aim - self._lean)
        self._lean = min(self.kick_reach, max(-self.kick_reach, lean))

    def _found(self, now: int, label: int) -> None:
        began = now - 1 - DELAY
        stroke = min(self._open, key=lambda stroke: abs(stroke.frame - began), default=None)
        if stroke is not None and abs(stroke.frame - began) <= NEAR:
            stroke.heard.append(label)
            stroke.due = min(stroke.due, now + 1)
            return
        if self._past is not None and abs(self._past.frame - began) <= NEAR:
            self._say_late(self._past, label)
            return
        stroke = self._new_stroke(began, label, now)
        stroke.heard.append(label)
        self._open.append(stroke)

    def _confirm(self, stroke: Stroke) -> None:
        """The final word on a stroke, and notes for further drums of it."""
        heard = [label for label in stroke.heard if label != OTHER] or [OTHER]
        stroke.label = stroke.label if stroke.label in heard else heard[0]
        self._say(stroke, 1, stroke.label, confirmed=True)
        self._past = stroke
        for label in heard:
            if label != stroke.label:
                self._say_also(stroke, label)

    def _say_late(self, stroke: Stroke, label: int) -> None:
        """A class found after its stroke was confirmed: it puts right what had no class, or adds a drum."""
        if stroke.label == OTHER != label:
            stroke.label = label
            self._say(stroke, 2, label, confirmed=True)
        elif label != OTHER:
            self._say_also(stroke, label)

    def _say_also(self, stroke: Stroke, label: int) -> None:
        also = Stroke(self._key, stroke.time, stroke.frame, label)
        self._key += 1
        self._say(also, 0, label, confirmed=True)

    def _say(self, stroke: Stroke, revision: int, label: int, *, confirmed: bool) -> None:
        self.notes.emit(
            "note", stroke.time, key=stroke.key, revision=revision,
            pitch=getattr(self, LABELS[label]), velocity=self._velocity(label, confirmed),
            label=LABELS[label], confirmed=confirmed,
        )  # fmt: skip

    def _velocity(self, label: int, confirmed: bool) -> int:
        """1 to 127 from the level of now against the loudest of the class."""
        first, stop = BANDS_OF[label]
        power = float(np.dot(self._power[first:stop], self._power[first:stop]))
        level = 10.0 * math.log10(max(power, 1e-20))
        loudest = self._loudest[label] - self._fade * (self._index - self._loudest_at[label])
        if confirmed and level > loudest:
            self._loudest[label], self._loudest_at[label] = level, self._index
        x = min(1.0, max(0.0, 1.0 + (level - max(level, loudest)) / self.range))
        return max(1, round(127 * x**self.curve))


def chance(logit: float) -> float:
    """Probability of a logit."""
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, float(logit)))))


def probability(logits: np.ndarray) -> None:
    """Logits to probabilities, in place."""
    np.clip(logits, -30.0, 30.0, out=logits)
    np.negative(logits, out=logits)
    np.exp(logits, out=logits)
    np.add(logits, 1.0, out=logits)
    np.reciprocal(logits, out=logits)
