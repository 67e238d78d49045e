"""Kernels of the drums of a spectrum: evidence and gains band by band."""

from __future__ import annotations

import numba as nb
import numpy as np

from nodes.separate.evidence_kernels import FAINT, LIMIT, TINY

#: A band of music repeats so much on average: share of its power, and log of the background over the frame.
REPEATING, REPEATS = np.float32(0.55), np.float32(-0.07)


@nb.njit("void(float32[::1], int64[::1], float32[::1])", nogil=True, cache=True)
def thin_power(magnitude, bins, power):
    """power[k] = |magnitude[bins[k]]|^2."""
    for k in range(len(bins)):
        power[k] = magnitude[bins[k]] * magnitude[bins[k]]


@nb.njit(
    "void(float32[::1], float32[::1], float32[::1], int64[::1], int64[::1], float32[:, ::1], float32, "
    "float32, float32[::1], float32[:, ::1], float32[:, ::1])",
    nogil=True,
    cache=True,
)
def band_evidence(power, harmonic, percussive, first, count, weights, level, pace, usual, bands, ratios):
    """bands (3, BANDS) as of `nodes.separate.evidence`, what repeats at its average; ratios (2, BANDS).

    ratios: log of the share that is percussive over the rest, and log of the power over `usual` (BANDS,),
    which then moves by `pace` towards the power; both -6 to 6.
    """
    one = np.float32(1.0)
    faint = FAINT * level
    for band in range(len(first)):
        total, strokes = TINY * level, TINY * level * np.float32(0.5)
        for i in range(count[band]):
            k = first[band] + i
            part = weights[band, i] * power[k]
            total += part
            strokes += part * (percussive[k] + faint) / (percussive[k] + harmonic[k] + faint + faint)
        share = strokes / total
        bands[0, band] = np.log(total / level)
        bands[1, band] = share
        bands[2, band] = REPEATING
        ratio = np.log((share + TINY) / (one - share + TINY))
        ratios[0, band] = min(max(ratio, -LIMIT), LIMIT)
        ratio = np.log((total + faint) / (usual[band] + faint))
        ratios[1, band] = min(max(ratio, -LIMIT), LIMIT)
        usual[band] += pace * (total - usual[band])


@nb.njit("void(float32[:, ::1], float32[:, ::1], float32[::1])", nogil=True, cache=True)
def drum_gains(answers, ratios, gains):
    """gains (BANDS,) of the drums: `answer_masks` of `nodes.separate.fusion_kernels`, for whole bands."""
    for band in range(len(gains)):
        drums = total = np.float32(0.0)
        for stem in range(4):  # the last is the rest, whose logit is 0
            logit = np.float32(0.0)
            if stem < 3:
                own = 4 * stem
                logit = answers[own, band] + answers[own + 1, band] * ratios[0, band]
                logit += answers[own + 2, band] * REPEATS + answers[own + 3, band] * ratios[1, band]
            part = np.exp(min(logit, np.float32(60.0)))
            drums = part if stem == 0 else drums
            total += part
        gains[band] = drums / total


@nb.njit("void(float32[::1], float32[::1], int64[::1], float32[::1], float32[::1])", nogil=True, cache=True)
def apply_gains(magnitude, gains, lower, share, out):
    """out (bins,) = magnitude times the gains, read between the bands (`lower`, `share` of `spreading`)."""
    for k in range(len(out)):
        gain = gains[lower[k]]
        out[k] = magnitude[k] * (gain + share[k] * (gains[lower[k] + 1] - gain))
