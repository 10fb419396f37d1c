"""The worker's tasks, called as the worker calls them: fields in, plain JSON and whole files out."""

import json
import shutil

import nibabel
import numpy as np
import pytest
import torch
from boards import AS_IT_IS, SAMPLING, call, names_in
from heads import write_head, write_tiny_base

from napari_mritransfer import load
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.undersampling import zero_filled
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.study import tasks
from napari_mritransfer.study.comparison import NOBODY_KNOWS
from napari_mritransfer.study.sampling import AS_MEASURED, SIMULATED, Sampling
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.zoo.card import model_card


def test_undersampling_gives_image_lines_and_rates(head, tmp_path):
    result = call("undersample", scan=head, sampling=SAMPLING, out=str(tmp_path / "new"))
    image = np.load(result["zero_filled"], allow_pickle=False)
    measurement = Sampling.from_record(SAMPLING).measure(load(head))
    assert (image.dtype, image.shape) == (np.float32, load(head).image.shape)
    assert np.allclose(image, zero_filled(measurement).abs().numpy())
    assert result["lines"] == np.flatnonzero(measurement.mask.lines).tolist()
    assert (result["n_lines"], result["nominal_rate"], result["phase_encode"]) == (40, 0.3, "x")
    assert result["achieved_rate"] == len(result["lines"]) / 40 == 1 / result["acceleration"]
    assert result["effective_rate"] == measurement.effective_rate
    assert result["noise_sigma"] == measurement.noise_sigma > 0
    assert result["description"] == "Nominal 30.0%, achieved 30.0%, lines along x."
    assert result["warnings"] == [SIMULATED["magnitude"]]
    assert result["has_reference"] is True


def test_a_scan_taken_as_measured_has_no_reference(raw, tmp_path):
    result = call("undersample", scan=raw, sampling=AS_IT_IS, out=str(tmp_path))
    assert result["has_reference"] is False
    assert np.allclose(np.load(result["zero_filled"]), np.abs(load(raw).image), atol=1e-2)
    assert result["nominal_rate"] == result["achieved_rate"] == len(result["lines"]) / result["n_lines"]
    assert "as measured" in result["description"].lower()
    assert result["warnings"] == [AS_MEASURED]


def test_a_board_is_a_folder_that_says_everything(board):
    out, result = board
    assert json.loads((out / "board.json").read_text()) == result
    assert (result["out"], result["reference"]) == (str(out), "reference.npy")
    assert [(m["name"], m["image"]) for m in result["methods"]] == [
        ("zero-filled", "zero-filled.npy"), ("tiny", "tiny.npy"),
    ]  # fmt: skip
    assert {"metrics.csv", "metrics.json", "report.html", "verdict.txt", "comparison.png", "reference.nii.gz",
            "tiny.nii.gz", "foreground.nii.gz"} <= names_in(out)  # fmt: skip
    for name in ("reference", "zero-filled", "tiny"):
        image = np.load(out / f"{name}.npy", allow_pickle=False)
        assert image.dtype == np.float32
        assert np.allclose(image, load(out / f"{name}.nii.gz").image)
    assert result["white"] == pytest.approx(np.percentile(np.load(out / "reference.npy"), 99.9))
    assert f"{result['verdict']}\nData: {result['data']}.\n" == (out / "verdict.txt").read_text()
    assert result["data"] == "k-space simulated from a magnitude image"
    assert SIMULATED["magnitude"] in result["warnings"]
    assert result["description"] == "Nominal 30.0%, achieved 30.0%, lines along x."
    assert "Peak: volume maximum of the reference." in result["convention"]


def test_numbers_of_the_board_are_those_of_the_table(board, base):
    out, result = board
    rows = json.loads((out / "metrics.json").read_text())
    for method, row in zip(result["methods"], rows, strict=True):
        assert (method["psnr"], method["ssim"]) == (row["psnr"], row["ssim"])
        assert method["slice_psnr"] == row["foreground"]["psnr"]["slices"]
        assert len(method["slice_ssim"]) == 8
    assert [method["sources"] for method in result["methods"]] == [[], [base]]


