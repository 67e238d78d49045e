"""The follower without the engine: what the ear hears in, position and tempo out, one frame at a time.

One filter follows; a coarse search watches the whole reference; where it finds better places, other filters
are started there, and one takes over once it has explained the sound since better than the first.
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
    SOFT,
    STATES,
    TEMPO,
    advance,
    place,
    read,
    recentre,
    straight,
    wait,
    weigh,
)
from nodes.follow.reference import COARSE_BANDS, COARSE_STEP, Reference
from nodes.follow.relocate_kernels import STEPS, add_folded, best_cell, search_slice, step_prices, turn_over

Array = npt.NDArray[Any]

CELL = 0.005  # s of the reference
COLUMNS = 1200
TEMPI = np.exp(np.arange(-20, 28) * 0.08)  # seconds of the reference per second: 0.2 to 8.7
#: Expected flux by frames since the note: mean response of the ear to isolated notes of sampled pianos.
RESPONSE = np.array([0.02, 0.15, 0.65, 1.0, 0.95, 0.48, 0.18, 0.1])

SHARPNESS, FLOOR, TOLERANCE = 0.7, 16.0, 0.3
#: Flux of a note that is played softly (an accompaniment under a melody) as a share of its template's; the
#: share of notes that are, at first, at least and at most; and how fast it is learnt, per frame of a note.
SOFTNESS, SOFT_SHARE, SOFT_SHARES, SOFT_RATE = 0.5, 0.2, (0.1, 0.8), 0.02
PITCH_WEIGHT, PITCH_DELAY = 1.0, 0.07
WALK, PULL, JITTER, MEMORY = 0.07, 1.5, 0.2, 8.0
REACH, PRUNE = 0.1, 1e-8
MISS = -3.0  # least log-likelihood per frame of an onset that is expected and not heard
#: Chance to wait in front of an onset, and per frame to play it then; chance per frame of waiting to halt
#: (a fermata), and to end that.
ENTER, LEAVE, LINGER, RESUME = 0.3, 0.18, 0.003, 0.01
START_WIDTH, START_SPREAD = 0.03, 0.5

TICK = 16  # frames per tick of the coarse search
JUMP, COSINE_WEIGHT, STIFFNESS = 4.0, 6.0, 1.0
TRIAL_SECONDS, LEAST_TRIAL = 5.0, 0.7
#: Mean log-evidence per frame of about the last second below which somewhere near by is tried; how widely
#: (seconds of the performance), and by how many nats it must be better.
DOUBT, NEAR_WIDTH, NEAR_ADVANTAGE = -0.22, 1.0, 4.0
#: Nats of evidence by which another place must explain the same sound better, times the root of the seconds
#: tried.
ADVANTAGE = 16.0
#: The same for UNSURE_SECONDS after a jump: passages repeat, and the first of two that sound alike may have
#: been the wrong one.
UNSURE_ADVANTAGE, UNSURE_SECONDS = 4.0, 30.0
FARS = 4  # distant places on trial at once
BANS = 2  # places left alone at once
#: By how much a trial must be better for a second of distance: of places that sound alike the nearest.
NATS_A_SECOND = 0.1
NEIGHBOURS = 12  # cells of the coarse search within which two places are one
#: Mean log-evidence per frame below which nothing explains the sound: in 25 s of seven pieces the right one
#: kept above -0.22, a wrong one below -0.23 for 95 % of the time.
LOST, FOUND = -0.27, -0.2
QUALITY_SECONDS = 5.0
FAINT = 3e-4  # power relative to the level below which pitch says little
DISTANCE_PRICE = 0.03  # score per second of distance from here, to choose the nearest of equal places
HOPELESS = -1.0  # a trial with less than this lead after PATIENCE seconds makes room for the next
PATIENCE = 0.9
BAN_SECONDS = 2.5  # a place that lost its trial is left alone for so long


class Filter:
    """One belief over position and tempo."""

    def __init__(self) -> None:
        self.grid = np.zeros((4, len(TEMPI), COLUMNS), np.float32)
        self.window = np.zeros(6, np.int64)
        self.state = np.zeros(STATES)
        self._stops = np.zeros(COLUMNS, np.int64)
        self._factors = np.zeros(COLUMNS, np.float32)
        self._column = np.zeros(COLUMNS, np.float32)

    def place(self, position: float, width: float, tempo: float, spread: float, settle: float = 4.0) -> None:
        """Start afresh; seconds of the reference, seconds, tempo ratio, spread of its logarithm."""
        place(self.grid, self.window, self.state, TEMPI, CELL, position, width, tempo, spread, settle)

    def step(self, reference: Reference, seconds: float, flux: Array, pitches: Array, clarity: float) -> bool:
        """One frame; `clarity`: weight of its pitches, 0 to 1. False: the belief has vanished."""
        grid, window, state, stops = self.grid, self.window, self.state, self._stops
        time, is_onset = reference.time, reference.is_onset
        recentre(grid, window, state, CELL)
        advance(grid, window, state, TEMPI, CELL, seconds, WALK, PULL, JITTER)
        wait(grid, window, TEMPI, CELL, seconds, time, is_onset, ENTER, LEAVE, LINGER, RESUME, stops)
        weigh(
            grid, window, state, TEMPI, CELL, seconds,
            time, is_onset, reference.flux, reference.flux_power, reference.pitches, RESPONSE, flux, pitches,
            SHARPNESS, FLOOR, TOLERANCE, SOFTNESS, MISS, PITCH_WEIGHT * clarity, PITCH_DELAY,
            stops, self._factors, self._column,
        )  # fmt: skip
        return bool(
            read(
                grid, window, state, TEMPI, CELL, seconds,
                REACH, MEMORY, PRUNE, SOFT_RATE, SOFT_SHARES, stops, self._column,
            )
        )  # fmt: skip


class Trial:
    """A second opinion: a filter started elsewhere, and by how much it has explained the sound better."""

    def __init__(self) -> None:
        self.filter = Filter()
        self.running = False
        self.time = 0.0
        self.lead = 0.0
        self.offset = 0  # cells of the coarse search from the filter in charge when it started

    def start(self, position: float, width: float, tempo: float, soft: float) -> None:
        """From `position` give or take `width`, at about `tempo`, with that share of soft notes."""
        self.filter.place(position, width, tempo, 0.3)
        self.filter.state[SOFT] = soft
        self.running, self.time, self.lead = True, 0.0, 0.0

    def step(
        self, reference: Reference, seconds: float, heard: tuple[Array, Array, float], main: float
    ) -> None:
        """One frame of what is heard; `main`: evidence of the filter in charge."""
        alive = self.filter.step(reference, seconds, *heard)
        self.time += seconds
        if heard[2] > 0.3:
            self.lead += self.filter.state[EVIDENCE] - main
        self.running = alive and self.time < TRIAL_SECONDS and self.lead > -20.0


class Tracker:
    """Follows a reference. `step` per frame; then read `position` (seconds of the reference), `tempo` (those
    a second), `confidence` and `state`. The filters and the search count along `reference.time` instead."""

    def __init__(self, reference: Reference, rate: int) -> None:
        self.reference = reference
        self.seconds = HOP / rate
        self._main, self._near = Filter(), Trial()
        self._far = [Trial() for _ in range(FARS)]
        self._trials = [self._near, *self._far]
        cells = reference.coarse.shape[1]
        self._scores = np.zeros((2, cells), np.float32)
        self._best = np.zeros(2)
        self._heard = np.zeros(COARSE_BANDS, np.float32)
        self._query = np.zeros(COARSE_BANDS, np.float32)
        self._prices = np.zeros(STEPS, np.float32)
        self._banned = np.zeros(BANS, np.int64)
        self._ban_left = np.zeros(BANS)
        self._taken = np.zeros(1 + FARS + BANS, np.int64)
        self._slice = -(-cells // TICK)
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self.state = "waiting"
        self.position = float(self.reference.seconds[0])
        self.tempo = 0.0
        self.confidence = 0.0
        self.quality = 0.0
        self.jumps = 0
        self._stop_trials()
        for filter in (self._main, *(trial.filter for trial in self._trials)):
            filter.state[SOFT] = SOFT_SHARE
        self._frame = 0
        self._silent = 0.0
        self._recent = 0.0
        self._unsure = 0.0
        self._anchor = float(self.reference.time[0])
        self._banned[:] = 0
        self._ban_left[:] = 0.0
        self._scores[...] = 0.0
        # The performance most likely begins at the beginning.
        self._scores[0, 1:] = -2.0 * JUMP
        self._best[0], self._best[1] = 0.0, -1e30
        self._heard[...] = 0.0
        self._query[...] = 0.0
        step_prices(self._prices, TICK * self.seconds / COARSE_STEP, STIFFNESS)

    def step(self, flux: Array, pitches: Array, power: float, level: float) -> None:
        """One frame: onset flux, compressed pitch spectrum, its power and the running level of powers."""
        self._frame += 1
        quiet = power < max(1e-9, 1e-5 * level)
        self._silent = self._silent + self.seconds if quiet else 0.0
        if self.state == "waiting":
            if power < 1e-7:
                return
            self.state = "tracking"
            self._main.place(float(self.reference.time[0]), START_WIDTH, 1.0, START_SPREAD, 0.5)
        if self._silent < 1.0:
            self._search(pitches)
            self._follow(flux, pitches, power / (power + FAINT * level))
        self._judge()

    @property
    def slow_tempo(self) -> float:
        """Tempo along `reference.time` over the last MEMORY seconds."""
        return float(np.exp(self._main.state[SLOW_LOG_TEMPO]))

    def _follow(self, flux: Array, pitches: Array, clarity: float) -> None:
        main, near = self._main, self._near
        alive = main.step(self.reference, self.seconds, flux, pitches, clarity)
        if not alive:
            main.place(float(main.state[POSITION]), 0.5, self.slow_tempo, 0.5)
        evidence = float(main.state[EVIDENCE])
        heard = (flux, pitches, clarity)
        self._unsure = max(0.0, self._unsure - self.seconds)
        for trial in self._trials:
            if trial.running:
                trial.step(self.reference, self.seconds, heard, evidence)
        for far in self._far:
            if far.time > PATIENCE and far.lead < HOPELESS:
                far.running = False
            if far.time > 0.0 and not far.running:
                self._ban(far)
        best = max(self._trials, key=self._promise)
        if best.running and best.time > LEAST_TRIAL:
            if best is near:
                if near.lead > NEAR_ADVANTAGE:
                    self._take_over(near)
            elif best.lead > (ADVANTAGE if self._unsure == 0.0 else UNSURE_ADVANTAGE) * best.time**0.5:
                self._jump(best)
        state = self._main.state
        self._say(state[POSITION])
        self.quality += (state[EVIDENCE] - self.quality) * self.seconds / QUALITY_SECONDS
        self._recent += (state[EVIDENCE] - self._recent) * self.seconds

    def _say(self, at: float) -> None:
        """Position and tempo in seconds of the reference, at `at` along `reference.time`."""
        self.position, pace = straight(at, self.reference.time, self.reference.seconds)
        self.tempo = float(self._main.state[TEMPO]) * pace

    def until(self, seconds: float) -> float:
        """Seconds until the performer is at `seconds` of the reference; `tempo` must not be 0."""
        then, _ = straight(seconds, self.reference.seconds, self.reference.time)
        return (then - float(self._main.state[POSITION])) / float(self._main.state[TEMPO])

    def _promise(self, trial: Trial) -> float:
        """Lead of a trial, less the price of its distance from where the performer surely was."""
        if not trial.running:
            return -np.inf
        anchor = self._anchor if self._unsure > 0.0 else float(self._main.state[POSITION])
        away = abs(float(trial.filter.state[POSITION]) - anchor)
        return trial.lead - NATS_A_SECOND * min(away, 60.0)

    def _take_over(self, trial: Trial) -> None:
        """What was on trial is in charge from now on; the others are measured against it."""
        self._main, trial.filter = trial.filter, self._main
        self._recent = 0.0
        trial.running = False
        lead = trial.lead
        for other in self._trials:
            other.lead -= lead

    def _jump(self, far: Trial) -> None:
        """A distant place takes over; where it sounds the same elsewhere, that may yet turn out better."""
        if self._unsure == 0.0:
            self._anchor = float(self._main.state[POSITION])
        self._unsure = UNSURE_SECONDS
        self._take_over(far)
        self._stop_trials()
        self._ban_left[:] = 0.0
        self.jumps += 1

    def _stop_trials(self) -> None:
        """Nothing is on trial."""
        for trial in self._trials:
            trial.running, trial.time, trial.lead = False, 0.0, 0.0

    def _ban(self, far: Trial) -> None:
        """A place that has lost its trial."""
        far.time = 0.0
        oldest = int(self._ban_left.argmin())
        self._banned[oldest], self._ban_left[oldest] = far.offset, BAN_SECONDS

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
            step_prices(self._prices, TICK * self.seconds * self.slow_tempo / COARSE_STEP, STIFFNESS)

    def _consider(self) -> None:
        """Whether to try another place, far or near."""
        self._ban_left -= TICK * self.seconds
        tempo = self.slow_tempo
        position, soft = float(self._main.state[POSITION]), float(self._main.state[SOFT])
        if not self._near.running and self._recent < DOUBT:
            self._near.start(position, NEAR_WIDTH * tempo, tempo, soft)
        far = next((far for far in self._far if not far.running), None)
        if far is None:
            return
        here = self._cell(position)
        self._taken[0] = here
        for k, trial in enumerate(self._far):
            self._taken[1 + k] = self._cell(float(trial.filter.state[POSITION])) if trial.running else here
        for k in range(BANS):
            self._taken[1 + FARS + k] = here + self._banned[k] if self._ban_left[k] > 0.0 else here
        anchor = self._cell(self._anchor) if self._unsure > 0.0 else here
        cell, outside, inside = best_cell(
            self._scores, self._taken, NEIGHBOURS, anchor, DISTANCE_PRICE * COARSE_STEP
        )
        if outside > inside:
            # The search looks back over a tick that ended a tick ago.
            ahead = 1.5 * TICK * self.seconds * tempo
            where = self.reference.time[0] + (cell + 0.5) * COARSE_STEP + ahead
            far.start(float(where), 0.25, tempo, soft)
            far.offset = cell - here

    def _cell(self, position: float) -> int:
        """Cell of the coarse search at `position` along `reference.time`."""
        return int((position - self.reference.time[0]) / COARSE_STEP)

    def pass_over(self, seconds: float) -> None:
        """Samples were lost: the performer is taken to have gone on at the same tempo, less surely."""
        if self.state in {"tracking", "lost"}:
            state = self._main.state
            tempo = max(float(state[TEMPO]), float(TEMPI[0]))
            self._main.place(float(state[POSITION]) + tempo * seconds, 0.05 + 0.1 * seconds, tempo, 0.2)
            self._say(state[POSITION])
            self._stop_trials()

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
