"""Kernels of the search for notes in notes: points (onset, pitch), and triples of them."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

#: Largest interval of a triple in semitones either way, and bins of the ratio of its two gaps either way.
INTERVAL, RATIOS = 24, 6
#: Bins of the ratio an octave.
PER_OCTAVE = 2
#: Number of different triples.
TOKENS = (2 * INTERVAL + 1) ** 2 * (2 * RATIOS + 1)

_NOTES = "float64[::1], int64[::1]"


@nb.njit(f"int64({_NOTES}, {_NOTES}, float64, int64[::1])", nogil=True, cache=True)
def inclusions(times, pitches, text_times, text_pitches, tolerance, out):  # type: ignore[no-untyped-def]
    """Where all points of a pattern lie in a text, moved in time and pitch: algorithm P1.

    times, pitches, text_times, text_pitches : by rising time (seconds), and pitch where times are equal.
    tolerance : seconds by which a point may be off.
    out : written: numbers of the text points that are the pattern's first. Returns how many.

    Ukkonen, Lemstroem and Maekinen, ISMIR 2003: one pointer per pattern point runs along the text.
    """
    n, m, count = len(times), len(text_times), 0
    pointers = np.zeros(n, np.int64)
    for i in range(m):
        whole = True
        for j in range(1, n):
            at = text_times[i] + times[j] - times[0]
            pitch = text_pitches[i] + pitches[j] - pitches[0]
            p = pointers[j]
            while p < m and text_times[p] < at - tolerance:
                p += 1
            pointers[j] = p
            while p < m and text_times[p] <= at + tolerance and text_pitches[p] != pitch:
                p += 1
            if p == m or text_times[p] > at + tolerance:
                whole = False
                break
        if whole:
            if count == len(out):
                return count
            out[count] = i
            count += 1
    return count


@nb.njit(nogil=True, cache=True)
def _token(first, second, ratio):  # type: ignore[no-untyped-def]
    """Number of a triple with two intervals and the logarithm of the ratio of its gaps, or -1."""
    if abs(first) > INTERVAL or abs(second) > INTERVAL or abs(ratio) > RATIOS:
        return -1
    width = 2 * INTERVAL + 1
    return ((first + INTERVAL) * width + second + INTERVAL) * (2 * RATIOS + 1) + ratio + RATIOS


@nb.njit(
    f"int64({_NOTES}, int64, float64, float64, int64[::1], int64[::1], float64[::1])", nogil=True, cache=True
)
def triples(times, pitches, fan, least, most, tokens, firsts, gaps):  # type: ignore[no-untyped-def]
    """Triples of notes, each the next but `fan` - 1 at most after the one before (Arzt, Boeck, Widmer 2012).

    times, pitches : by rising time. least, most : seconds between two notes of a triple.
    tokens, firsts, gaps : written: what the triple is, whatever key and tempo; its first note; the seconds
        from its first to its last. Returns how many.
    """
    n, count = len(times), 0
    for i in range(n):
        for j in range(i + 1, min(n, i + 1 + fan)):
            one = times[j] - times[i]
            if one > most:
                break
            if one < least:
                continue
            for k in range(j + 1, min(n, j + 1 + fan)):
                two = times[k] - times[j]
                if two > most:
                    break
                if two < least:
                    continue
                ratio = round(PER_OCTAVE * math.log2(two / one))
                token = _token(pitches[j] - pitches[i], pitches[k] - pitches[j], ratio)
                if token < 0:
                    continue
                if count == len(tokens):
                    return count
                tokens[count], firsts[count], gaps[count] = token, i, one + two
                count += 1
    return count


@nb.njit(
    f"int64({_NOTES}, int64, float64, float64, int64[::1], int64[::1], int64[::1], int64[::1], float64[::1])",
    nogil=True,
    cache=True,
)
def look_up(times, pitches, fan, least, most, starts, listed, which, firsts, gaps):  # type: ignore[no-untyped-def]
    """Triples of a text that are also in a query: no index is kept, the query is the table.

    starts, listed : triples of the query by token: those of token t are listed[starts[t] : starts[t + 1]].
    which, firsts, gaps : written: triple of the query, first note in the text, seconds from first to last.
    """
    n, count = len(times), 0
    for i in range(n):
        for j in range(i + 1, min(n, i + 1 + fan)):
            one = times[j] - times[i]
            if one > most:
                break
            if one < least:
                continue
            for k in range(j + 1, min(n, j + 1 + fan)):
                two = times[k] - times[j]
                if two > most:
                    break
                if two < least:
                    continue
                exact = PER_OCTAVE * math.log2(two / one)
                near = round(exact)
                beside = near + (1 if exact > near else -1)
                for ratio in (near, beside):
                    token = _token(pitches[j] - pitches[i], pitches[k] - pitches[j], ratio)
                    if token < 0:
                        continue
                    for l in range(starts[token], starts[token + 1]):
                        if count == len(which):
                            return count
                        which[count], firsts[count], gaps[count] = listed[l], i, one + two
                        count += 1
    return count
