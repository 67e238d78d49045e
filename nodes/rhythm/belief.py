"""What is believed of tempo and phase: the bar-pointer filter's arrays and constants."""

from __future__ import annotations

import numpy as np

from nodes.rhythm.belief_kernels import TICKS, belief_step, favour, regrid, rescale

# Chosen on the development part of the composed songs, see docs/decisions.md.
TEMPO_STEP = 0.016  # natural log of neighbouring tempi's ratio
REACH = 5  # places a tempo may change at a beat
TIGHT = 0.4  # places, exponential: the usual drift
BROAD, BROAD_PLACES = 0.011, 4.5  # weight and width of larger changes
PULL = 0.4  # a second: how strongly usual tempi are favoured all the time
OCTAVE, TURN = 0.001, 0.002  # shares of a beat's mass that go to half and double tempo, and half a beat on
RESTART = 0.001  # share of the arriving mass that starts anew at a tempo of the prior
ON_WEIGHT = 0.38  # of the evidence around the beat; frames are not independent
OFF_WEIGHTS = (0.38, 0.38, 0.38)  # of the evidence around the half beat, by tempo band
TEMPO_BANDS = (95.0, 145.0)  # BPM, where the tables change
LEAST, MOST = -1.0, 3.0  # limits of the evidence of one frame at one place, a log ratio
FINER = 8  # places a bin of the table is divided into: between them factors are interpolated, not logs
SLOWEST, FASTEST = 40.0, 240.0  # BPM, the tempi that exist


