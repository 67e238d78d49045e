"""Kernels of `nodes.spectral.fft`."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(nogil=True, forceinline=True)
def _radix4(z, w, half, stride, source, target):
    """One stage: from z[source:] to z[target:], real parts first and imaginary parts `half` later."""
    quarter = half // 4
    count = quarter // stride
    at = 2 * half - 2 * (half // stride)
    for p in range(count):
        w1r, w2r, w3r = w[at + p], w[at + count + p], w[at + 2 * count + p]
        w1i, w2i, w3i = w[at + 3 * count + p], w[at + 4 * count + p], w[at + 5 * count + p]
        for q in range(stride):
            i = source + stride * p + q
            o = target + 4 * stride * p + q
            ar, br, cr, dr = z[i], z[i + quarter], z[i + 2 * quarter], z[i + 3 * quarter]
            i += half
            ai, bi, ci, di = z[i], z[i + quarter], z[i + 2 * quarter], z[i + 3 * quarter]
            sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
            ur, ui, vr, vi = br + dr, bi + di, br - dr, bi - di
            z[o] = sr + ur
            z[o + half] = si + ui
            er, ei = tr + vi, ti - vr
            z[o + stride] = er * w1r - ei * w1i
            z[o + stride + half] = er * w1i + ei * w1r
            er, ei = sr - ur, si - ui
            z[o + 2 * stride] = er * w2r - ei * w2i
            z[o + 2 * stride + half] = er * w2i + ei * w2r
            er, ei = tr - vi, ti + vr
            z[o + 3 * stride] = er * w3r - ei * w3i
            z[o + 3 * stride + half] = er * w3i + ei * w3r


@nb.njit(nogil=True, forceinline=True)
def _radix2(z, half, source, target):
    """The last stage where `half` is no power of four."""
    pair = half // 2
    for q in range(pair):
        a, b = z[source + q], z[source + q + pair]
        z[target + q] = a + b
        z[target + q + pair] = a - b
        a, b = z[source + half + q], z[source + half + q + pair]
        z[target + half + q] = a + b
        z[target + half + q + pair] = a - b


@nb.njit(nogil=True, forceinline=True)
def _complex_fft(z, w, half):
    """Transform z[:2 * half] (real, then imaginary parts); returns where in z the result begins."""
    other = 2 * half
    # Written out, not looped: every stride must be a constant when this is compiled for one `half`.
    _radix4(z, w, half, 1, 0, other)
    if half >= 16:
        _radix4(z, w, half, 4, other, 0)
    if half >= 64:
        _radix4(z, w, half, 16, 0, other)
    if half >= 256:
        _radix4(z, w, half, 64, other, 0)
    if half >= 1024:
        _radix4(z, w, half, 256, 0, other)
    if half >= 4096:
        _radix4(z, w, half, 1024, other, 0)
    if half >= 16384:
        _radix4(z, w, half, 4096, 0, other)
    at, to, power = other, 0, 4
    while power * 4 <= half:
        power *= 4
        at, to = to, at
    if power < half:
        _radix2(z, half, at, to)
        at = to
    return at


_REAL, _COMPLEX = "float32[::1]", "complex64[::1]"
FORWARD = f"void({_REAL}, {_REAL}, {_REAL}, {_REAL}, {_REAL}, {_COMPLEX}, {_REAL})"
INVERSE = f"void({_COMPLEX}, {_REAL}, {_REAL}, {_REAL}, {_REAL}, {_REAL})"


def make_forward(half):
    """The transform of 2 * half real samples: tapered on the way in, magnitude on the way out."""

    @nb.njit(FORWARD, nogil=True, cache=True)
    def forward(samples, taper, z, w, turn, spectrum, magnitude):
        for k in range(half):
            z[k] = samples[2 * k] * taper[2 * k]
            z[k + half] = samples[2 * k + 1] * taper[2 * k + 1]
        re = _complex_fft(z, w, half)
        im = re + half
        middle = half // 2
        first, last = z[re] + z[im], z[re] - z[im]
        spectrum[0] = complex(first, nb.float32(0.0))
        spectrum[half] = complex(last, nb.float32(0.0))
        magnitude[0] = abs(first)
        magnitude[half] = abs(last)
        for k in range(1, middle + 1):
            ar, ai, br, bi = z[re + k], z[im + k], z[re + half - k], z[im + half - k]
            cosine, sine = turn[k], turn[middle + 1 + k]
            even_r, even_i = nb.float32(0.5) * (ar + br), nb.float32(0.5) * (ai - bi)
            odd_r, odd_i = nb.float32(0.5) * (ai + bi), nb.float32(0.5) * (br - ar)
            tr, ti = cosine * odd_r - sine * odd_i, cosine * odd_i + sine * odd_r
            xr, xi, yr, yi = even_r + tr, even_i + ti, even_r - tr, ti - even_i
            spectrum[k] = complex(xr, xi)
            spectrum[half - k] = complex(yr, yi)
            magnitude[k] = np.sqrt(xr * xr + xi * xi)
            magnitude[half - k] = np.sqrt(yr * yr + yi * yi)

    return forward


def make_inverse(half):
    """The transform back, tapered and added to what is there."""

    @nb.njit(INVERSE, nogil=True, cache=True)
    def inverse(spectrum, taper, z, w, turn, samples):
        middle = half // 2
        # Real and imaginary parts change places: that turns the forward transform into the inverse.
        for k in range(middle + 1):
            x, y = spectrum[k], spectrum[half - k]
            even_r, even_i = x.real + y.real, x.imag - y.imag
            tr, ti = x.real - y.real, x.imag + y.imag
            cosine, sine = turn[k], -turn[middle + 1 + k]
            odd_r, odd_i = cosine * tr - sine * ti, cosine * ti + sine * tr
            z[k + half] = even_r - odd_i
            z[k] = even_i + odd_r
            if k > 0:
                z[2 * half - k] = even_r + odd_i
                z[half - k] = odd_r - even_i
        im = _complex_fft(z, w, half)
        re = im + half
        scale = nb.float32(0.5) / nb.float32(half)
        for k in range(half):
            samples[2 * k] += scale * z[re + k] * taper[2 * k]
            samples[2 * k + 1] += scale * z[im + k] * taper[2 * k + 1]

    return inverse
