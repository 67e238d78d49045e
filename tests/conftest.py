"""What all tests share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

REAL_TIME = ("console", "live")
TRIES = 5
#: Share of the processors' time that a hypervisor may take before real time cannot be judged at all.
STOLEN = 0.2
_BEGUN = pytest.StashKey[tuple[float, float]]()


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
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test in real time whose last try fails while a hypervisor has the processor says nothing: skipped."""
    report = yield
    if report.failed and item.get_closest_marker("real_time") and item.execution_count >= TRIES:  # type: ignore[attr-defined]
        (before, begun), (after, now) = item.stash[_BEGUN], processor_time()
        taken = (after - before) / max(1.0, now - begun)
        if taken > STOLEN:
            report.outcome = "skipped"
            reason = f"no real time: a hypervisor took {taken:.0%} of the processor's time meanwhile"
            report.longrepr = (str(item.path), item.location[1] or 0, reason)
    return report
