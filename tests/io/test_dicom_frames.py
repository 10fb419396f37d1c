"""Images at one position become frames: by what tells them apart, never by the names of their files."""

import numpy as np
import pytest
from dicom_files import SERIES, SLICES, classic, place, slice_pixels, written

from napari_mritransfer.io import UnreadableScan, load

RNG = np.random.default_rng(3)


def write_frames(folder, tags_of_frames, *, skip=(), shuffle=True):
    """Every frame's values are a multiple of the first's; numbers and names of the files say nothing."""
    folder.mkdir()
    jobs = [(frame, index) for frame in range(len(tags_of_frames)) for index in range(SLICES)]
    jobs = [job for job in jobs if job not in skip]
    for number in RNG.permutation(len(jobs)) if shuffle else range(len(jobs)):
        frame, index = jobs[number]
        tags = {"InstanceNumber": int(RNG.integers(1000)), **tags_of_frames[frame]}
        data = classic(slice_pixels(index, factor=frame + 1), place(index), instance=int(number) + 1, **tags)
        written(data, folder / f"IM{int(RNG.integers(1 << 40))}")
    return folder


def factors(scan):
    """By how much each frame exceeds the first frame that was written."""
    first = np.stack([slice_pixels(index) for index in range(SLICES)]).mean()
    return [round(float(frame.mean() / first)) for frame in scan.image]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("EchoTime", [30, 10, 20], "echo times of 10, 20, 30 ms"),
        ("InversionTime", [900, 100, 500], "inversion times of 100, 500, 900 ms"),
        ("FlipAngle", [15, 3, 8], "flip angles of 3, 8, 15°"),
        ("DiffusionBValue", [1000, 0, 500], "b-values of 0, 500, 1000 s/mm²"),
        ("TemporalPositionIdentifier", [3, 1, 2], "temporal positions 1, 2, 3"),
    ],
)
def test_what_differs_tells_frames_apart(tmp_path, name, values, told):
    scan = load(write_frames(tmp_path / "head", [{name: value} for value in values]))
    assert factors(scan) == [2, 3, 1]
    assert any(told in note for note in scan.notes)


def test_echo_numbers_stand_in_for_echo_times(tmp_path):
    frames = [{"EchoTime": None, "EchoNumbers": number} for number in (2, 1)]
    assert factors(load(write_frames(tmp_path / "head", frames))) == [2, 1]


def test_echoes_count_slower_than_repetitions(tmp_path):
    frames = [{"EchoTime": echo, "TemporalPositionIdentifier": turn} for turn in (1, 2) for echo in (10, 20)]
    scan = load(write_frames(tmp_path / "head", frames))
    assert factors(scan) == [1, 3, 2, 4]


@pytest.mark.parametrize(
    ("name", "values"),
    [("TriggerTime", [500, 20, 300]), ("AcquisitionNumber", [3, 1, 2]), ("AcquisitionTime", ["120003", "1159", "1200"]),
     ("InstanceNumber", [30, 10, 20])],
)  # fmt: skip
def test_repetitions_follow_each_other_in_time(tmp_path, name, values):
    frames = [{"InstanceNumber": 1, name: value} for value in values]
    scan = load(write_frames(tmp_path / "head", frames))
    assert factors(scan) == [2, 3, 1]
    assert any("order of their times and numbers" in note for note in scan.notes)


def test_an_interrupted_series_keeps_its_complete_frames(tmp_path):
    frames = [{"TemporalPositionIdentifier": turn} for turn in (1, 2, 3)]
    scan = load(write_frames(tmp_path / "head", frames, skip=[(2, 3), (2, 4)]))
    assert factors(scan) == [1, 2]
    assert any("1 of 3 frames lack some of the 5 slices" in note for note in scan.notes)


def test_an_interrupted_series_is_told_apart_by_acquisitions(tmp_path):
    frames = [{"AcquisitionNumber": turn} for turn in (1, 2, 3)]
    assert factors(load(write_frames(tmp_path / "head", frames, skip=[(1, 0)]))) == [1, 3]


def test_a_gap_in_repetitions_that_nothing_tells_apart_is_refused(tmp_path):
    """Their order would shift at one slice, and nobody would see it."""
    frames = [{"InstanceNumber": 10 * turn} for turn in (1, 2, 3)]
    with pytest.raises(UnreadableScan, match="not the same number of images at every position"):
        load(write_frames(tmp_path / "head", frames, skip=[(1, 0)]))


def test_echoes_of_which_each_lacks_a_slice_are_refused(tmp_path):
    frames = [{"EchoTime": echo} for echo in (10, 20)]
    with pytest.raises(UnreadableScan, match="not the same number"):
        load(write_frames(tmp_path / "head", frames, skip=[(0, 1), (1, 3)]))


def test_frames_of_one_file_without_places_stay_in_its_order(tmp_path):
    pixels = np.stack([slice_pixels(index) for index in (3, 0, 2)])
    data = classic(pixels, place(0), instance=1, series=SERIES, ImagePositionPatient=None, NumberOfFrames=3)
    scan = load(written(data, tmp_path / "cine.dcm"))
    np.testing.assert_array_equal(scan.image[:, 0], pixels)
    assert not scan.sides_known
