"""Audio of any rate, channel count and block size becomes the same quanta; files come in by the same door."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.door import Door
from engine.audio.files import AudioFile
from engine.audio.wav import WavWriter
from engine.errors import FollowspotError

RANDOM = np.random.default_rng(0)
MUSIC = (0.2 * RANDOM.standard_normal((30_001, 2))).astype(np.float32)


def _through(door: Door, lengths: list[int]) -> np.ndarray:
    """MUSIC cut into blocks of these lengths in turn, then all the quanta in a row."""
    quanta, start, k = [], 0, 0
    while start < len(MUSIC):
        door.push(MUSIC[start : start + lengths[k % len(lengths)]])
        start += lengths[k % len(lengths)]
        k += 1
        while (block := door.pull()) is not None:
            quanta.append(block.copy())
    door.finish()
    while (block := door.pull()) is not None:
        quanta.append(block.copy())
    return np.concatenate(quanta, axis=1)


@pytest.mark.parametrize("source_rate", [8000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", ["mix", (2,), (2, 1)])
def test_the_block_split_changes_no_bit(source_rate: int, channels: str | tuple[int, ...]) -> None:
    whole = _through(Door(source_rate, 2, 44100, 256, channels), [len(MUSIC)])
    for lengths in ([256], [1, 63, 64, 65, 257], [4097]):
        assert np.array_equal(_through(Door(source_rate, 2, 44100, 256, channels), lengths), whole)
    assert whole.shape[1] % 256 == 0
    assert 0 <= whole.shape[1] - len(MUSIC) * 44100 / source_rate < 257


def test_channels_are_chosen_and_mixed() -> None:
    swapped = _through(Door(44100, 2, 44100, 256, (2, 1)), [500])
    assert np.array_equal(swapped[:, : len(MUSIC)], MUSIC[:, ::-1].T)
    mixed = _through(Door(44100, 2, 44100, 256), [500])
    assert np.allclose(mixed[0, : len(MUSIC)], MUSIC.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("even", [True, False])
def test_resampled_music_keeps_its_time_and_its_quality(even: bool) -> None:
    frames = 48000
    sine = np.sin(2 * np.pi * 1000 * np.arange(frames) / 48000).astype(np.float32)[:, None]
    door = Door(48000, 1, 44100, 256, even=even)
    door.push(sine)
    door.finish()
    out = door._fifo[0, 2000:40000].astype(float)
    time = np.arange(2000, 40000) / 44100
    basis = np.stack([np.sin(2 * np.pi * 1000 * time), np.cos(2 * np.pi * 1000 * time)], 1)
    fit, *_ = np.linalg.lstsq(basis, out, rcond=None)
    noise = out - basis @ fit
    assert 10 * np.log10(np.mean(out**2) / np.mean(noise**2)) > 110
    assert abs(np.arctan2(fit[1], fit[0]) / (2 * np.pi * 1000)) < 0.1e-3


def test_the_resampler_lags_by_no_more_than_six_milliseconds() -> None:
    door = Door(48000, 1, 44100, 64)
    given, lags = 0, []
    for k in range(1, 401):
        door.push(MUSIC[:64, :1])
        while door.pull() is not None:
            given += 64
        lags.append(k * 64 / 48000 - (given + door.waiting) / 44100)
    assert max(lags[50:]) < 0.006


def test_restart_leaves_out_the_first_samples() -> None:
    door = Door(44100, 2, 44100, 256, (1,))
    door.push(MUSIC[:300])
    door.restart(skip=100)
    door.push(MUSIC)
    block = door.pull()
    assert block is not None
    assert np.array_equal(block[0], MUSIC[100:356, 0])


def test_a_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(FollowspotError, match="channel 3 was asked for, but there are 2"):
        Door(44100, 2, 44100, 256, (1, 3))


def _read(path: Path, **choice: object) -> np.ndarray:
    file = AudioFile(path, 44100, 256, **choice)  # type: ignore[arg-type]
    return np.concatenate([block.copy() for block in file.blocks()], axis=1)


def test_a_file_gives_what_the_door_gives_for_its_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", MUSIC, 48000, subtype="FLOAT")
    assert np.array_equal(_read(tmp_path / "a.wav"), _through(Door(48000, 2, 44100, 256), [333]))


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_every_common_format_is_read(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, MUSIC, 44100)
    file = AudioFile(tmp_path / name, 44100, 256)
    assert sum(block.shape[1] for block in file.blocks()) >= len(MUSIC)


def test_bad_files_give_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound " * 100)
    soundfile.write(tmp_path / "nothing.wav", MUSIC[:0], 44100)
    for name, fault in {
        "none.wav": "no such file",
        "empty.wav": "empty",
        "text.wav": "cannot be read as sound",
        "nothing.wav": "holds no sound",
        ".": "is a folder",
    }.items():
        with pytest.raises(FollowspotError, match=fault) as raised:
            AudioFile(tmp_path / name, 44100, 256)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["cut.wav", "cut.flac"])
def test_a_file_that_breaks_off_loses_nothing_before(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, MUSIC, 44100)
    whole = _read(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    quanta = []
    with pytest.raises(FollowspotError, match="breaks off at"):
        for block in AudioFile(tmp_path / name, 44100, 256).blocks():
            quanta.append(block.copy())
    got = np.concatenate(quanta, axis=1)
    assert got.shape[1] > 0.5 * whole.shape[1]
    assert np.array_equal(got[:, :-256], whole[:, : got.shape[1] - 256])


def test_a_wav_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "live.wav", 44100, 2)
    writer.write(MUSIC[:1000].T)
    writer.flush()
    writer.write(MUSIC[1000:2000].T)
    now, rate = soundfile.read(tmp_path / "live.wav", dtype="float32")
    assert (len(now) >= 1000, rate) == (True, 44100)
    assert np.array_equal(now[:1000], MUSIC[:1000])
    writer.close()
    assert np.array_equal(soundfile.read(tmp_path / "live.wav", dtype="float32")[0], MUSIC[:2000])
    assert soundfile.info(tmp_path / "live.wav").subtype == "FLOAT"


def test_a_wav_beyond_four_gigabytes_is_rf64(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    writer = WavWriter(path, 44100, 1)
    frames = (1 << 30) + 5
    writer._file.seek(frames * 4, 1)  # a hole in place of the first gigasamples
    writer.samples = frames
    writer.write(MUSIC[:100, :1].T)
    writer.close()
    with soundfile.SoundFile(path) as file:
        assert file.frames == frames + 100
        file.seek(frames)
        assert np.array_equal(file.read(100, "float32"), MUSIC[:100, 0])
