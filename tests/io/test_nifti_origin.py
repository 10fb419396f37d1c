import tempfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nifti_files import AXIAL_LPS, nifti_images, written

from napari_mritransfer.io import Origin, load, save
from napari_mritransfer.io.nifti_header import new_header
from napari_mritransfer.io.nifti_origin import saying_simulated, says_simulated

BLOCK = new_header((4, 4, 4), AXIAL_LPS, (0.7, 0.7, 4.0))


@settings(max_examples=40)
@given(image=nifti_images(), ending=st.sampled_from([".nii", ".nii.gz"]))
def test_simulated_survives_saving_and_loading_in_any_header(image, ending):
    """Nothing else is lost: the voxels, the affine and everybody else's extensions stay."""
    with tempfile.TemporaryDirectory() as folder:
        first, second, third = (Path(folder, name + ending) for name in ("first", "second", "third"))
        nib.save(image, first)
        original = load(first)
        simulated = replace(original, origin=Origin.SIMULATED)
        save(simulated, second)
        again = load(second)
        assert again.origin is Origin.SIMULATED
        assert "The file says that its numbers are simulated." in again.notes
        np.testing.assert_array_equal(again.image, original.image)
        np.testing.assert_array_equal(again.affine, original.affine)
        others = [extension.get_content() for extension in nib.load(first).header.extensions]
        kept = [extension.get_content() for extension in nib.load(second).header.extensions]
        assert len(kept) == len(others) + 1
        assert kept[1:] == others
        voxels = np.asanyarray(nib.load(second).dataobj)
        np.testing.assert_array_equal(voxels, original.axes.to_file(original.image).reshape(voxels.shape))
        save(again, third)
        assert third.read_bytes() == second.read_bytes()


def test_a_file_that_promises_its_origin_gets_no_comment(tmp_path):
    scan = load(written(tmp_path / "plain.nii", np.ones((4, 5, 6), dtype=np.float32)))
    save(scan, tmp_path / "again.nii")
    assert not nib.load(tmp_path / "again.nii").header.extensions


def test_an_origin_that_is_no_longer_true_is_taken_back(tmp_path):
    scan = load(written(tmp_path / "plain.nii", np.ones((4, 5, 6), dtype=np.float32)))
    save(replace(scan, origin=Origin.SIMULATED), tmp_path / "simulated.nii")
    save(replace(load(tmp_path / "simulated.nii"), origin=Origin.MAGNITUDE), tmp_path / "plain_again.nii")
    assert load(tmp_path / "plain_again.nii").origin is Origin.MAGNITUDE
    assert (tmp_path / "plain_again.nii").read_bytes()[352:] == (tmp_path / "plain.nii").read_bytes()[352:]


def test_an_image_of_raw_data_does_not_come_back_as_raw(tmp_path):
    scan = load(written(tmp_path / "plain.nii", np.ones((4, 5, 6), dtype=np.float32)))
    save(replace(scan, origin=Origin.RAW), tmp_path / "image.nii")
    assert load(tmp_path / "image.nii").origin is Origin.MAGNITUDE


def test_the_comment_is_written_once_and_taken_back_whole():
    marked = saying_simulated(BLOCK, True)
    assert saying_simulated(marked, True) == marked
    assert len(marked) == len(BLOCK) + 48
    assert saying_simulated(marked, False) == BLOCK


@given(behind=st.binary(max_size=80))
def test_damaged_extensions_never_break_reading_or_writing(behind):
    block = BLOCK[:348] + b"\x01\0\0\0" + behind
    assert not says_simulated(block, "a file")
    assert says_simulated(saying_simulated(block, True), "a file")


def test_another_sentence_says_nothing():
    marked = saying_simulated(BLOCK, True)
    assert not says_simulated(marked.replace(b"simulated", b"dreamed.."), "a file")
