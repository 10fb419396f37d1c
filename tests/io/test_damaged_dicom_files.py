"""DICOM files that are broken, cut off or malicious: one sentence each, little memory, no crash."""

import re
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from dicom_files import classic, place, slice_pixels, small_files, write_series, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless
from test_damaged_kspace_files import ADVICE

from napari_mritransfer.io import UnreadableScan, load

NAMES = ("classic.dcm", "implicit.dcm", "deflated.dcm", "rle.dcm", "enhanced.dcm")


def refusal(path, peak_bytes=8 << 20):
    """The message: one sentence with advice, and little memory on the way to it."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableScan) as caught:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert peak < peak_bytes
    assert Path(path).name in message
    assert message.endswith(".")
    assert not re.search(r"[!?]\s|\.\s", message), "more than one sentence"
    assert ADVICE.search(message), message
    return message


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory):
    """So that pydicom's own import is not counted as memory that a file takes."""
    load(written(classic(slice_pixels(0), place(0), instance=1), tmp_path_factory.mktemp("first") / "head.dcm"))


def test_missing_empty_and_other_content(tmp_path):
    path = tmp_path / "head.dcm"
    assert "does not exist" in refusal(path)
    path.touch()
    assert "0 bytes" in refusal(path)
    path.write_bytes(b"what is this" * 50)
    assert "no DICOM file" in refusal(path)
    path.write_bytes(b"\x08\x00what is this" * 50)
    refusal(path)


def test_pixels_that_are_cut_off_are_noticed_before_they_are_read(tmp_path):
    paths = write_series(tmp_path / "head")
    paths[2].write_bytes(paths[2].read_bytes()[:-60])
    assert "damaged DICOM file or was cut off" in refusal(paths[2])
    with pytest.raises(UnreadableScan, match=paths[2].name):
        load(tmp_path / "head")


@pytest.mark.parametrize("syntax", [None, RLELossless, DeflatedExplicitVRLittleEndian])
def test_sizes_beyond_what_the_file_can_hold_allocate_nothing(tmp_path, syntax):
    data = classic(slice_pixels(0), place(0), instance=1)
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    elif syntax is not None:
        data.file_meta.TransferSyntaxUID = syntax
    data.Rows = data.Columns = 65535
    assert "too small" in refusal(written(data, tmp_path / "head.dcm"))


def test_more_images_than_are_described(tmp_path):
    data = classic(slice_pixels(0), place(0), instance=1)
    data.NumberOfFrames = 2_000_000_000
    assert "2,000,000,000 images" in refusal(written(data, tmp_path / "head.dcm"))
    data.NumberOfFrames = 3
    data.PerFrameFunctionalGroupsSequence = [Dataset()]
    assert "announces 3 images and describes 1" in refusal(written(data, tmp_path / "head.dcm"))


def test_a_deflated_bomb_is_not_unpacked(tmp_path):
    """1.1 GiB of zeros in 1.1 MB, made of one piece that stands on its own."""
    path = written(as_deflated(classic(slice_pixels(0), place(0), instance=1)), tmp_path / "head.dcm")
    start = 128 + 4 + 12 + int(read_file_meta_info(path).FileMetaInformationGroupLength)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    piece = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(path.read_bytes()[:start] + piece * 70 + packer.flush())
    assert "unpacks to more than 1 GiB" in refusal(path, peak_bytes=16 << 20)


def as_deflated(data):
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return data


def test_numbers_that_are_none(tmp_path):
    for tags in ({"RescaleSlope": "1e308", "RescaleIntercept": "1e308"},):
        assert "NaN, infinite" in refusal(
            written(classic(slice_pixels(0), place(0), instance=1, **tags), tmp_path / "head.dcm")
        )


def test_deep_nesting_neither_hangs_nor_crashes(tmp_path):
    """Sequences in sequences, thousands deep and none of them ended, before the pixels."""
    path = written(classic(slice_pixels(0), place(0), instance=1), tmp_path / "head.dcm")
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00")
    level = b"\x00\x52\x29\x92SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path.write_bytes(content[:at] + level * 5000 + content[at:])
    refusal(path, peak_bytes=64 << 20)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    return {name: (folder / name).read_bytes() for name in small_files(folder)}


def looked_at(folder, name, content):
    path = Path(folder, name)
    path.write_bytes(content)
    return np.asarray(load(path).image)


@settings(max_examples=100)
@given(name=st.sampled_from(NAMES), kept=st.floats(0, 1, exclude_max=True))
def test_every_cut_is_told_or_harmless(sound, name, kept):
    with tempfile.TemporaryDirectory() as folder:
        try:
            looked_at(folder, name, sound[name][: int(kept * len(sound[name]))])
        except UnreadableScan:
            return
        assert kept > 0.98  # padding


@settings(max_examples=400)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_damage_anywhere_is_told_or_harmless(sound, name, data):
    content = bytearray(sound[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content), 1200)) | st.integers(0, len(content)))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        if data.draw(st.booleans()):
            content[at : at + len(patch)] = patch
        elif data.draw(st.booleans()):
            content[at:at] = patch
        else:
            del content[at : at + len(patch)]
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        try:
            assert np.isfinite(looked_at(folder, name, content)).all()
        except UnreadableScan:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 64 << 20
