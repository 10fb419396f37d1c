import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from heads import write_head
from small_jobs import small_config, write_air

from napari_mritransfer.io import load, save
from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.training.config import BadConfig, Loss
from napari_mritransfer.training.data import load_target


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def same(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("kspace", "mask", "target"))


def slices_of(path):
    return torch.from_numpy(np.ascontiguousarray(load(path).image[0]))


def index_in(path, images):
    """Which slices of a file these images are."""
    volume = slices_of(path)
    return [int((volume - image.abs()).abs().flatten(1).amax(1).argmin()) for image in images]


def test_draws_depend_on_seed_and_step_alone(folder):
    config = small_config(folder)
    data, again = load_target(config), load_target(config)
    data.draw(config, 0)
    assert same(data.draw(config, 7), again.draw(config, 7))
    assert not same(data.draw(config, 7), data.draw(config, 8))
    assert not same(data.draw(config, 7), data.draw(replace(config, seed=1), 7))
    state = torch.get_rng_state()
    data.draw(config, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_measured_matrix_is_that_of_the_whole_scan(folder, monkeypatch):
    """A single slice shows the edge of the measured k-space poorly."""
    seen = []

    def support(image):
        seen.append(image.shape[1])
        return 40, 30

    monkeypatch.setattr("napari_mritransfer.training.target.support_of", support)
    config = small_config(folder, slices=1, validation_slices=1)
    data = load_target(config)
    assert seen == [len(slices_of(path)) for path in (*config.train, *config.validation)]
    assert all(scan.clean.shape[-2:] in ((40, 30), (30, 40)) for scan in data.training)
    assert all(measurement.kspace.shape[-2:] == (40, 30) for measurement in data.validation)


@pytest.mark.parametrize(
    "changes", [{}, {"smooth_phase": True}, {"pattern": SamplingPattern(MaskKind.RADIAL, 0.35, 0.1)}], ids=str
)
def test_devices_share_the_batch_that_one_device_would_draw(folder, changes):
    config = small_config(folder, batch=5, **changes)
    data = load_target(config)
    whole = data.draw(config, 4)
    parts = [data.draw(config, 4, part) for part in (slice(0, 3), slice(3, 5))]
    for name in ("kspace", "mask", "target"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))


