"""`mritransfer inspect` on real files: facts, then what a reviewer would ask, concerns first."""

import json
from dataclasses import replace

import numpy as np
import pytest
from heads import write_head, write_raw_head
from typer.testing import CliRunner

from napari_mritransfer import load
from napari_mritransfer.cli.app import app
from napari_mritransfer.io import Origin, save


def inspected(path):
    result = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def head(tmp_path):
    return write_head(tmp_path / "patient12_T2W.nii.gz", size=(80, 96))


def test_findings_of_an_image_stand_below_its_facts(head):
    record = inspected(head)
    verdicts = [finding["verdict"] for finding in record["findings"]]
    assert verdicts == sorted(verdicts, key=["concern", "unknown", "fine"].index)
    told = {finding["check"]: finding for finding in record["findings"]}
    assert told["simulated k-space"]["verdict"] == told["masked background"]["verdict"] == "concern"
    assert told["masked background"]["value"] > told["masked background"]["threshold"]
    plain = CliRunner().invoke(app, ["inspect", str(head)], env={"COLUMNS": "200"}).stdout
    assert plain.index("orientation") < plain.index("What a reviewer would ask") < plain.index("masked background")
    assert plain.index("concern") < plain.index("fine")


def test_raw_k_space_is_inspected_with_its_empty_lines(tmp_path):
    record = inspected(write_raw_head(tmp_path / "raw.h5", size=(64, 96), lines=72))
    told = {finding["check"]: finding for finding in record["findings"]}
    assert told["coil-combined"]["verdict"] == "fine"
    assert told["zero-filled or interpolated (x)"]["details"]["lines that hold signal"] == 72
    assert record["kspace"]["measured_columns"] == 72
    assert "measured_kspace" not in record


def test_a_saved_simulation_says_so_when_it_is_inspected(head, tmp_path):
    scan = load(head)
    image = np.asarray(scan.image) * np.exp(0.3j)
    save(replace(scan.with_image(image), origin=Origin.SIMULATED), tmp_path / "simulated.nii.gz")
    first = inspected(tmp_path / "simulated.nii.gz")["findings"][0]
    assert (first["check"], first["verdict"]) == ("simulated k-space", "concern")
    assert "The file says" in first["sentence"]


def test_an_array_is_inspected_once_its_axes_are_named(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "ksp.npy", (rng.normal(size=(3, 40, 48)) + 1j * rng.normal(size=(3, 40, 48))).astype("c8"))
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "ksp.npy"), "--axes", "coil,ky,kx", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kspace"]["coils"] == 3
