"""What becomes of frames on their way to a browser."""

from __future__ import annotations

import numpy as np
import pytest

from apps.console.streams import PART, Stream, message
from engine.formats import AudioFormat, FramesFormat
from engine.live.scope import Track

RATE = 44100


def stream(shape: tuple[int, ...], labels: tuple[float | str, ...] = ()) -> Stream:
    format = FramesFormat(RATE, 441, 0, shape, labels=labels)
    return Stream(3, Track("node.port", format, shape, "<f4", 50, 0), RATE)


def content(packed: bytes) -> list[tuple[float, np.ndarray]]:
    found, at = [], 0
    while at < len(packed):
        index, count, rows, kind, _, time, step = PART.unpack_from(packed, at)
        assert index == 3
        assert step == pytest.approx(0.01)
        at += PART.size
        dtype = np.dtype("u1" if kind else "<f4")
        found.append((time, np.frombuffer(packed, dtype, count * rows, at).reshape(count, rows)))
        at += -(-count * rows * dtype.itemsize // 8) * 8
    return found


def test_a_gap_makes_a_part_of_its_own():
    times = np.array([0, 441, 882, 44100, 44541])
    parts = content(stream(()).parts(times, np.arange(5, dtype=np.float32)))
    assert [time for time, _ in parts] == [0.0, 1.0]
    assert [items[:, 0].tolist() for _, items in parts] == [[0, 1, 2], [3, 4]]


def test_audio_becomes_the_least_and_the_largest_sample_over_all_channels():
    track = Track("input.audio", AudioFormat(RATE, 2), (2, 441), "f4", 50, 0)
    block = np.zeros((1, 2, 441), np.float32)
    block[0, 0, 7], block[0, 1, 9] = 0.5, -0.25
    parts = content(Stream(3, track, RATE).parts(np.array([0]), block))
    assert parts[0][1].tolist() == [[-0.25, 0.5]]


def test_a_spectrum_is_spaced_in_pitch_and_shown_in_decibels():
    labels = tuple(k * RATE / 2048 for k in range(1025))
    picture = stream((1025,), labels)
    assert picture.rows <= 96
    assert all(a < b for a, b in zip(picture.axis, picture.axis[1:], strict=False))
    frame = np.full((1, 1025), 1e-9, np.float32)
    at = int(np.searchsorted(labels, 1000.0))
    frame[0, at], frame[0, 4 * at] = 1.0, 10 ** (-36 / 20)
    row = content(picture.parts(np.array([0]), frame))[0][1][0].astype(int)
    peaks = np.flatnonzero(row)
    assert row[peaks].tolist() == [255, 127]  # 36 dB lower: half way down 72
    assert [picture.axis[k] for k in peaks] == pytest.approx([labels[at], labels[4 * at]], rel=0.05)


def test_tempi_keep_their_labels_and_twelve_stay_twelve():
    assert stream((101,), tuple(40.0 + 2 * n for n in range(101))).axis[0] == 40.0
    chroma = stream((12,), tuple("CDEFGABcdefg"))
    assert (chroma.rows, chroma.axis[9]) == (12, "e")


def test_what_is_not_finite_does_no_harm():
    frame = np.array([[np.nan, np.inf, 1.0, *[0.0] * 9]], np.float32)
    assert content(stream((12,)).parts(np.array([0]), frame))[0][1].shape == (1, 12)
    assert content(stream(()).parts(np.array([0]), np.array([np.nan], np.float32)))[0][1][0, 0] == 0.0


def test_a_message_has_what_is_wanted_only():
    parts = {1: b"a" * 8, 2: b"b" * 8}
    assert message(parts, frozenset({2, 9}), 7, None).endswith(b"b" * 8)
    assert len(message(parts, frozenset({2, 9}), 7, None)) == 16 + 8
