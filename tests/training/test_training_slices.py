import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.training.slices import (
    evenly_spaced,
    share_evenly,
    subject_of,
    tissue_slices,
    validation_scans,
)


def test_slices_of_air_teach_nothing():
    rng = np.random.default_rng(0)
    volume = np.abs(rng.normal(0, 5, (6, 40, 40)))
    volume[1:5, 10:30, 10:30] += 500
    volume[5, 3:5, 3:5] = 900  # a wrap-around artefact of four voxels is no head
    assert tissue_slices(volume).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("volume", [np.zeros((3, 8, 8)), np.full((3, 8, 8), np.nan)])
def test_nothing_is_found_where_there_is_nothing(volume):
    assert tissue_slices(volume).tolist() == []


@given(count=st.integers(0, 30), candidates=st.lists(st.integers(0, 200), unique=True, max_size=30).map(sorted))
def test_evenly_spaced_slices_are_different_candidates_in_order(count, candidates):
    chosen = evenly_spaced(candidates, count)
    assert len(chosen) == min(count, len(candidates))
    assert chosen == sorted(set(chosen) & set(candidates))


@given(count=st.integers(1, 20), start=st.integers(0, 50), length=st.integers(1, 100))
def test_evenly_spaced_slices_reach_over_the_whole_range(count, start, length):
    chosen = evenly_spaced(range(start, start + length), count)
    gaps = np.diff([start - 1, *chosen, start + length])
    assert gaps.max() <= 2 * np.ceil(length / len(chosen))
    assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 1 else True


@given(total=st.integers(0, 99), parts=st.integers(1, 20))
def test_slices_are_shared_fairly(total, parts):
    shares = share_evenly(total, parts)
    assert (sum(shares), len(shares)) == (total, parts)
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("study/sub-01/anat/sub-01_T2w.nii.gz", "sub-01"),
        ("study/SUB-01/anat/T2w.nii.gz", "sub-01"),
        ("samples/patient03_study2_T2W.nii.gz", "patient03"),
        ("subject_7/t2.mha", "subject_7"),
        ("sub-01/derivatives/sub-02_T1w.nii", "sub-02"),
        ("data_sub-control_T1w.nii", "sub-control"),
        ("subjects/patient_12b/t2.nii", "patient_12b"),
    ],
)
def test_a_path_tells_whose_scan_it_is(path, subject):
    assert subject_of(path) == subject


def test_unnamed_files_count_as_different_people():
    assert subject_of("a.nii") != subject_of("b.nii")
    assert subject_of("subjects/01/t2.nii") != subject_of("subjects/02/t2.nii")
    assert subject_of("./a.nii") == subject_of("a.nii")


def test_scans_of_training_subjects_do_not_judge():
    train = ["sub-01/T1w.nii", "sub-02/T1w.nii"]
    scans, warning = validation_scans(train, ["sub-01/T2w.nii", "sub-03/T2w.nii", "sub-04/T2w.nii"])
    assert scans == ["sub-03/T2w.nii", "sub-04/T2w.nii"]
    assert warning == "1 validation scan(s) of training subjects were left out."
    assert validation_scans(train, ["sub-03/T2w.nii"]) == (["sub-03/T2w.nii"], "")


def test_one_subject_alone_judges_itself_with_a_warning():
    scans, warning = validation_scans(["sub-01/a.nii"], ["sub-01/b.nii"])
    assert scans == ["sub-01/b.nii"]
    assert "same subject" in warning


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_there_is_always_somebody_to_judge_and_an_outsider_if_possible(train, validation):
    scans, warning = validation_scans([f"sub-{i}/a.nii" for i in train], [f"sub-{i}/b.nii" for i in validation])
    assert scans
    outsiders = set(validation) - set(train)
    if outsiders:
        assert {subject_of(scan) for scan in scans} == {f"sub-{i}" for i in outsiders}
    else:
        assert warning