def test_the_viewer_gets_every_run_as_a_method_of_its_own(head, base, tmp_path):
    runs = []
    for seed in (1, 2):
        run = RunDirectory(tmp_path / f"lft{seed}")
        run.begin(FinetuneConfig(model=base, train=("a.nii",), validation=("b.nii",), strategy="lft", seed=seed))
        shutil.copyfile(base, run.folder / "best.safetensors")
        runs.append(str(run.folder))
    fields = {"scan": head, "methods": runs, "sampling": SAMPLING}
    merged = call("compare", out=str(tmp_path / "merged"), **fields)
    assert [method["sources"] for method in merged["methods"]] == [runs]
    apart = call("compare", out=str(tmp_path / "apart"), merge_seeds=False, **fields)
    assert [method["name"] for method in apart["methods"]] == ["lft, seed 1", "lft, seed 2"]


def test_slices_that_do_not_count_are_none_and_the_others_keep_their_place(tmp_path):
    """An air slice in the middle: values after it must not move up."""
    path = write_head(tmp_path / "scan" / "head.nii.gz", slices=5)
    file = nibabel.load(path)
    voxels = np.asarray(file.dataobj).copy()
    voxels[..., 2] = 0
    nibabel.save(nibabel.Nifti1Image(voxels, file.affine), path)
    result = call("compare", scan=str(path), methods=["zero-filled"], sampling=SAMPLING, out=str(tmp_path / "board"))
    psnr = result["methods"][0]["slice_psnr"]
    assert [value is None for value in psnr] == [False, False, True, False, False]
    assert [value is None for value in result["methods"][0]["slice_ssim"]] == [False, False, True, False, False]
    assert np.mean([value for value in psnr if value is not None]) == pytest.approx(result["methods"][0]["psnr"])


def test_progress_counts_over_all_methods(head, base, tmp_path):
    second = str(write_tiny_base(tmp_path / "second.safetensors", seed=1))
    told = []
    call("compare", scan=head, methods=["zero-filled", base, second], sampling=SAMPLING, out=str(tmp_path / "board"),
         tell=told.append)  # fmt: skip
    *slices, writing = told
    assert [record["done"] for record in slices] == list(range(1, 17))
    assert {record["total"] for record in told} == {16}
    assert {record["event"] for record in told} == {"Progress"}
    assert slices[2]["text"] == "tiny: slice 3 of 8"
    assert slices[8]["text"] == "second: slice 1 of 8"
    assert writing["text"] == "Writing the results"


def test_a_stop_ends_within_a_slice_and_leaves_no_board(head, base, tmp_path):
    told = []
    with pytest.raises(ReconstructionStopped):
        call("compare", scan=head, methods=[base], sampling=SAMPLING, out=str(tmp_path / "board"), tell=told.append,
             should_stop=lambda: len(told) >= 2)  # fmt: skip
    assert len(told) == 2
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize("name", ["undersample", "compare", "export"])
def test_a_task_that_was_stopped_before_it_began_writes_nothing(name, head, board, tmp_path):
    fields = {"scan": head, "methods": ["zero-filled"], "sampling": SAMPLING, "out": str(tmp_path / "out"),
              "board": str(board[0]), "to": str(tmp_path / "to"), "slice": 1, "white": 1.0}  # fmt: skip
    with pytest.raises(ReconstructionStopped):
        call(name, should_stop=lambda: True, **fields)
    assert names_in(tmp_path) == set()


def test_without_a_reference_nobody_is_judged(board_without_reference):
    out, result = board_without_reference
    assert result["reference"] is None
    assert result["verdict"] == NOBODY_KNOWS
    assert result["convention"] == []
    for method in result["methods"]:
        assert (method["psnr"], method["ssim"]) == (None, None)
        assert method["slice_psnr"] == method["slice_ssim"] == [None] * 6
        assert np.load(out / method["image"]).shape == (2, 3, 48, 40)
    assert result["white"] == pytest.approx(np.percentile(np.load(out / "zero-filled.npy"), 99.9), rel=1e-5)
    assert names_in(out) & {"metrics.csv", "reference.npy", "reference.nii.gz", "foreground.nii.gz"} == set()
    assert [row["psnr"] for row in json.loads((out / "metrics.json").read_text())] == [None, None]
    report = (out / "report.html").read_text()
    assert NOBODY_KNOWS in report
    assert "k-space was simulated" not in report
    assert "PSNR" not in report


def test_a_board_without_reference_replaces_one_that_had_it(head, raw, tmp_path):
    for scan, sampling in ((head, SAMPLING), (raw, AS_IT_IS)):
        call("compare", scan=scan, methods=["zero-filled"], sampling=sampling, out=str(tmp_path / "board"))
    assert names_in(tmp_path / "board") == {
        "board.json", "comparison.png", "figure.json", "metrics.json", "report.html", "verdict.txt",
        "zero-filled.nii.gz", "zero-filled.npy",
    }  # fmt: skip


