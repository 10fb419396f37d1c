"""Every command as a user types it: what it writes, what it prints, how it ends."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from heads import write_head, write_tiny_base
from typer.testing import CliRunner

from napari_mritransfer import load
from napari_mritransfer.cli.app import app, spread
from napari_mritransfer.training.losses import loss_value
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.zoo.card import model_cards


def call(*arguments: object):
    return CliRunner().invoke(app, spread([str(argument) for argument in arguments], {"--train", "--val"}))


def answer(*arguments: object):
    """The one JSON document on standard output of a command that must succeed."""
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments: object) -> str:
    """The one sentence of a command that must refuse, the same with and without --json."""
    plain, as_json = call(*arguments), call(*arguments, "--json")
    assert plain.exit_code == as_json.exit_code == 2, plain.output
    assert plain.stdout == ""
    sentence = json.loads(as_json.stdout)["error"]
    assert " ".join(plain.stderr.split()) == " ".join(sentence.split())
    assert sentence.endswith((".", "'"))
    return sentence


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    return write_head(tmp_path_factory.mktemp("scans") / "patient12_T2W.nii.gz", seed=12)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_tiny_base(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture(scope="module")
def run(tmp_path_factory, base):
    """A short transfer through the command line."""
    folder = tmp_path_factory.mktemp("runs")
    train = [write_head(folder / f"patient0{i}_T2W.nii.gz", seed=i) for i in (1, 2)]
    val = write_head(folder / "patient03_T2W.nii.gz", seed=3)
    result = call(
        "finetune", "--model", base, "--strategy", "lft", "--train", *train, "--val", val, "--slices", 3,
        "--epochs", 1, "--steps-per-epoch", 2, "--batch", 2, "--out", folder / "lft",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Done after 2 steps" in result.stdout
    return folder / "lft"


def test_inspect_tells_what_a_file_holds(head):
    facts = answer("inspect", head)
    assert facts["shape"] == {"frame": 1, "slice": 8, "y": 48, "x": 40}
    assert facts["origin"] == "magnitude"
    assert facts["measured_kspace"]["x"] == "40 of 40 lines hold signal"
    plain = call("inspect", head).stdout
    assert "patient12_T2W.nii.gz" in plain.replace("\n", "") or "axial" in plain
    assert "magnitude" in plain


def test_models_lists_every_card():
    names = [row["name"] for row in answer("models") if row["kind"] == "reconstruction"]
    assert names == [card.name for card in model_cards()]
    plain = call("models").stdout
    assert all(card.name in plain for card in model_cards())


def test_strategies_lists_every_strategy_with_its_reference():
    assert [row["name"] for row in answer("strategies")] == [row.name for row in CATALOGUE]
    plain = " ".join(call("strategies").stdout.split())
    assert all(row.summary in plain and row.reference in plain for row in CATALOGUE)


def test_undersample_states_the_rates_and_keeps_the_geometry(head, tmp_path):
    out = tmp_path / "zf.nii.gz"
    facts = answer("undersample", head, "--rate", 0.3, "--acs", 0.1, "--out", out)
    assert facts["lines"] == 48
    assert abs(facts["achieved_rate"] - 0.3) <= 1 / 48
    assert facts["simulated"] is True
    before, after = nibabel.load(head), nibabel.load(out)
    assert np.array_equal(before.affine, after.affine)
    assert before.shape == after.shape
    plain = call("undersample", head, "--phase-encode", "x", "--out", out)
    assert "achieved 25.0%" in plain.stdout
    assert "simulated" in plain.stdout


def test_undersample_with_every_mask_kind(head, tmp_path):
    for kind in ("random", "equispaced", "gaussian", "centre"):
        facts = answer("undersample", head, "--mask", kind, "--out", tmp_path / f"{kind}.nii")
        assert facts["measured_lines"] == round(facts["achieved_rate"] * 48)


def test_undersample_with_every_mask_over_the_plane(head, tmp_path):
    for kind in ("random-2d", "poisson-disc", "radial"):
        facts = answer("undersample", head, "--mask", kind, "--smooth-phase", "--out", tmp_path / f"{kind}.nii")
        assert facts["achieved_rate"] == pytest.approx(0.25, abs=0.02)
        assert facts["samples"] > facts["measured_samples"] > 0.2 * facts["samples"]
        assert any("3-D acquisition" in warning for warning in facts["warnings"])
        assert any("phase is simulated too" in warning for warning in facts["warnings"])


def test_noise_has_the_snr_asked_for_and_its_seed(head, tmp_path):
    noisy = [tmp_path / f"{i}.nii" for i in range(3)]
    for path, seed in zip(noisy, (1, 1, 2), strict=True):
        assert answer("undersample", head, "--rate", 1, "--snr", 20, "--seed", seed, "--out", path)["noise_sigma"] > 0
    first, same, other = (load(path).image for path in noisy)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_finetune_leaves_a_run_that_every_other_command_takes(run, head, tmp_path):
    recon = tmp_path / "recon.nii.gz"
    assert answer("reconstruct", head, "--model", run, "--out", recon)["measured_lines"] == 12
    rows = answer("evaluate", head, recon)
    assert rows[0]["method"] == "recon"
    assert np.isfinite(rows[0]["psnr"])
    board = tmp_path / "board"
    found = answer("compare", head, "--methods", f"zero-filled,pretrained,{run}", "--out", board)
    assert [row["method"] for row in found["methods"]] == ["zero-filled", "pretrained", "lft"]
    assert json.loads((board / "metrics.json").read_text()) == found["methods"]
    assert {p.name for p in board.iterdir()} == {
        "metrics.json", "metrics.csv", "comparison.png", "report.html", "verdict.txt", "reference.nii.gz",
        "foreground.nii.gz", "zero-filled.nii.gz", "pretrained.nii.gz", "lft.nii.gz",
    }  # fmt: skip


def test_a_second_comparison_leaves_nothing_of_the_first(head, base, tmp_path):
    board = tmp_path / "board"
    answer("compare", head, "--methods", f"zero-filled,{base}", "--out", board)
    (board / "notes.nii.gz").touch()
    found = answer("compare", head, "--methods", "zero-filled", "--out", board)
    assert {path.name for path in board.glob("*.nii.gz")} == {
        "reference.nii.gz", "foreground.nii.gz", "zero-filled.nii.gz", "notes.nii.gz",
    }  # fmt: skip
    assert any("y was assumed" in warning for warning in found["warnings"])


def test_evaluate_agrees_with_compare(head, base, tmp_path):
    board = tmp_path / "board"
    compared = answer("compare", head, "--methods", f"zero-filled,{base}", "--out", board)["methods"]
    evaluated = answer(
        "evaluate", board / "reference.nii.gz", board / "zero-filled.nii.gz", board / "tiny.nii.gz",
        "--mask", board / "foreground.nii.gz", "--csv", tmp_path / "scores.csv",
    )  # fmt: skip
    for one, other in zip(compared, evaluated, strict=True):
        assert one["psnr"] == pytest.approx(other["psnr"])
        assert one["whole"]["ssim"]["mean"] == pytest.approx(other["whole"]["ssim"]["mean"])
    assert (tmp_path / "scores.csv").read_text().startswith("method,")


def test_a_finished_run_cannot_be_resumed(run):
    assert "nothing to resume" in refused("finetune", "--resume", "--out", run)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["inspect", "missing.nii"], "missing.nii"),
        (["inspect", "{tmp}"], "is a folder"),
        (["evaluate", "{head}", "{head}", "--csv", "{tmp}/nowhere/a.csv"], "does not exist"),
        (["compare", "{head}", "--out", "{other}"], "is a file"),
        (["undersample", "{head}", "--rate", "0", "--out", "{tmp}/a.nii"], "rate"),
        (["undersample", "{head}", "--rate", "0.05", "--out", "{tmp}/a.nii"], "ACS"),
        (["undersample", "{head}", "--out", "{tmp}/a.png"], ".nii.gz"),
        (["undersample", "{head}", "--out", "{tmp}/nowhere/a.nii"], "does not exist"),
        (["reconstruct", "{head}", "--model", "nobody", "--out", "{tmp}/a.nii"], "nobody"),
        (["reconstruct", "{head}", "--model", "{head}", "--out", "{tmp}/a.nii"], "safetensors"),
        (["reconstruct", "{head}", "--model", "{base}", "--device", "abacus", "--out", "{tmp}/a.nii"], "abacus"),
        (["finetune", "--out", "{tmp}/run"], "--train"),
        (["finetune", "--out", "{tmp}/run", "--resume"], "no run"),
        (["finetune", "--train", "{head}", "--strategy", "magic", "--out", "{tmp}/run"], "magic"),
        (["finetune", "--train", "{head}", "--slices", "0", "--out", "{tmp}/run"], "slice"),
        (["finetune", "--train", "{tmp}/none.nii", "--model", "{base}", "--out", "{tmp}/run"], "none.nii"),
        (["finetune", "--train", "{head}", "--weight-decay", "0.1", "--out", "{tmp}/run"], "adamw"),
        (["evaluate", "{head}", "{tmp}/none.nii"], "none.nii"),
        (["evaluate", "{head}", "{other}"], "other.nii"),
        (["undersample", "{head}", "--out", "{head}"], "input itself"),
        (["undersample", "{head}", "--snr", "nan", "--out", "{tmp}/a.nii"], "finite"),
        (["evaluate", "{head}", "{head}", "--mask", "{other}"], "mask"),
        (["compare", "{other}", "--out", "{tmp}"], "another folder"),
        (["compare", "{head}", "--methods", ",", "--out", "{tmp}/board"], "--methods"),
        (["compare", "{head}", "--methods", "zero-filled,{tmp}", "--out", "{tmp}/board"], "no run"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, says, head, base, tmp_path):
    other = write_head(tmp_path / "other.nii", size=(32, 32))
    places = {"head": head, "base": base, "tmp": tmp_path, "other": other}
    assert says in refused(*(argument.format(**places) for argument in arguments))


def test_a_damaged_file_is_refused(head, tmp_path):
    damaged = tmp_path / "damaged.nii.gz"
    damaged.write_bytes(Path(head).read_bytes()[:-500])
    assert "damaged.nii.gz" in refused("inspect", damaged)


def test_finetune_leaves_other_peoples_folders_alone(head, base, tmp_path):
    (tmp_path / "config.yaml").write_text("precious")
    said = refused("finetune", "--model", base, "--train", head, "--out", tmp_path)
    assert "other files" in said
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


def test_a_phase_encode_axis_that_was_assumed_is_said(head, tmp_path):
    assert "y was assumed" in call("undersample", head, "--out", tmp_path / "a.nii").stdout
    assert "assumed" not in call("undersample", head, "--phase-encode", "x", "--out", tmp_path / "a.nii").stdout


def test_a_wrong_option_is_a_usage_error():
    assert call("undersample", "--no-such-option").exit_code == 2
    assert call("undersample", "x.nii", "--mask", "spiral", "--out", "y.nii").exit_code == 2


def test_a_job_that_diverges_ends_with_exit_code_1(head, base, tmp_path, monkeypatch):
    def explode(kind, image, target):
        return loss_value(kind, image, target) * float("nan")

    monkeypatch.setattr("napari_mritransfer.training.reconstruction.loss_value", explode)
    result = call(
        "finetune", "--model", base, "--strategy", "ft", "--train", head, "--slices", 2, "--out", tmp_path / "run",
        "--json",
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    assert "learning rate" in json.loads(result.stdout)["error"]
    assert (tmp_path / "run" / "best.safetensors").is_file()


def test_several_values_after_one_option():
    assert spread(["finetune", "--train", "a", "b", "--val", "c", "--json"], {"--train", "--val"}) == [
        "finetune", "--train", "a", "--train", "b", "--val", "c", "--json",
    ]  # fmt: skip


def test_zero_filled_is_a_method_of_reconstruct_too(head, tmp_path):
    call("undersample", head, "--out", tmp_path / "one.nii.gz")
    answer("reconstruct", head, "--model", "zero-filled", "--out", tmp_path / "two.nii.gz")
    assert np.array_equal(load(tmp_path / "one.nii.gz").image, load(tmp_path / "two.nii.gz").image)


def test_a_missing_folder_and_an_absurd_snr_are_told_in_a_whole_sentence(head, tmp_path):
    said = refused("convert", head, "--out", tmp_path / "none" / "a.nii.gz")
    assert said.endswith("create it, or save a.nii.gz elsewhere.")
    assert "decibels" in refused("undersample", head, "--snr", 1e9, "--out", tmp_path / "a.nii.gz")
