"""Kernel of the drum notes' front end: log bands of a window that hears a stroke at once."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BANDS = 40
LOWEST, HIGHEST = 30.0, 16000.0  # Hz
COMPRESSION = 100.0
SILENCE = 1e-5  # level (full scale sine: about 0.01) below which nothing is made louder


def strike_taper(window: int) -> Array:
    """A taper that rises over seven eighths of the window and falls over the last: new sound counts at once.

    Scaled so that the magnitudes of a full scale sine peak at 1.
    """
    rise, fall = window - window // 8, window // 8
    taper = np.concatenate(
        [np.sin(0.5 * np.pi * np.arange(rise) / rise), np.cos(0.5 * np.pi * (np.arange(fall) + 0.5) / fall)]
    )
    return np.asarray(taper**2 * 2 / np.sum(taper**2), np.float32)


@nb.njit(
    "void(float32[::1], int32[::1], int32[::1], float32[:, ::1], float32[::1], float32, float32[::1],"
    "float32[::1])",
    nogil=True,
    cache=True,
    fastmath={"reassoc", "contract"},
)
def strike_bands(magnitude, first, count, weights, level, decay, power, out):  # type: ignore[no-untyped-def]
    """out[b] = log(1 + 100 e_b / L): e_b a band's mean magnitude, L a slow peak level, times `decay` a frame.

    `level` (1,) is the state, `power` (BANDS,) gets e_b. The result does not change when the input is scaled.
    """
    mean = np.float32(0.0)
    for band in range(BANDS):
        total = np.float32(0.0)
        start = first[band]
        for k in range(count[band]):
            total += weights[band, k] * magnitude[start + k]
        power[band] = total
        mean += total
    mean /= np.float32(BANDS)
    level[0] = max(mean, level[0] * decay)
    scale = np.float32(COMPRESSION) / max(level[0], np.float32(SILENCE))
    for band in range(BANDS):
        out[band] = np.log(np.float32(1.0) + scale * power[band])
