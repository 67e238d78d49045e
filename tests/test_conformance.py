"""Every node and sink of the catalogue through the conformance kit."""

from __future__ import annotations

import pytest

from engine.registry import Registry
from engine.testing import check_node, table
from nodes import CATALOGUE


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_conforms(name):
    registry = Registry(CATALOGUE)
    missing = registry.missing(name)
    results = check_node(registry.load(name))
    assert all(result.ok for result in results), "\n" + table(results)
    if missing:
        pytest.skip(f"checked as far as it goes without {', '.join(missing)}")