@pytest.mark.parametrize("kind", [MaskKind.RANDOM, MaskKind.GAUSSIAN, MaskKind.EQUISPACED])
def test_every_example_has_fresh_lines_of_the_asked_kind(folder, kind):
    config = small_config(folder, batch=8, pattern=SamplingPattern(kind, 0.35, 0.1))
    data = load_target(config)
    masks = torch.cat([data.draw(config, step).mask for step in range(4)])[:, 0].numpy()
    different = {mask.tobytes() for mask in masks}
    assert len(different) > (10 if kind is not MaskKind.EQUISPACED else 1)
    lines = masks.shape[1]
    middle, acs = lines // 2, round(0.1 * lines)
    assert masks[:, middle - acs // 2 : middle - acs // 2 + acs].all()
    assert masks.mean() == pytest.approx(0.35, abs=0.05)


@pytest.mark.parametrize(("phase_encode", "rows", "lines"), [("y", 40, 48), ("x", 48, 40)])
def test_examples_are_strips_in_hybrid_space_of_about_one(folder, phase_encode, rows, lines):
    config = small_config(folder, phase_encode=phase_encode, crop_to_support=False, strip_rows=16)
    data = load_target(config)
    examples = data.draw(config, 0)
    assert examples.kspace.shape == examples.target.shape == (2, 16, lines)
    assert data.draw(replace(config, strip_rows=0), 0).target.shape == (2, rows, lines)
    assert data.draw(replace(config, strip_rows=999), 0).target.shape == (2, rows, lines)
    # without noise, k-space is the target's own, where it was measured
    measured = torch.where(examples.mask, fourier(examples.target, (-1,)), 0)
    torch.testing.assert_close(examples.kspace, measured, atol=1e-4, rtol=1e-4)
    assert 0.2 < float(examples.target.abs().max()) < 5


@pytest.mark.parametrize("kind", [kind for kind in MaskKind if kind.is_plane])
def test_masks_over_the_plane_take_whole_slices_as_they_are_shown(folder, kind):
    """In k-space along both axes, in the orientation they are reconstructed in, whatever the phase encoding."""
    config = small_config(folder, pattern=SamplingPattern(kind, 0.35, 0.1), phase_encode="y", batch=8)
    data = load_target(config)
    examples = data.draw(config, 0)
    assert examples.axes == (-2, -1)
    assert examples.kspace.shape == examples.mask.shape == examples.target.shape
    assert examples.target.shape[1:] == data.validation[0].kspace.shape[-2:]
    assert len({mask.numpy().tobytes() for mask in examples.mask}) > 5
    assert float(examples.mask.float().mean()) == pytest.approx(0.35, abs=0.02)
    measured = torch.where(examples.mask, fourier(examples.target), 0)
    torch.testing.assert_close(examples.kspace, measured, atol=1e-4, rtol=1e-4)


def test_every_example_has_a_phase_of_its_own_and_the_same_magnitude(folder):
    plain, phased = small_config(folder, strip_rows=0), small_config(folder, strip_rows=0, smooth_phase=True)
    without, with_phase = load_target(plain), load_target(phased)
    example = with_phase.draw(phased, 0).target
    phase = (example[:, 1:-1, 1:-1] * without.draw(plain, 0).target[:, 1:-1, 1:-1].conj()).angle()
    assert float(phase.std()) > 0.2
    assert float((phase[0] - phase[1]).abs().mean()) > 0.1
    assert not with_phase.validation[0].is_real
    assert without.validation[0].is_real
    judged, before = with_phase.validation[0].reference.abs(), without.validation[0].reference.abs()
    assert float((judged - before).norm() / before.norm()) < 0.05  # cut to the measured matrix after the phase


def test_a_phase_is_not_simulated_on_a_scan_that_has_one(folder, tmp_path):
    scan = load(small_config(folder).train[0])
    path = str(tmp_path / "complex.nii")
    save(scan.with_image(scan.image.astype(np.complex64)), path)
    with pytest.raises(BadConfig, match=r"has a phase of its own; leave the simulated smooth phase out\.$"):
        load_target(small_config(folder, train=(path,), smooth_phase=True))


def test_strips_begin_everywhere(folder):
    config = small_config(folder, batch=16, crop_to_support=False, slices=1)
    data = load_target(config)
    image = data.training[0].clean[0].abs()
    starts = set()
    for step in range(8):
        for strip in data.draw(config, step).target.abs():
            for turned in (strip, strip.flip(0), strip.flip(1), strip.flip((0, 1))):
                windows = image.unfold(0, 16, 1).transpose(1, 2).flatten(1)
                ratio = torch.cosine_similarity(windows, turned.flatten()[None])
                starts |= {int(ratio.argmax())} if ratio.max() > 0.99999 else set()
    assert min(starts) <= 3
    assert max(starts) >= image.shape[0] - 16 - 3


def test_noise_is_in_what_is_measured_and_not_in_what_is_wanted(folder):
    quiet, noisy = small_config(folder), small_config(folder, snr_db=10)
    clean, dirty = load_target(quiet), load_target(noisy)
    assert torch.equal(clean.training[0].clean, dirty.training[0].clean)
    added = dirty.training[0].noisy - dirty.training[0].clean
    sigma = torch.view_as_real(added).std()
    tissue = clean.training[0].clean.abs()
    expected = float(tissue[tissue > 0.1 * tissue.max()].mean()) / 10**0.5
    assert float(sigma) == pytest.approx(expected, rel=0.15)
    assert torch.equal(clean.validation[0].reference, dirty.validation[0].reference)
    assert dirty.validation[0].noise_sigma > 0


def test_training_slices_of_the_same_scan_do_not_judge(folder):
    config = small_config(folder, validation_slices=99)
    train = config.train[0]
    relative = os.path.relpath(train)  # the same file by another name
    for validation in (train, relative):
        data = load_target(replace(config, validation=(validation,)))
        judges = index_in(train, data.validation[0].reference[0])
        assert len(set(judges)) == 5
        taught = index_in(train, data.training[0].clean.transpose(-2, -1))
        assert len(set(taught)) == 3
        assert not set(taught) & set(judges)
        assert "same subject" in data.warnings[-1]


def test_a_scan_given_twice_for_training_still_does_not_judge_with_its_slices(folder):
    train = small_config(folder).train[0]
    config = small_config(folder, train=(train, os.path.relpath(train)), slices=5, validation=(train,))
    data = load_target(config)
    taught = {i for scan in data.training for i in index_in(train, scan.clean.transpose(-2, -1))}
    assert not taught & set(index_in(train, data.validation[0].reference[0]))


def test_slices_are_shared_between_scans_and_may_be_named(folder):
    config = small_config(folder)
    pair = (config.train[0], str(write_head(folder / "sub-03" / "t2.nii", seed=3)))
    shared = load_target(replace(config, train=pair, slices=5))
    assert [len(scan.clean) for scan in shared.training] == [3, 2]
    named = load_target(replace(config, slices=(6, 1)))
    assert index_in(config.train[0], named.training[0].clean.transpose(-2, -1)) == [6, 1]
    with pytest.raises(BadConfig, match="has slices 0 to 7, so there is no slice 8 to train on"):
        load_target(replace(config, slices=(1, 8)))


def test_too_few_slices_are_told(folder):
    data = load_target(small_config(folder, slices=20, phase_encode="y"))
    assert data.warnings == (f"{small_config(folder).train[0]} has only 8 slices with tissue to train on.",)


def test_nothing_to_learn_from_or_to_judge_on_is_refused(folder, tmp_path):
    config = small_config(folder)
    air = write_air(tmp_path / "air.nii")
    with pytest.raises(BadConfig, match="No training slice shows any tissue"):
        load_target(replace(config, train=(air,)))
    with pytest.raises(BadConfig, match="No slice is left to validate on"):
        load_target(replace(config, validation=(air,)))
    with pytest.raises(BadConfig, match="No slice is left to validate on"):
        load_target(replace(config, validation=config.train, slices=8))


def test_an_unused_training_scan_does_not_forbid_its_subject_to_judge(folder):
    config = small_config(folder, phase_encode="y")
    data = load_target(replace(config, train=(*config.train, *config.validation), slices=1))
    assert data.warnings == ()


def test_an_assumed_phase_encode_axis_is_said_once(folder):
    assert load_target(small_config(folder)).warnings == (
        "The file does not name its phase-encode axis, so y was assumed.",
    )


def test_sampling_that_does_not_fit_is_refused_before_the_first_step(folder):
    with pytest.raises(BadConfig, match="exceeds the sampling rate"):
        load_target(small_config(folder, pattern=SamplingPattern(rate=0.1, acs=0.3)))
    with pytest.raises(BadConfig, match="sampling rate is 0"):
        load_target(small_config(folder, pattern=SamplingPattern(rate=0.0, acs=0.0)))


def test_slices_too_small_for_ssim_are_refused(folder, tmp_path):
    path = str(write_head(tmp_path / "small.nii", size=(6, 48)))
    with pytest.raises(BadConfig, match="SSIM needs at least 7x7"):
        load_target(small_config(folder, train=(path,), loss=Loss.L1_SSIM))


def test_giving_up_between_scans(folder):
    calls = []
    load_target(small_config(folder), lambda: calls.append(1))
    assert len(calls) == 2
