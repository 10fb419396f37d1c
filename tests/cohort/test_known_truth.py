"""Which slices a label changes is known of simulated scans alone, and found on any grid."""

import json

import numpy as np
import pytest

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.known_truth import known_slices, sidecar_of
from napari_mritransfer.cohort.simulation import CLEAR, simulate_cohort
from napari_mritransfer.cohort.table import read_cohort

TRUTH = {
    "simulated": True, "carries": {"age": {"axial": [10, 11, 12]}}, "spacing_mm": [2, 2, 2], "shape": [91, 109, 91],
}  # fmt: skip
OTHERS = ["", "[]", '{"EchoTime": 0.003}', json.dumps(TRUTH | {"simulated": False}), json.dumps(TRUTH | {"shape": 3})]


@pytest.fixture
def image(tmp_path):
    (tmp_path / "head_T1w.json").write_text(json.dumps(TRUTH))
    return tmp_path / "head_T1w.nii.gz"


def test_the_truth_lies_beside_the_image(image):
    assert sidecar_of(image).name == "head_T1w.json"
    assert np.flatnonzero(known_slices(image, "age", "axial", Grid(2.0))).tolist() == [10, 11, 12]


def test_other_grids_have_the_slices_at_the_same_place(image):
    """Slices 10 to 12 of 2 mm lie 20 to 24 mm up: slice 7 of 3 mm at 21 mm, slice 8 at 24 mm."""
    assert np.flatnonzero(known_slices(image, "age", "axial", Grid(3.0))).tolist() == [7, 8]
    fine = np.flatnonzero(known_slices(image, "age", "axial", Grid(1.0)))
    assert {20, 21, 22, 23, 24} <= {*fine} <= {*range(19, 26)}


@pytest.mark.parametrize(("label", "slicing"), [("disease", "axial"), ("age", "sagittal")])
def test_what_is_not_told_is_not_known(image, label, slicing):
    assert known_slices(image, label, slicing, Grid()) is None


@pytest.mark.parametrize("text", OTHERS)
def test_other_sidecars_tell_nothing(image, text):
    sidecar_of(image).write_text(text)
    assert known_slices(image, "age", "axial", Grid()) is None


def test_no_sidecar_tells_nothing(tmp_path):
    assert known_slices(tmp_path / "real.nii.gz", "age", "axial", Grid()) is None


def test_simulated_cohorts_have_it(tmp_path):
    table = simulate_cohort(tmp_path / "sim", subjects=2, seed=0, spacing_mm=4.0, effects=CLEAR, heads=["patient01"])
    for scan in read_cohort(table).scans:
        for label in ("age", "disease"):
            known = known_slices(scan.path, label, "axial", Grid(4.0))
            assert 4 < known.sum() < 25, f"{scan.subject} {label}"
