"""Kernels that turn evidence into masks."""

from __future__ import annotations

import numba as nb
import numpy as np

BASS = np.float32(180.0)  # Hz
VOICE = np.float32(150.0)


@nb.njit("void(float32[::1], float32[::1], float32[::1], float32[:, ::1])", nogil=True, cache=True)
def rule_masks(percussive, repeats, frequencies, masks):
    """Masks (3, bins) of drums, vocals and bass from log ratios (bins,) and frequencies in Hz."""
    one = np.float32(1.0)
    for k in range(len(percussive)):
        drums = one / (one + np.exp(-percussive[k]))
        tonal = one - drums
        bass = tonal if frequencies[k] < BASS else np.float32(0.0)
        new = one - min(one, np.exp(repeats[k]))
        masks[0, k] = drums
        masks[1, k] = (tonal - bass) * new if frequencies[k] > VOICE else np.float32(0.0)
        masks[2, k] = bass