class Belief:
    """The belief over (tempo, place in the beat), moved on by `step` with two frames of evidence.

    After a step, `out` holds: ticks from the newer frame to the most probable next beat, the probability
    that it lies within +-8 ticks (HALF_WINDOW) of there, the period in ticks, the best probability of a beat
    in the last two frames. A tick is a quarter of a spectral frame.
    """

    def __init__(self, frame_rate: float, table: np.ndarray) -> None:
        self.tick_rate = frame_rate * TICKS
        tempi = np.exp(np.arange(np.log(SLOWEST), np.log(FASTEST), TEMPO_STEP))
        self.period = np.unique(np.round(60 * self.tick_rate / tempi).astype(np.int64))[::-1].copy()
        self.bpm = 60 * self.tick_rate / self.period
        count = len(self.period)
        self.offset = np.concatenate([[0], np.cumsum(self.period)[:-1]]).astype(np.int64)
        self.cells = np.zeros(int(self.period.sum()), np.float32)
        self.mass = np.zeros(count, np.float32)
        self.pointer = np.zeros(count, np.int64)
        self.prior = np.zeros(count, np.float32)
        self.allowed = np.ones(count, bool)
        self.pull = np.ones(count, np.float32)
        near = np.abs(np.log(self.period[:, None] / self.period[None, :] * [[[2.0]], [[0.5]]])).argmin(axis=2)
        self.slower, self.faster = near.astype(np.int64)
        exact = np.log(self.period[None, :] / self.period[near] / [[0.5], [2.0]])
        self.halved, self.doubled = np.where(np.abs(exact) < 2 * TEMPO_STEP, near, -1).astype(np.int64)
        self.spare = np.zeros_like(self.cells)
        self.jumps = np.array([OCTAVE, TURN], np.float32)
        self.band = np.searchsorted(TEMPO_BANDS, self.bpm).astype(np.int64)
        self.restart = np.zeros(count, np.float32)
        places = np.arange(-REACH, REACH + 1)
        spread = np.exp(-np.abs(places) / TIGHT) + BROAD * np.exp(-0.5 * (places / BROAD_PLACES) ** 2)
        self.spread = (spread / spread.sum() * (1 - RESTART)).astype(np.float32)
        # Factors by (logit bins, FINER than the table's; on and off the beat; tempo bands; ticks).
        worth = np.stack([ON_WEIGHT * table[0], np.array(OFF_WEIGHTS)[:, None, None] * table[1]])
        worth = np.moveaxis(worth, 3, 0)
        steps = np.arange(FINER * (len(worth) - 1) + 1) / FINER
        low = np.minimum(steps.astype(int), len(worth) - 2)
        part = (steps - low)[:, None, None, None]
        worth = worth[low] * (1 - part) + worth[low + 1] * part
        self.table = np.exp(np.clip(worth, LEAST, MOST)).astype(np.float32)
        self.density = np.zeros(int(self.period[0]) + 1, np.float32)
        self.scratch = np.zeros(2 * count + 2 * REACH + table[..., 0].size, np.float32)
        self.out = np.zeros(4, np.float64)
        self.clock = np.zeros(2, np.float64)  # ticks so far, tick of the last beat

    def set_prior(self, low: float, high: float, centre: float, width: float) -> None:
        """Tempi within [low, high] BPM, log-normal around `centre` with `width` octaves."""
        distance = np.log2(self.bpm / centre) / width
        self.allowed[:] = (self.bpm >= low) & (self.bpm <= high)
        if not self.allowed.any():
            self.allowed[np.argmin(np.abs(np.log(self.bpm / low)))] = True
        self.prior[:] = np.exp(-0.5 * distance**2) * self.allowed
        self.prior /= self.prior.sum()
        self.restart[:] = RESTART * self.prior
        self.pull[:] = np.exp(-PULL * 60.0 / self.bpm * 0.5 * distance**2) * self.allowed

    def allow_only(self, bpm: float, octaves: float) -> None:
        """Forget every tempo further than `octaves` from `bpm`."""
        near = np.abs(np.log2(self.bpm / bpm)) <= octaves
        near[np.argmin(np.abs(np.log(self.bpm / bpm)))] = True
        self.pull *= near

    def forget(self) -> None:
        """All places of the beat alike, tempi as in the prior."""
        self.mass[:] = self.prior
        for k in range(len(self.period)):
            start = self.offset[k]
            self.cells[start : start + self.period[k]] = self.prior[k] / self.period[k]

    def reset(self) -> None:
        self.pointer[:] = 0
        self.forget()
        self.clock[0], self.clock[1] = 0.0, -1e6

    def turn(self) -> None:
        """What was taken for the beat is half way between beats."""
        for k in range(len(self.period)):
            self.pointer[k] = (self.pointer[k] + self.period[k] // 2) % self.period[k]
        self.clock[1] -= self.out[2] / 2

    def change_tempo(self, to: np.ndarray, later: int = 0) -> bool:
        """All tempi move to half (`to` is `halved`) or double (`doubled`) of themselves; the next beat comes
        `later` old periods later. False, and nothing done, where the new tempo is not allowed."""
        best = to[int(np.argmax(self.mass))]
        if best < 0 or not self.pull[best] > 0:
            return False
        target = np.where((to >= 0) & (self.pull[to] > 0), to, -1)
        total = regrid(
            self.cells, self.offset, self.period, self.pointer, self.mass, target, later, self.spare
        )
        rescale(self.cells, self.mass, self.offset, self.period, np.float32(total))
        return True

    def favour(self, rest: float) -> None:
        """The pulse that is followed is the beat: everything else is worth `rest` of what it was."""
        total = favour(
            self.cells, self.offset, self.period, self.pointer, self.mass,
            self.out[0], self.out[2], 0.1, 0.2, np.float32(rest),
        )  # fmt: skip
        rescale(self.cells, self.mass, self.offset, self.period, np.float32(total))

    def step(self, logits: np.ndarray) -> None:
        belief_step(
            logits, self.table, self.band, self.cells, self.offset, self.period,
            self.pointer, self.spread, self.restart, self.pull, self.slower, self.faster,
            self.jumps, self.mass, self.density, self.scratch, self.clock, self.out,
        )  # fmt: skip
