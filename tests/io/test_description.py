import json

import nibabel as nib
import numpy as np
from nifti_files import AXIAL_LPS, written

from napari_mritransfer.io import Scan, describe, load


def test_the_facts_of_an_axial_stack(tmp_path):
    voxels = np.zeros((10, 20, 5), dtype=np.uint8)
    voxels[:, :10] = 200
    facts = describe(load(written(tmp_path / "head.nii.gz", voxels)))
    json.dumps(facts, allow_nan=False)
    assert facts["format"] == "NIfTI-1, gzip-compressed"
    assert facts["shape"] == {"frame": 1, "slice": 5, "y": 20, "x": 10}
    assert facts["spacing_mm"] == {"slice": 4.0, "y": 0.7, "x": 0.7}
    assert facts["field_of_view_mm"] == {"slice": 20.0, "y": 14.0, "x": 7.0}
    assert facts["file_order"] == {"axes": ["x", "y", "slice"], "codes": "LPS"}
    assert facts["directions"] == {"slice": "S", "y": "P", "x": "L"}
    assert (facts["orientation"], facts["origin"], facts["stored_type"]) == ("axial", "magnitude", "uint8")
    assert (facts["range"], facts["zero_share"]) == ([0.0, 200.0], 0.5)
    assert any("8 bits" in note for note in facts["notes"])
    assert any("is simulated" in note for note in facts["notes"])


def test_complex_images_are_coil_combined_and_ranged_by_magnitude(tmp_path):
    scan = load(written(tmp_path / "head.nii", np.full((4, 4, 4), 3 + 4j, dtype=np.complex64)))
    facts = describe(scan)
    assert (facts["origin"], facts["range"], facts["type"]) == ("coil-combined", [5.0, 5.0], "complex64")
    assert not any("simulated" in note for note in facts["notes"])


def test_nifti2_and_scans_from_memory_are_named_as_such(tmp_path):
    nib.save(nib.Nifti2Image(np.ones((4, 4, 4), dtype=np.float32), AXIAL_LPS), tmp_path / "head.nii")
    assert describe(load(tmp_path / "head.nii"))["format"] == "NIfTI-2"
    facts = describe(Scan.from_file_order(np.ones((4, 4, 4)), np.eye(4), name="phantom"))
    assert (facts["file"], facts["format"], facts["stored_type"]) == ("phantom", None, None)
    json.dumps(facts, allow_nan=False)
