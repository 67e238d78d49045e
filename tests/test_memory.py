"""Memory that is given back."""

from __future__ import annotations

import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from engine.memory import release_libraries, release_mapped


def _resident(name: str, access: str) -> int:
    """kB of a file in memory, where it is mapped so."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = name in line and f" {access} " in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the pages of the compiler")
def test_the_compilers_pages_are_let_go_and_it_compiles_on():
    numba.njit("int64(int64)")(lambda x: x - 1)  # another test may have let go of it already
    before = _resident("libllvmlite", "r-xp")
    release_libraries()
    assert before > 0 and _resident("libllvmlite", "r-xp") < before / 4
    assert numba.njit("int64(int64)")(lambda x: x + 1)(2) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the pages of a file")
def test_a_mapped_array_is_let_go_and_read_again(tmp_path):
    file = tmp_path / "numbers.npy"
    np.save(file, np.arange(1 << 20))
    mapped = np.load(file, mmap_mode="r")
    assert mapped.sum() == np.arange(1 << 20).sum() and _resident("numbers.npy", "r--s") > 4096
    release_mapped(mapped)
    assert _resident("numbers.npy", "r--s") < 100
    assert np.array_equal(mapped, np.arange(1 << 20))
    own = np.ones(1 << 20)
    release_mapped(own)
    assert own.all()
