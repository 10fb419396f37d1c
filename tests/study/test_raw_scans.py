"""Raw multi-coil scans go the same way as images: measured, reconstructed, compared, learned from."""

import json

import numpy as np
import pytest
import torch
from boards import call
from heads import write_raw_head, write_tiny_base

from napari_mritransfer import load
from napari_mritransfer.io import Origin, Scan, save
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.coils import root_sum_of_squares
from napari_mritransfer.physics.fourier import inverse_fourier
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.undersampling import as_shown, zero_filled
from napari_mritransfer.recon.network import Unsuitable, reconstruct
from napari_mritransfer.study.comparison import compare
from napari_mritransfer.study.methods import resolve_methods
from napari_mritransfer.study.sampling import Sampling, remarks
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.loop import finetune
from napari_mritransfer.zoo.card import UnknownModel
from napari_mritransfer.zoo.download import NotFetched

PATTERN = SamplingPattern(rate=0.5, acs=0.25)


@pytest.fixture(scope="module")
def raw_head(tmp_path_factory):
    return str(write_raw_head(tmp_path_factory.mktemp("raw") / "head.h5", lines=40))


@pytest.fixture(scope="module")
def scattered(tmp_path_factory, raw_head):
    """The same head, its samples scattered over the plane, as 3-D acquisitions are undersampled."""
    scan = load(raw_head)
    kspace = scan.kspace.array()[:, :2].copy()
    sampled = np.random.default_rng(0).random(kspace.shape[-2:]) < 0.4
    sampled[14:26, 18:30] = True
    kspace[..., ~sampled] = 0
    path = tmp_path_factory.mktemp("scattered") / "scattered.cfl"
    save(Scan.from_kspace(KSpace.from_array(kspace), name="scattered"), path)
    return str(path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(write_tiny_base(tmp_path_factory.mktemp("models") / "tiny.safetensors"))


def test_the_rate_counts_the_lines_that_the_scanner_measured(raw_head):
    scan = load(raw_head)
    measurement = Sampling(PATTERN).measure(scan)
    assert len(measurement.mask.lines) == 40
    assert measurement.mask.lines.sum() == 20
    assert measurement.phase_encode == "x"
    assert measurement.kspace.shape == (1, 6, 4, 40, 40)
    assert remarks(scan, Sampling(PATTERN), measurement)[0].startswith("Raw k-space was undersampled afterwards")


def test_virtual_coils_keep_the_picture(raw_head):
    scan = load(raw_head)
    all_coils, fewer = Sampling(PATTERN).measure(scan), Sampling(PATTERN, virtual_coils=3).measure(scan)
    assert fewer.kspace.shape[2] == 3
    difference = (fewer.reference.abs() - all_coils.reference.abs()).norm() / all_coils.reference.norm()
    assert difference < 0.1


def test_coils_combined_first_are_the_single_coil_problem(raw_head):
    measurement = Sampling(PATTERN, combine_coils=True).measure(load(raw_head))
    assert measurement.kspace.ndim == 4
    assert measurement.maps is None


def test_an_image_is_seen_through_simulated_coils_and_says_so(head):
    scan, sampling = load(head), Sampling(PATTERN, simulated_coils=4)
    measurement = sampling.measure(scan)
    assert measurement.kspace.shape[2] == 4
    told = " ".join(remarks(scan, sampling, measurement))
    assert "simulated from a magnitude image" in told
    assert "sensitivities of the 4 coils are simulated" in told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"simulated_coils": 4}, "holds k-space already"),
        ({"as_measured": True, "crop_to_support": True}, "Every sample"),
        ({"phase_encode": "z"}, "y or x"),
    ],
)
def test_what_does_not_fit_raw_data_is_told(raw_head, settings, said):
    with pytest.raises(BadConfig, match=said):
        Sampling(PATTERN, **settings).measure(load(raw_head))


@pytest.mark.parametrize("settings", [{"virtual_coils": 2}, {"combine_coils": True}])
def test_an_image_has_no_coils(head, settings):
    with pytest.raises(BadConfig, match="no coils"):
        Sampling(PATTERN, **settings).measure(load(head))


@pytest.mark.parametrize("number", [1, -1, 65, True, "4", 2.5])
def test_numbers_of_coils_that_make_no_sense_are_refused(number):
    with pytest.raises(BadConfig, match="coils"):
        Sampling.from_record({"simulated_coils": number})


def test_methods_are_judged_against_what_was_left_out(raw_head, tiny):
    methods = resolve_methods(["zero-filled", "sense", tiny], tiny)
    comparison = compare(raw_head, methods, Sampling(PATTERN), device="cpu")
    psnr = {row.method: row.evaluation.foreground.psnr.mean for row in comparison.scores}
    assert psnr["sense"] > psnr["zero-filled"] + 2
    assert comparison.images["sense"].shape == (1, 6, 40, 48)
    assert comparison.scores[0].evaluation.convention.data.startswith("raw k-space")


def test_scattered_samples_are_reconstructed_without_a_reference(scattered, tiny):
    methods = resolve_methods(["zero-filled", "sense", tiny], tiny)
    comparison = compare(scattered, methods, Sampling(as_measured=True), device="cpu")
    assert comparison.reference is None
    assert comparison.measurement.mask.is_plane
    assert all(np.isfinite(image).all() for image in comparison.images.values())


