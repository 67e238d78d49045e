"""The follower without the engine: what the ear hears in, position and tempo out, one frame at a time.

One filter follows; a coarse search watches the whole reference; where it finds a better place, a second
filter is started there and takes over once it has explained the sound since better than the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.follow.bands import HOP
from nodes.follow.filter_kernels import (
    EVIDENCE,
    MASS,
    POSITION,
    SLOW_LOG_TEMPO,
    TEMPO,
    advance,
    place,
    read,
    recentre,
    weigh,
)
from nodes.follow.reference import COARSE_BANDS, COARSE_STEP, Reference
from nodes.follow.relocate_kernels import add_folded, best_cell, search_slice, step_prices, turn_over

Array = npt.NDArray[Any]

CELL = 0.005  # s of the reference
COLUMNS = 1200
TEMPI = np.exp(np.arange(-18, 19) * 0.08)  # seconds of the reference per second: 0.24 to 4.2
#: Expected flux by frames since the note: mean response of the ear to isolated notes of sampled pianos.
RESPONSE = np.array([0.02, 0.15, 0.65, 1.0, 0.95, 0.48, 0.18, 0.1])

SHARPNESS, FLOOR, TOLERANCE = 0.7, 16.0, 0.3
PITCH_WEIGHT, PITCH_DELAY = 2.0, 0.07
WALK, PULL, JITTER, MEMORY = 0.07, 1.5, 0.2, 8.0
REACH, PRUNE = 0.1, 1e-8
START_WIDTH, START_SPREAD = 0.03, 0.5

TICK = 16  # frames per tick of the coarse search
JUMP, COSINE_WEIGHT, STIFFNESS = 4.0, 6.0, 1.0
TRIAL_SECONDS, LEAST_TRIAL = 2.5, 0.7
#: Nats of evidence by which another place must explain the same sound better, times the root of the seconds
#: tried. Right places gain 30 to 90 in 0.8 s, wrong ones hardly ever more than 12.
ADVANTAGE = 36.0
#: Mean log-evidence per frame below which nothing explains the sound: the right piece mostly keeps
#: above -0.5, a wrong one between -1 and -0.6.
LOST, FOUND = -0.62, -0.5
QUALITY_SECONDS = 5.0
FAINT = 3e-4  # power relative to the level below which pitch says little
DISTANCE_PRICE = 0.01  # score per second of distance from here, to choose the nearest of equal places
HOPELESS = 5.0  # a trial with less than this lead after PATIENCE seconds makes room for the next
PATIENCE = 0.9
BAN_SECONDS = 2.5  # a place that lost its trial is left alone for so long


class Filter:
    """One belief over position and tempo."""

    def __init__(self) -> None:
        self.grid = np.zeros((2, len(TEMPI), COLUMNS), np.float32)
        self.window = np.zeros(5, np.int64)
        self.state = np.zeros(7)
        self._column = np.zeros(COLUMNS)

    def place(self, position: float, width: float, tempo: float, spread: float, settle: float = 4.0) -> None:
        """Start afresh; seconds of the reference, seconds, tempo ratio, spread of its logarithm."""
        place(self.grid, self.window, self.state, TEMPI, CELL, position, width, tempo, spread, settle)

    def step(self, reference: Reference, seconds: float, flux: Array, pitches: Array, clarity: float) -> bool:
        """One frame; `clarity`: weight of its pitches, 0 to 1. False: the belief has vanished."""
        grid, window, state, column = self.grid, self.window, self.state, self._column
        recentre(grid, window, state, CELL)
        advance(grid, window, state, TEMPI, CELL, seconds, WALK, PULL, JITTER)
        weigh(
            grid, window, state, TEMPI, CELL, seconds,
            reference.time, reference.is_onset, reference.flux, reference.flux_power, reference.pitches,
            RESPONSE, flux, pitches, SHARPNESS, FLOOR, TOLERANCE, PITCH_WEIGHT * clarity, PITCH_DELAY, column,
        )  # fmt: skip
        return bool(read(grid, window, state, TEMPI, CELL, seconds, REACH, MEMORY, PRUNE, column))


class Tracker:
    """Follows a reference. `step` per frame; then read `position`, `tempo`, `confidence` and `state`."""

    def __init__(self, reference: Reference, rate: int) -> None:
        self.reference = reference
        self.seconds = HOP / rate
        self._main, self._trial = Filter(), Filter()
        cells = len(reference.coarse)
        self._scores = np.zeros((2, cells), np.float32)
        self._best = np.zeros(2)
        self._heard = np.zeros(COARSE_BANDS, np.float32)
        self._query = np.zeros(COARSE_BANDS, np.float32)
        self._banned = np.zeros(2)
        self._ban_left = np.zeros(2)
        self._slice = -(-cells // TICK)
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self.state = "waiting"
        self.position = float(self.reference.time[0])
        self.tempo = 0.0
        self.confidence = 0.0
        self.quality = 0.0
        self.jumps = 0
        self._tried = False
        self._frame = 0
        self._silent = 0.0
        self._trial_time = 0.0
        self._lead = 0.0
        self._rest = 0.0
        self._offset = 0.0
        self._banned[:] = 0.0
        self._ban_left[:] = 0.0
        self._scores[...] = 0.0
        # The performance most likely begins at the beginning.
        self._scores[0, 1:] = -2.0 * JUMP
        self._best[0], self._best[1] = 0.0, -1e30
        self._heard[...] = 0.0
        self._query[...] = 0.0
        self._prices = step_prices(TICK * self.seconds / COARSE_STEP, STIFFNESS)

    def step(self, flux: Array, pitches: Array, power: float, level: float) -> None:
        """One frame: onset flux, compressed pitch spectrum, its power and the running level of powers."""
        self._frame += 1
        quiet = power < max(1e-9, 1e-5 * level)
        self._silent = self._silent + self.seconds if quiet else 0.0
        if self.state == "waiting":
            if power < 1e-7:
                return
            self.state = "tracking"
            self._main.place(self.position, START_WIDTH, 1.0, START_SPREAD, 0.5)
        if self._silent < 1.0:
            self._search(pitches)
            self._follow(flux, pitches, power / (power + FAINT * level))
        self._judge()

    def _follow(self, flux: Array, pitches: Array, clarity: float) -> None:
        main, trial = self._main, self._trial
        alive = main.step(self.reference, self.seconds, flux, pitches, clarity)
        if not alive:
            main.place(float(main.state[POSITION]), 0.5, float(np.exp(main.state[SLOW_LOG_TEMPO])), 0.5)
        if self._tried:
            ok = trial.step(self.reference, self.seconds, flux, pitches, clarity)
            self._trial_time += self.seconds
            if clarity > 0.3:
                self._lead += trial.state[EVIDENCE] - main.state[EVIDENCE]
            if self._trial_time > LEAST_TRIAL and self._lead > ADVANTAGE * self._trial_time**0.5:
                self._main, self._trial = trial, main
                self._tried = False
                self._rest = 1.0
                self._ban_left[:] = 0.0
                self.jumps += 1
            elif (
                not ok
                or self._trial_time > TRIAL_SECONDS
                or (self._trial_time > PATIENCE and self._lead < HOPELESS)
                or self._lead < -15.0
            ):
                self._tried = False
                self._banned[:] = self._banned[1], self._offset
                self._ban_left[:] = self._ban_left[1], BAN_SECONDS
        state = self._main.state
        self.position, self.tempo = float(state[POSITION]), float(state[TEMPO])
        share = self.seconds / QUALITY_SECONDS
        self.quality += (state[EVIDENCE] - self.quality) * share

    def _search(self, pitches: Array) -> None:
        """A slice of the coarse search; at the end of a tick, perhaps a trial elsewhere."""
        add_folded(pitches, self._heard)
        part = self._frame % TICK
        start = part * self._slice
        cells = self._scores.shape[1]
        search_slice(
            self._scores, self._best, self._query, self.reference.coarse, self._prices,
            JUMP, COSINE_WEIGHT, min(start, cells), min(start + self._slice, cells),
        )  # fmt: skip
        if part == TICK - 1:
            turn_over(self._scores, self._best)
            length = float(np.sqrt(self._heard @ self._heard))
            np.divide(self._heard, max(length, 1e-9), out=self._query)
            self._heard[...] = 0.0
            self._consider()

    def _consider(self) -> None:
        self._rest = max(0.0, self._rest - TICK * self.seconds)
        self._ban_left -= TICK * self.seconds
        if self._tried or self._rest > 0.0:
            return
        here = (self._main.state[POSITION] - self.reference.time[0]) / COARSE_STEP
        cell, outside, inside = best_cell(
            self._scores, int(here) - 12, int(here) + 13, DISTANCE_PRICE * COARSE_STEP
        )
        if cell >= 0 and outside > inside and not self._is_banned(cell - here):
            # The search looks back over a tick that ended a tick ago.
            tempo = float(np.exp(self._main.state[SLOW_LOG_TEMPO]))
            ahead = 1.5 * TICK * self.seconds * tempo
            where = self.reference.time[0] + (cell + 0.5) * COARSE_STEP + ahead
            self._trial.place(float(where), 0.25, tempo, 0.3)
            self._tried = True
            self._offset = cell - here
            self._trial_time = 0.0
            self._lead = 0.0

    def pass_over(self, seconds: float) -> None:
        """Samples were lost: the performer is taken to have gone on at the same tempo, less surely."""
        if self.state in {"tracking", "lost"}:
            self.position += self.tempo * seconds
            tempo = max(self.tempo, float(TEMPI[0]))
            self._main.place(self.position, 0.05 + 0.1 * seconds, tempo, 0.2)
            self._tried = False

    def _is_banned(self, offset: float) -> bool:
        """Whether the place so many cells from here has just lost a trial."""
        return any(self._ban_left[k] > 0.0 and abs(offset - self._banned[k]) < 12.0 for k in range(2))

    def _judge(self) -> None:
        trust = min(max((self.quality - 2.0 * LOST) / (-2.0 * LOST), 0.0), 1.0)
        self.confidence = float(self._main.state[MASS]) * trust
        if self.state == "lost":
            if self.quality > FOUND:
                self.state = "tracking"
        elif self.quality < LOST:
            self.state = "lost"
        over = self.position > self.reference.end - 0.2
        if over and self._silent > 1.0:
            self.state = "finished"
        elif self.state == "finished" and not over:
            self.state = "tracking"
