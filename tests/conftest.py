"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL_TIME = ("console", "live")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on real sound servers get five tries: a virtual machine that is held up is not at fault. They
    mostly wait, so one worker runs them in turn while the other does the rest."""
    for item in items:
        if Path(item.path).parent.name in REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=4, reruns_delay=1))
            item.add_marker(pytest.mark.xdist_group("real time"))
