"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL_TIME = ("console", "live")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on real sound servers get five tries: a virtual machine that is held up is not at fault."""
    for item in items:
        if Path(item.path).parent.name in REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=4, reruns_delay=1))
