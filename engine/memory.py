"""Gives memory back that has done its work."""

from __future__ import annotations

import ctypes
import sys

_DONTNEED = 4


def release_compiler() -> None:
    """Let go of the pages of numba's compiler (LLVM) once the kernels are loaded: about 50 MB.

    Its code is mapped from its file, read-only; what is needed again is read again. Elsewhere than on Linux
    nothing is done.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            place, access, *_ = line.split()
            if access == "r-xp" and "libllvmlite" in line:  # code alone: data may have been relocated
                start, end = (int(number, 16) for number in place.split("-"))
                madvise(start, end - start, _DONTNEED)
