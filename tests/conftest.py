"""What all tests share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

REAL_TIME = ("console", "live")
TRIES = 5
#: Tries after which a machine that is held up is taken at its word.
TRIES_HELD_UP = 2
#: Share of the processors' time that a hypervisor may take before real time cannot be judged at all.
STOLEN = 0.2
_BEGUN = pytest.StashKey[tuple[float, float]]()


class HeldUp(AssertionError):
    """What came out shows that the machine did not keep real time; the text gives the measure."""


def processor_time() -> tuple[float, float]:
    """What a hypervisor took of the processors' time so far, and all of it (known on Linux only)."""
    try:
        ticks = [float(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0, 0.0
    return ticks[7], sum(ticks)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in real time get five tries: a virtual machine that is held up is not at fault."""
    for item in items:
        if Path(item.path).parent.name in REAL_TIME:
            item.add_marker(pytest.mark.real_time)
        if item.get_closest_marker("real_time"):
            item.add_marker(pytest.mark.flaky(reruns=TRIES - 1, reruns_delay=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_BEGUN] = processor_time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test in real time that fails while the machine is held up, twice, says nothing: skipped."""
    report = yield
    if report.failed and item.get_closest_marker("real_time") and item.execution_count >= TRIES_HELD_UP:  # type: ignore[attr-defined]
        reason = _held_up(item, call)
        if reason:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, f"no real time: {reason}")
    return report


def _held_up(item: pytest.Item, call: pytest.CallInfo[None]) -> str:
    """By what the machine was held up since the test began; "" if it was not."""
    if call.excinfo is not None and call.excinfo.errisinstance(HeldUp):
        return str(call.excinfo.value)
    (before, begun), (after, now) = item.stash[_BEGUN], processor_time()
    taken = (after - before) / max(1.0, now - begun)
    return f"a hypervisor took {taken:.0%} of the processor's time meanwhile" if taken > STOLEN else ""
