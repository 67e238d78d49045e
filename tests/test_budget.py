"""Time spent is counted right, and overload climbs and leaves its ladder step by step."""

from __future__ import annotations

import numpy as np
import pytest

from engine.budget import OVERLOAD, Budget, Overload


def spend(budget, *microseconds):
    budget.stamps[0] = 1_000_000
    for i, us in enumerate(microseconds):
        budget.stamps[i + 1] = budget.stamps[i] + round(us * 1000)
    budget.observe()


def test_costs_are_those_that_were_stamped():
    budget = Budget(["a", "b"], period=0.005)
    values = np.random.default_rng(0).uniform(10, 100, 5000)
    for us in values:
        spend(budget, us, 2.0)
    a, b, total = budget.costs()
    assert (a.name, b.name, total.name) == ("a", "b", "quantum")
    assert a.mean == pytest.approx(values.mean(), rel=1e-3) and a.max == pytest.approx(values.max(), abs=1e-3)
    for mine, q in ((a.p50, 0.5), (a.p99, 0.99), (a.p999, 0.999)):
        assert mine == pytest.approx(np.quantile(values, q), rel=0.07)
    assert b.mean == pytest.approx(2.0) and total.mean == pytest.approx(values.mean() + 2, rel=1e-3)
    assert budget.quanta == 5000 and budget.overruns == 0


def test_overrun_names_the_guilty_node():
    budget = Budget(["a", "b", "c"], period=0.001)
    spend(budget, 100, 100, 100)
    assert (budget.overruns, budget.guilty) == (0, "")
    spend(budget, 200, 900, 300)
    assert (budget.overruns, budget.guilty) == (1, "b")
    budget.reset()
    assert (budget.quanta, budget.overruns, budget.guilty) == (0, 0, "")
    assert budget.costs()[0].max == 0


@pytest.mark.parametrize("us", [0.0, 0.001, 1e6, 1e9])
def test_extreme_durations_have_a_bucket(us):
    budget = Budget(["a"], period=0.005)
    spend(budget, us)
    assert budget.costs()[0].max == pytest.approx(us, abs=1e-3)


PERIOD = 0.01  # seconds: recovery takes 200 quanta
RECOVERY = 200


def test_ladder_climbs_at_once_to_what_the_backlog_says():
    overload = Overload(PERIOD)
    climbed = [overload.update(backlog) for backlog in (0, 1, 2, 4, 5, 12)]
    assert climbed == ["ok", "ok", "absorb", "absorb", "degrade", "degrade"]


def test_skip_comes_only_when_a_big_backlog_does_not_shrink():
    overload = Overload(PERIOD)
    assert {overload.update(backlog) for backlog in range(200, 12, -1)} == {"degrade"}
    overload = Overload(PERIOD)
    states = [overload.update(50) for _ in range(Overload.TRIES + 1)]
    assert states == ["degrade"] * Overload.TRIES + ["skip"]


def test_ladder_goes_down_one_step_after_two_calm_seconds():
    overload = Overload(PERIOD)
    overload.update(6)
    states = [overload.update(0) for _ in range(2 * RECOVERY + 5)]
    assert states[: RECOVERY - 1] == ["degrade"] * (RECOVERY - 1)
    assert states[RECOVERY - 1 : 2 * RECOVERY - 1] == ["absorb"] * RECOVERY
    assert states[2 * RECOVERY :] == ["ok"] * 5


def test_relapse_starts_the_calm_anew():
    overload = Overload(PERIOD)
    overload.update(6)
    for _ in range(10):
        states = {overload.update(0) for _ in range(RECOVERY - 1)}
        assert states == {"degrade"}
        assert overload.update(5) == "degrade"


def test_after_a_skip_it_stays_degraded_until_calm():
    overload = Overload(PERIOD)
    while overload.update(20) != "skip":
        pass
    assert overload.update(0) == "degrade"
    assert {overload.update(0) for _ in range(RECOVERY - 1)} == {"degrade"}
    assert overload.update(0) == "absorb"


def test_entries_are_counted():
    overload = Overload(PERIOD)
    for _ in range(2):
        while overload.update(20) != "skip":
            pass
        overload.update(0)
    assert overload.entered == {"ok": 0, "absorb": 0, "degrade": 3, "skip": 2}
    assert list(OVERLOAD) == ["ok", "absorb", "degrade", "skip"]