@pytest.mark.parametrize("which", ["multiscale-contrast", "file"])
def test_a_model_is_described_with_what_each_strategy_trains(which, base):
    drawn = torch.get_rng_state()
    result = call("describe", model=base if which == "file" else which)
    assert set(result["parameters"]) == {row.name for row in CATALOGUE}
    assert result["parameters"]["pretrained"] == 0
    assert result["parameters"]["ft"] == result["parameters"]["scratch"] == result["total"] > 0
    assert 0 < result["parameters"]["lft"] < result["total"]
    if which == "file":
        assert (result["title"], result["architecture"]) == ("tiny.safetensors", "dccnn")
        assert torch.equal(torch.get_rng_state(), drawn), "a job beside it draws from the same generator"
    else:
        card = model_card(which)
        assert (result["title"], result["parameters"]) == (card.title, dict(card.parameters))


def test_an_error_in_the_program_is_not_blamed_on_the_user(head, tmp_path, monkeypatch):
    def broken(*arguments, **settings):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(tasks, "compare", broken)
    with pytest.raises(RuntimeError, match="multiplied"):
        call("compare", scan=head, methods=["zero-filled"], sampling=SAMPLING, out=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("undersample", {"scan": None}, "no 'scan'"),
        ("undersample", {"scan": "nowhere.nii.gz"}, "nowhere"),
        ("undersample", {"out": ""}, "no 'out'"),
        ("undersample", {"sampling": {"rate": 2}}, "sampling rate"),
        ("undersample", {"sampling": {"rates": 2}}, "no setting called"),
        ("undersample", {"sampling": AS_IT_IS}, "lost its k-space"),
        ("undersample", {"out": "{head}"}, "is a file; choose a folder"),
        ("compare", {"methods": []}, "no methods"),
        ("compare", {"methods": "zero-filled"}, "no methods"),
        ("compare", {"methods": ["zero-filled", 3]}, "no methods"),
        ("compare", {"methods": ["nonsense"]}, "no model called 'nonsense'"),
        ("compare", {"methods": ["pretrained"], "model": "nonsense"}, "no model called 'nonsense'"),
        ("compare", {"model": 3}, "no 'model'"),
        ("compare", {"peak": "summit"}, "no peak called 'summit'"),
        ("compare", {"device": "cuda:99"}, "no device"),
        ("compare", {"scan": None}, "no 'scan'"),
        ("compare", {"out": "{head}"}, "is a file"),
        ("compare", {"out": "{folder}"}, "the scan itself"),
        ("compare", {"sampling": 3}, "not a dictionary"),
        ("export", {"board": "nowhere"}, "no finished comparison"),
        ("export", {"to": None}, "no 'to'"),
        ("export", {"slice": 99}, "no slice 99"),
        ("export", {"slice": 1.0}, "whole number"),
        ("export", {"slice": True}, "whole number"),
        ("export", {"white": None}, "'white' is None"),
        ("export", {"white": float("nan")}, "window"),
        ("compare", {"merge_seeds": "no"}, "true or false"),
        ("export", {"black": 500.0}, "above 500"),
        ("export", {"black": None}, "'black' is None"),
        ("export", {"methods": "tiny"}, "list of names"),
        ("export", {"methods": ["nobody"]}, "no method called 'nobody'"),
        ("export", {"magnification": -1}, "-1 times"),
        ("export", {"magnification": "5"}, "'magnification' is 5"),
        ("describe", {}, "no 'model'"),
        ("describe", {"model": "nonsense"}, "no model called"),
        ("describe", {"model": "{head}"}, "safetensors"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(name, changed, said, head, board, tmp_path):
    fields = {"scan": head, "methods": ["zero-filled"], "sampling": SAMPLING, "out": str(tmp_path / "out"),
              "board": str(board[0]), "to": str(tmp_path / "to"), "slice": 1, "white": 500.0} | changed  # fmt: skip
    places = {"{head}": head, "{folder}": str(load(head).path.parent)}
    fields = {key: places.get(value, value) if isinstance(value, str) else value for key, value in fields.items()}
    with pytest.raises(BadInput, match=said) as caught:
        call(name, **fields)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == set()
