"""One measurement for all methods, the numbers beside the pictures, runs told apart by what they are."""

import json

import nibabel
import numpy as np
import pytest
import torch
from heads import write_head, write_tiny_base

from napari_mritransfer import load
from napari_mritransfer.io import Origin
from napari_mritransfer.physics.masks import NEEDS_3D, MaskKind, SamplingPattern
from napari_mritransfer.study.board import file_names, write_comparison
from napari_mritransfer.study.comparison import compare
from napari_mritransfer.study.methods import Method, resolve_methods
from napari_mritransfer.study.sampling import SIMULATED, Sampling
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.rundir import RunDirectory


def claimed(folder, **settings):
    """A run directory that a job has claimed; its configuration is all that telling methods apart needs."""
    RunDirectory(folder).begin(FinetuneConfig(model="m", train=("a.nii",), validation=("b.nii",), **settings))
    return str(folder)


def test_runs_that_differ_only_in_their_seed_are_one_method(tmp_path):
    runs = [claimed(tmp_path / f"lft{seed}", strategy="lft", seed=seed) for seed in (0, 1)]
    other = claimed(tmp_path / "ft", strategy="ft")
    methods = resolve_methods(["zero-filled", "pretrained", *runs, other], "default")
    assert [m.name for m in methods] == ["zero-filled", "pretrained", "lft", "ft"]
    assert methods[1].sources == ("m",)  # what the runs started from, not the default
    assert methods[2].sources == tuple(runs)


def test_runs_of_one_strategy_with_other_settings_are_told_apart_by_their_folders(tmp_path):
    runs = [claimed(tmp_path / f"lft-n{n}", strategy="lft", slices=n) for n in (1, 5)]
    assert [m.name for m in resolve_methods(runs, "default")] == ["lft (lft-n1)", "lft (lft-n5)"]


def test_pretrained_cannot_stand_for_two_models(tmp_path):
    RunDirectory(tmp_path / "a").begin(FinetuneConfig(model="m", train=("a.nii",), validation=("b.nii",)))
    RunDirectory(tmp_path / "b").begin(FinetuneConfig(model="n", train=("a.nii",), validation=("b.nii",)))
    with pytest.raises(BadConfig, match="different models"):
        resolve_methods(["pretrained", str(tmp_path / "a"), str(tmp_path / "b")], "default")


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    files = [str(write_tiny_base(folder / "last.safetensors")) for folder in (tmp_path / "a", tmp_path / "b")]
    names = [method.name for method in resolve_methods(files, "default")]
    assert names == ["last (a/last.safetensors)", "last (b/last.safetensors)"]


def test_a_file_cannot_win_with_one_seed(head, base):
    found = compare(head, resolve_methods(["zero-filled", base], "default"), Sampling())
    assert found.verdict.winner is None


def test_doubts_are_said_before_the_numbers(tmp_path):
    path = str(write_head(tmp_path / "patient07_T2W.nii.gz", seed=4))
    base = str(write_tiny_base(tmp_path / "tiny.safetensors"))
    config = FinetuneConfig(
        model=base, train=(path,), validation=("patient08.nii",), pattern=SamplingPattern(rate=0.4), phase_encode="x"
    )
    method = Method("lft", (base,), config, was_trained=True)
    warnings = " ".join(compare(path, [method], Sampling(SamplingPattern(rate=0.25), "y")).warnings)
    assert "trained or validated on this subject" in warnings
    assert "at 40% of the lines" in warnings
    assert "lines along x" in warnings


def test_pretrained_without_runs_is_the_default_model():
    assert resolve_methods(["pretrained"], "default")[0].sources == ("default",)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(BadConfig, match="no run"):
        resolve_methods([str(tmp_path)], "default")


def test_every_method_starts_from_the_same_noisy_measurement(head, base):
    sampling = Sampling(SamplingPattern(rate=0.3), "x", snr_db=15, noise_seed=3)
    both = compare(head, [Method("zero-filled"), Method("tiny", (base,))], sampling, device="cpu")
    alone = compare(head, [Method("zero-filled")], sampling, device="cpu")
    assert np.array_equal(both.images["zero-filled"], alone.images["zero-filled"])
    assert both.measurement.noise_sigma > 0
    assert SIMULATED[Origin.MAGNITUDE] in both.warnings


def test_fully_sampled_zero_filled_is_the_reference(head):
    found = compare(head, [Method("zero-filled")], Sampling(SamplingPattern(rate=1.0)))
    assert found.scores[0].evaluation.whole.psnr.volume > 100
    assert np.allclose(found.reference, load(head).image, atol=1e-2)


def test_noise_lowers_the_score_of_the_same_lines(head):
    clean, noisy = (
        compare(head, [Method("zero-filled")], Sampling(SamplingPattern(rate=0.5), snr_db=snr)).scores[0]
        for snr in (None, 5)
    )
    assert noisy.evaluation.foreground.psnr.mean < clean.evaluation.foreground.psnr.mean


def test_a_pattern_that_does_not_fit_is_bad_input(head):
    with pytest.raises(BadConfig, match="ACS"):
        compare(head, [Method("zero-filled")], Sampling(SamplingPattern(rate=0.1, acs=0.2)))


