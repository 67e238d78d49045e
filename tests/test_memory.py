"""Memory that is given back."""

from __future__ import annotations

import sys
from pathlib import Path

import numba
import pytest

from engine.memory import release_compiler


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the pages of the compiler")
def test_the_compilers_pages_are_let_go_and_it_compiles_on():
    def code() -> int:
        """kB of the compiler's code in memory."""
        total, inside = 0, False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            if "-" in line.split(" ")[0]:
                inside = "libllvmlite" in line and " r-xp " in line
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1])
        return total

    numba.njit("int64(int64)")(lambda x: x - 1)  # another test may have let go of it already
    before = code()
    release_compiler()
    assert before > 0 and code() < before / 4
    assert numba.njit("int64(int64)")(lambda x: x + 1)(2) == 3