def test_the_worker_hands_over_the_plane_of_samples(scattered, tmp_path):
    fields = call("undersample", scan=scattered, sampling={"as_measured": True}, out=str(tmp_path / "out"))
    assert fields["lines"] == []
    plane = np.load(fields["plane"])
    np.testing.assert_array_equal(plane, load(scattered).kspace.measured()[:, 4:44])  # without the zero-padding
    assert "scattered over the plane" in fields["description"]


def test_a_board_of_raw_data_says_where_it_comes_from(raw_head, tiny, tmp_path):
    record = call(
        "compare", scan=raw_head, methods=["zero-filled", "sense"], sampling=Sampling(PATTERN).as_record(),
        out=str(tmp_path / "board"),
    )  # fmt: skip
    assert "4 coils" in record["description"]
    assert "Raw k-space was undersampled afterwards" in " ".join(record["warnings"])
    assert load(tmp_path / "board" / "sense.nii.gz").origin is Origin.MAGNITUDE
    rows = json.loads((tmp_path / "board" / "metrics.json").read_text())
    assert "raw k-space" in json.dumps(rows)


def test_a_network_learns_from_raw_scans(raw_head, tiny, tmp_path):
    """Every strategy sees coil maps and the lines that were measured; the loss goes down."""
    config = FinetuneConfig(
        tiny, (raw_head,), (raw_head,), strategy="ft", slices=2, validation_slices=2, pattern=PATTERN, epochs=3,
        steps_per_epoch=15, batch=2, strip_rows=16, device="cpu", learning_rate=3e-3,
    )  # fmt: skip
    torch.manual_seed(0)
    result = finetune(config, lambda event: None, lambda: False, run=tmp_path / "run")
    assert result.best_step > 0
    assert result.best_psnr > result.zero_filled_psnr


def test_a_method_that_cannot_is_left_out_by_name_and_the_others_stay(head, tiny):
    methods = resolve_methods(["zero-filled", "sense", tiny], tiny)
    comparison = compare(head, methods, Sampling(PATTERN), device="cpu")
    assert list(comparison.images) == ["zero-filled", "tiny"]
    assert [method.name for method in comparison.methods] == ["zero-filled", "tiny"]
    assert any("Left out: sense" in warning for warning in comparison.warnings)
    with pytest.raises(Unsuitable, match="several coils"):
        compare(head, resolve_methods(["sense"], tiny), Sampling(PATTERN), device="cpu")


def test_published_weights_that_nobody_fetched_are_named(head, monkeypatch, tmp_path):
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    methods = resolve_methods(["fastmri-unet-knee-sc"], "multiscale-t1")
    with pytest.raises(NotFetched, match="mritransfer models fetch fastmri-unet-knee-sc"):
        compare(head, methods, Sampling(PATTERN), device="cpu")


@pytest.mark.parametrize("lines", [48, 40])
def test_networks_trained_on_cropped_images_see_the_part_that_is_shown(tmp_path, lines):
    """The crop counts in pixels of the image that is shown, also where k-space was cut to what was measured."""
    path = write_raw_head(tmp_path / "head.h5", slices=3, lines=lines)
    whole = load(path)
    shown = KSpace(whole.kspace.shape, whole.kspace.slice, image_matrix=(24, 32))
    measurement = Sampling(PATTERN).measure(Scan.from_kspace(shown, phase_encode="x"))
    seen = []

    class Watching(torch.nn.Module):
        needs_image_crop = finds_own_maps = True

        def forward(self, kspace, mask, axes, maps):
            seen.append(root_sum_of_squares(inverse_fourier(kspace, axes)))
            return seen[-1]

    image = as_shown(reconstruct(measurement, Watching()), measurement).abs()
    assert seen[0].shape[-2:] == (24, 32)
    expected = as_shown(zero_filled(measurement), measurement).abs()
    inside = expected[0, 1] > 0.2 * expected.max()
    torch.testing.assert_close(image[0, 1][inside], expected[0, 1][inside], rtol=0.15, atol=0)


@pytest.mark.parametrize("settings", [{"combine_coils": True}, {"simulated_coils": 4}])
def test_what_a_scan_taken_as_measured_cannot_have_is_refused_rather_than_ignored(scattered, settings):
    with pytest.raises(BadConfig, match="as measured"):
        Sampling(as_measured=True, **settings).measure(load(scattered))


def test_leaving_out_parts_of_the_readout_is_remarked(raw_head):
    scan = load(raw_head)
    across = Sampling(PATTERN, phase_encode="y")
    assert any("y is the readout" in remark for remark in remarks(scan, across, across.measure(scan)))
    along = Sampling(PATTERN)
    assert not any("readout" in remark for remark in remarks(scan, along, along.measure(scan)))


def test_a_model_that_does_not_exist_is_told_before_any_other_is_run(head, tiny):
    done = []
    with pytest.raises(UnknownModel, match="no model called 'nonsense'"):
        compare(
            head, resolve_methods([tiny, "nonsense"], "default"), Sampling(PATTERN),
            on_progress=lambda *told: done.append(told),
        )  # fmt: skip
    assert not done


def test_samples_too_small_for_float32_are_refused_in_a_sentence(raw_head):
    kspace = load(raw_head).kspace.array() * np.float32(1e-25)
    faint = Scan.from_kspace(KSpace.from_array(kspace), phase_encode="x")
    with pytest.raises(BadConfig, match="too small to compute with"):
        Sampling(PATTERN).measure(faint)
    small = Scan.from_kspace(KSpace.from_array(kspace * np.float32(1e16)), phase_encode="x")
    assert Sampling(PATTERN).measure(small).reference.abs().max() > 0