def test_a_missed_rate_is_said(head):
    pattern = SamplingPattern(MaskKind.EQUISPACED, rate=0.85, acs=0.08)
    found = compare(head, [Method("zero-filled")], Sampling(pattern))
    assert any("nearest" in warning for warning in found.warnings)


def test_stop_between_passes_of_two_slices(head, base):
    from napari_mritransfer.recon.network import ReconstructionStopped

    done = []
    with pytest.raises(ReconstructionStopped):
        compare(
            head, [Method("tiny", (base,))], Sampling(), should_stop=lambda: len(done) >= 3,
            on_progress=lambda name, n, total: done.append((name, n, total)),
        )  # fmt: skip
    assert done == [("tiny", n, 8) for n in range(1, 5)]


def test_seeds_give_the_spread_and_the_first_one_the_picture(head, base, tmp_path):
    second = str(write_tiny_base(tmp_path / "second.safetensors", seed=1))
    found = compare(head, [Method("both", (base, second)), Method("zero-filled")], Sampling())
    alone = compare(head, [Method("both", (base,))], Sampling())
    values = found.scores[0].details["psnr_by_seed"]
    assert len(values) == 2
    assert values[0] == alone.scores[0].evaluation.foreground.psnr.mean
    assert np.array_equal(found.images["both"], alone.images["both"])


def test_what_is_written_says_what_was_measured(head, base, tmp_path):
    found = compare(head, [Method("zero-filled"), Method("a/b c", (base,))], Sampling(phase_encode="x"))
    write_comparison(found, tmp_path / "board", title="Head & <neck>")
    report = (tmp_path / "board" / "report.html").read_text()
    assert "Head &amp; &lt;neck&gt;" in report
    assert SIMULATED[Origin.MAGNITUDE] in report
    assert "nominal 25.0%" in report
    rows = json.loads((tmp_path / "board" / "metrics.json").read_text())
    assert [row["method"] for row in rows] == ["zero-filled", "a/b c"]
    assert abs(rows[0]["achieved_rate"] - 0.25) <= 1 / 40
    written = nibabel.load(tmp_path / "board" / "a-b-c.nii.gz")
    assert np.array_equal(written.affine, nibabel.load(head).affine)
    assert np.allclose(load(tmp_path / "board" / "a-b-c.nii.gz").image, found.images["a/b c"])
    mask = load(tmp_path / "board" / "foreground.nii.gz").image
    assert set(np.unique(mask)) == {0.0, 1.0}


def test_a_simulated_phase_and_a_mask_over_the_plane_stand_in_the_report(head, base, tmp_path):
    sampling = Sampling(SamplingPattern(MaskKind.RADIAL, 0.3), smooth_phase=True, noise_seed=4)
    found = compare(head, resolve_methods(["zero-filled", base], "default"), sampling)
    write_comparison(found, tmp_path, title="t")
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "smooth, simulated with seed 4" in report
    assert "radial, ACS 8.0%, seed 0" in report
    assert NEEDS_3D in report
    assert all(np.isfinite(row.evaluation.foreground.psnr.mean) for row in found.scores)


def test_a_complex_scan_is_called_simulated_from_a_coil_combined_image(tmp_path):
    path = tmp_path / "complex.nii.gz"
    rng = np.random.default_rng(0)
    voxels = (rng.normal(size=(32, 36, 3)) + 1j * rng.normal(size=(32, 36, 3))).astype(np.complex64) + 5
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)
    assert load(path).origin is Origin.COIL_COMBINED
    found = compare(str(path), [Method("zero-filled")], Sampling(phase_encode="x"))
    assert found.warnings == (SIMULATED[Origin.COIL_COMBINED],)
    assert torch.isfinite(found.measurement.kspace.abs()).all()


def test_file_names_hold_nothing_a_file_system_minds():
    assert file_names(["lft (run 1/2)", "*"]) == {"lft (run 1/2)": "lft--run-1-2", "*": "method"}


def test_no_two_methods_share_a_file_and_none_takes_the_references():
    names = file_names(["a b", "a/b", "A-B", "reference", "x" * 400])
    assert list(names.values()) == ["a-b", "a-b-2", "A-B-3", "reference-2", "x" * 100]


def test_a_model_called_reference_is_not_taken_for_the_reference(tmp_path):
    path = str(write_tiny_base(tmp_path / "reference.safetensors"))
    assert [method.name for method in resolve_methods([path], "default")] == ["reference.safetensors"]


def test_what_cannot_be_judged_is_bad_input(tmp_path):
    path = tmp_path / "air.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((32, 36, 3), np.float32), np.diag([1.0, 1, 4, 1])), path)
    with pytest.raises(BadConfig, match="zero-filled cannot be judged: The reference is zero everywhere"):
        compare(str(path), [Method("zero-filled")], Sampling())


def test_a_later_board_leaves_nothing_of_an_earlier_one(head, base, tmp_path):
    first = compare(head, [Method("zero-filled"), Method("tiny", (base,))], Sampling())
    write_comparison(first, tmp_path, title="first")
    (tmp_path / "thesis.txt").write_text("precious")
    write_comparison(compare(head, [Method("zero-filled")], Sampling()), tmp_path, title="second")
    assert not (tmp_path / "tiny.nii.gz").exists()
    assert (tmp_path / "reference.nii.gz").exists()
    assert (tmp_path / "thesis.txt").read_text() == "precious"
