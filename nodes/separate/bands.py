"""The bands in which a spectrum is judged as a whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BANDS = 64
LOW, HIGH = 30.0, 16000.0  # Hz, centres of the first and the last band

Array = npt.NDArray[np.float32]


def centres() -> npt.NDArray[np.float64]:
    """Centres in Hz, evenly spaced on the ERB-rate scale (Glasberg and Moore 1990)."""
    low, high = (21.4 * np.log10(1 + 0.00437 * f) for f in (LOW, HIGH))
    return np.asarray((10 ** (np.linspace(low, high, BANDS) / 21.4) - 1) / 0.00437)


def pooling(window: int, rate: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]:
    """`pooling_over` the bins of a spectrum."""
    return pooling_over(np.arange(window // 2 + 1) * (rate / window))


def pooling_over(
    frequency: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]:
    """Triangles over bins of rising frequency (Hz), each summing to 1: first bin, number of bins, weights
    (BANDS, most).

    No triangle is narrower than two bins, so that each holds at least one. Bands above the last
    bin are empty.
    """
    middle = centres()
    spread = np.maximum(np.gradient(middle), np.interp(middle, frequency[:-1], np.diff(frequency)))
    shape = np.maximum(0.0, 1 - np.abs(frequency - middle[:, None]) / spread[:, None])
    count = (shape > 0).sum(axis=1)
    first = np.where(count > 0, np.argmax(shape > 0, axis=1), 0)
    weights = np.zeros((BANDS, int(count.max())), np.float32)
    for band in range(BANDS):
        own = shape[band, first[band] : first[band] + count[band]]
        weights[band, : count[band]] = own / own.sum() if count[band] else own
    return first.astype(np.int64), count.astype(np.int64), weights


def spreading(window: int, rate: int) -> tuple[npt.NDArray[np.int64], Array]:
    """For each bin the band below it and the share of the band above: linear interpolation in frequency."""
    middle = centres()
    place = np.interp(np.arange(window // 2 + 1) * rate / window, middle, np.arange(BANDS))
    lower = np.minimum(place.astype(np.int64), BANDS - 2)
    return lower, (place - lower).astype(np.float32)
