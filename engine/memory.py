"""Gives memory back that has done its work."""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from typing import Any

import numpy.typing as npt

_DONTNEED = 4
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)")


def release_libraries() -> None:
    """Let go of the pages of shared libraries that start-up alone needed: 90 MB, most of it numba's compiler.

    They are mapped from their files and never written to; what is needed again is read again. Elsewhere than
    on Linux nothing is done.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    clean: list[tuple[int, int]] = []
    region = None
    with open("/proc/self/smaps", encoding="utf-8") as regions:
        for line in regions:
            if found := _REGION.match(line):
                region = found
            elif line.startswith("Anonymous:") and region is not None:
                start, end, access, file = region.groups()
                # What was relocated is a copy of its own: counted as anonymous, it must stay.
                if ".so" in file and access[1] == "-" and int(line.split()[1]) == 0:
                    clean.append((int(start, 16), int(end, 16)))
    for begin, stop in clean:
        madvise(begin, stop - begin, _DONTNEED)


def release_mapped(array: npt.NDArray[Any]) -> None:
    """Let go of the pages of an array that is mapped read-only from a file; what is needed is read again."""
    mapped = array.base
    if isinstance(mapped, mmap.mmap) and not array.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
