"""What a file announces, without its voxels: the same as reading it says, and no cut-off file passes."""

import gzip
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nifti_files import nifti_images, written

from napari_mritransfer.io import UnreadableScan, load
from napari_mritransfer.io.nifti import announced

VOXELS = np.random.default_rng(0).normal(100, 30, (12, 13, 14)).astype(np.float32)


@settings(max_examples=40)
@given(image=nifti_images(), ending=st.sampled_from([".nii", ".nii.gz"]))
def test_it_agrees_with_what_reading_finds(image, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{ending}")
        nib.save(image, path)
        header, scan = announced(path), load(path)
        in_file_order = scan.axes.to_file(scan.image[:1]).shape
        assert header.shape == (*in_file_order, len(scan.image))
        assert header.names_sides == scan.sides_known


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_cut_off_image_is_found_without_unpacking_good_ones(tmp_path, ending, monkeypatch):
    path = written(tmp_path / f"a{ending}", VOXELS)
    with monkeypatch.context() as patch:
        patch.setattr("napari_mritransfer.io.nifti.read_voxels", None)
        assert announced(path).shape == (12, 13, 14, 1)
    whole = path.read_bytes()
    for length in (len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableScan, match=r"cut off|damaged"):
            announced(path)


def test_a_file_that_goes_on_after_its_voxels_is_no_problem(tmp_path):
    plain = written(tmp_path / "a.nii", VOXELS).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(plain + b"more"))
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(plain) + gzip.compress(b"more"))
    (tmp_path / "d.nii").write_bytes(plain + b"more")
    assert {announced(tmp_path / name).shape for name in ("b.nii.gz", "c.nii.gz", "d.nii")} == {(12, 13, 14, 1)}


def test_what_cannot_be_opened_is_said_as_when_it_is_read(tmp_path):
    contents = {"empty.nii.gz": b"", "junk.nii": b"x" * 999, "short.nii.gz": b"x" * 9}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in ("gone.nii.gz", *contents):
        with pytest.raises(UnreadableScan) as announcing:
            announced(tmp_path / name)
        with pytest.raises(UnreadableScan) as reading:
            load(tmp_path / name)
        assert str(announcing.value) == str(reading.value)
