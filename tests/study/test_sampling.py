"""A sampling is a value that can be written down; what it says of a scan is said before the numbers."""

import json
import subprocess
import sys
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch
from heads import write_head
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer import load
from napari_mritransfer.physics.masks import NEEDS_3D, MaskKind, SamplingMask, SamplingPattern
from napari_mritransfer.physics.undersampling import undersample, zero_filled
from napari_mritransfer.study.methods import Method
from napari_mritransfer.study.sampling import AS_MEASURED, Sampling, doubts, remarks
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.zoo.card import model_card


@pytest.fixture(scope="module")
def undersampled(tmp_path_factory):
    """A complex NIfTI file of 44 rows, measured on random lines along y."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:44j, -1:1:40j]
    image = 100 * ((y / 0.8) ** 2 + (x / 0.7) ** 2 < 1) * np.exp(1j * y) + rng.normal(size=(1, 3, 44, 40))
    made = undersample(torch.from_numpy(image), SamplingPattern(rate=0.4, acs=0.1), crop_to_support=False)
    path = tmp_path_factory.mktemp("scans") / "undersampled.nii.gz"
    voxels = np.transpose(zero_filled(made).numpy()[0], (2, 1, 0))
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 4.0, 1.0])), path)
    return path


@given(
    kind=st.sampled_from(MaskKind),
    rate=st.floats(0.01, 1),
    seed=st.integers(0, 2**63 - 1),
    phase_encode=st.sampled_from(["y", "x", None]),
    snr_db=st.none() | st.floats(-20, 80),
    as_measured=st.booleans(),
    smooth_phase=st.booleans(),
)
def test_a_record_is_json_and_reads_back(kind, rate, seed, phase_encode, snr_db, as_measured, smooth_phase):
    sampling = Sampling(
        SamplingPattern(kind, rate, 0.1, seed, 3), phase_encode=phase_encode, crop_to_support=False, snr_db=snr_db,
        noise_seed=seed, as_measured=as_measured, smooth_phase=smooth_phase,
    )  # fmt: skip
    assert Sampling.from_record(json.loads(json.dumps(sampling.as_record()))) == sampling


def test_what_is_left_out_takes_its_default():
    assert Sampling.from_record({}) == Sampling()
    assert Sampling.from_record({"rate": 0.4}) == Sampling(SamplingPattern(rate=0.4))
    assert isinstance(Sampling.from_record({"kind": "centre"}).pattern.kind, MaskKind)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, "not a dictionary"),
        ([], "not a dictionary"),
        ({"rates": 0.3}, "no setting called 'rates'"),
        ({"kind": "spiral"}, "one of: random"),
        ({"kind": ["random"]}, "one of: random"),
        ({"rate": "0.3"}, "'rate' of the sampling is '0.3'; give a number"),
        ({"rate": True}, "give a number"),
        ({"acs": float("nan")}, "give a number"),
        ({"seed": -1}, "whole number"),
        ({"seed": 2**63}, "whole number"),
        ({"noise_seed": 1.5}, "whole number"),
        ({"phase_encode": "z"}, "y, x or nothing"),
        ({"snr_db": float("inf")}, "decibels"),
        ({"as_measured": 1}, "true or false"),
        ({"crop_to_support": None}, "true or false"),
    ],
)
def test_nonsense_is_said_in_one_sentence(record, said):
    with pytest.raises(BadConfig, match=said):
        Sampling.from_record(record)


def test_describing_a_sampling_loads_no_torch():
    code = (
        "import sys; from napari_mritransfer.study import methods, sampling; sampling.Sampling().as_record(); "
        "print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_a_scan_is_taken_as_it_was_measured(undersampled):
    scan = load(undersampled)
    sampling = Sampling(as_measured=True, phase_encode="y")
    measurement = sampling.measure(scan)
    assert measurement.reference is None
    assert measurement.mask.achieved_rate == pytest.approx(0.4, abs=1 / 44)
    assert remarks(scan, sampling, measurement) == [AS_MEASURED]
    assert any("y was assumed" in remark for remark in remarks(scan, Sampling(as_measured=True), measurement))


def test_a_simulated_phase_is_told_and_refused_where_there_is_one(undersampled, tmp_path):
    path = tmp_path / "head.nii"
    write_head(path)
    scan, sampling = load(path), Sampling(smooth_phase=True, noise_seed=3, phase_encode="y")
    measurement = sampling.measure(scan)
    assert not measurement.is_real
    assert measurement.support == Sampling(phase_encode="y").measure(scan).support
    assert any("phase is simulated too" in remark for remark in remarks(scan, sampling, measurement))
    coils = replace(sampling, simulated_coils=4).measure(scan)
    assert coils.kspace.shape[-2:] == measurement.kspace.shape[-2:]
    with pytest.raises(BadConfig, match="has a phase of its own"):
        Sampling(smooth_phase=True).measure(load(undersampled))
    with pytest.raises(BadConfig, match="on magnitude images only"):
        Sampling(smooth_phase=True, as_measured=True).measure(scan)


def test_a_mask_over_the_plane_is_told_with_what_it_needs_and_who_was_trained_for_lines(tmp_path):
    path = tmp_path / "head.nii"
    write_head(path)
    scan, sampling = load(path), Sampling(SamplingPattern(MaskKind.POISSON_DISC))
    measurement = sampling.measure(scan)
    told = remarks(scan, sampling, measurement)
    assert NEEDS_3D in told
    assert not any("assumed" in remark for remark in told)  # there is no axis to assume
    (warning,) = model_card("multiscale-t1").outside_of_training(measurement.mask)
    assert warning.startswith("multiscale-t1 was trained on whole lines, not on samples scattered over the plane")


def test_what_cannot_be_taken_as_measured_is_bad_input(undersampled, tmp_path):
    scan = load(undersampled)
    with pytest.raises(BadConfig, match="other phase-encode axis"):
        Sampling(as_measured=True, phase_encode="x").measure(scan)
    with pytest.raises(BadConfig, match="simulated measurements only"):
        Sampling(as_measured=True, phase_encode="y", snr_db=20).measure(scan)
    with pytest.raises(BadConfig, match="lost its k-space"):
        Sampling(as_measured=True).measure(scan.with_image(np.abs(scan.image)))


@pytest.mark.parametrize(
    ("trained", "measured", "said"),
    [(False, False, ""), (True, True, ""), (True, False, "this one has none"), (False, True, "this scan has one")],
)
def test_a_phase_that_only_one_side_has_is_doubted(trained, measured, said, tmp_path):
    path = tmp_path / "head.nii"
    write_head(path)
    sampling = Sampling(smooth_phase=measured)
    config = FinetuneConfig(
        model="m", train=("patient01.nii",), validation=("patient02.nii",), smooth_phase=trained
    )
    methods = [Method("lft", ("run",), config, was_trained=True)]
    found = doubts(methods, "patient03.nii", sampling.measure(load(path)), smooth_phase=measured)
    assert len(found) == bool(said)
    assert all(said in sentence for sentence in found)


def test_lines_that_were_found_raise_no_false_doubts(undersampled):
    """Their kind is unknown, so nobody can say that a run was trained for another; how many there are is known."""
    measurement = Sampling(as_measured=True, phase_encode="y").measure(load(undersampled))

    def doubted(rate):
        config = FinetuneConfig(
            model="m", train=("patient01.nii",), validation=("patient02.nii",),
            pattern=SamplingPattern(MaskKind.GAUSSIAN, rate),
        )  # fmt: skip
        return doubts([Method("lft", ("run",), config, was_trained=True)], "patient03.nii", measurement)

    assert doubted(0.4) == []
    assert doubted(0.25) == ["lft was trained for 25% of the lines."]


def test_a_card_judges_found_lines_by_what_they_show():
    card = model_card("multiscale-contrast")  # ACS 4 % to 10 %
    lines = np.zeros(200, bool)
    lines[85:115] = lines[::8] = True  # the ACS and its neighbours make 15 % around DC
    assert card.outside_of_training(SamplingMask(lines, None)) == []
    lines[100] = False
    assert card.outside_of_training(SamplingMask(lines, None)) == [
        "multiscale-contrast was trained with 4% to 10% of the lines in the ACS, not with 0.0%."
    ]
    block = np.zeros(200, bool)
    block[80:120] = True
    random_only = replace(card, mask_kinds=("random",))
    assert random_only.outside_of_training(SamplingMask(block, None)) == [
        "multiscale-contrast was not trained on centre masks."
    ]
    block[::50] = True
    assert random_only.outside_of_training(SamplingMask(block, None)) == []
