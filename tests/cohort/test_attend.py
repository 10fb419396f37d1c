"""Looks at scans: what lies in the folder belongs together, and nothing is left where a look did not end."""

import dataclasses
import json

import nibabel
import numpy as np
import pytest
from small_slice_sets import AGE, DISEASE, SPACING_MM, head, model, scan

from napari_mritransfer import load
from napari_mritransfer.cohort.attend import attend
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.looked_at import LookedAt, of_comparison
from napari_mritransfer.cohort.model import Facts, save_cohort_model
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.record import read_array, read_record
from napari_mritransfer.cohort.tasks import TASKS
from napari_mritransfer.io import Origin, Scan, save
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.network import ReconstructionStopped

pytestmark = pytest.mark.usefixtures("one_thread")

GRID = Grid(SPACING_MM)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Two heads, the second said to be simulated."""
    folder = tmp_path_factory.mktemp("scans")
    save(scan(0), folder / "first.nii.gz")
    save(scan(1, origin=Origin.SIMULATED), folder / "second.nii.gz")
    return [LookedAt(name, folder / f"{name}.nii.gz") for name in ("first", "second")]


@pytest.fixture(scope="module")
def looked(scans, tmp_path_factory):
    """Two networks on two scans, with everything there is."""
    out = tmp_path_factory.mktemp("looks") / "out"
    mean = np.linspace(0.5, 1.5, 16)
    networks = [
        model(0, facts={"mean_attention": tuple(mean / mean.mean()), "expected_error": "MAE 3.0 years"}.items()),
        model(1, slicing="coronal", pooling="mean", positions="off"),
    ]
    told = []
    record = attend(
        scans, networks, out, with_sanity=True, device="cpu", on_progress=lambda *what: told.append(what)
    )  # fmt: skip
    return out, record, told


def test_the_record_is_what_lies_in_the_folder(looked):
    out, record, _ = looked
    assert read_record(out) == record
    names = {path.name for path in out.iterdir()}
    views = [view.name for view in record.views]
    assert views == ["first, tiny-0", "first, tiny-1", "second, tiny-0", "second, tiny-1"]
    assert [view.volume for view in record.views] == ["00-volume.npy"] * 2 + ["02-volume.npy"] * 2
    for number, view in enumerate(record.views):
        assert view.map == f"{number:02d}-map.npy"
        assert {f"{number:02d}-map.nii.gz", f"{number:02d}-map-on-scan.nii.gz"} <= names
        values = read_array(out, view.map, record.shape)
        axis = {"sagittal": 0, "coronal": 1}[view.slicing]
        in_slices = values.mean(axis=tuple(other for other in range(3) if other != axis))
        assert np.allclose(in_slices, view.relative, atol=1e-4)
        assert view.weights == pytest.approx([value / len(view.relative) for value in view.relative])
    assert {"attention.json", "attention.png", "slices.csv"} <= names


def test_differences_are_from_the_same_networks_first_scan(looked):
    _, record, _ = looked
    first, second = record.views[:2], record.views[2:]
    assert [view.difference for view in first] == [None, None]
    assert [view.difference_text for view in first] == ["", ""]
    for before, after in zip(first, second, strict=True):
        assert after.difference == pytest.approx(after.prediction - before.prediction)
        assert after.difference_text == AGE.difference_text(after.difference)
        assert any(f"second {after.difference_text}" in sentence for sentence in record.sentences)


def test_what_is_known_of_the_cohort_and_of_the_checks_is_told(looked):
    _, record, _ = looked
    one, other = record.views[:2]
    assert (one.kind, other.kind) == ("attention", "contribution")
    assert one.expected_error == "MAE 3.0 years"
    assert np.allclose(np.array(one.relative) - one.mean_relative, one.relative_minus_mean, atol=1e-6)
    assert (other.mean_relative, other.relative_minus_mean) == (None, None)
    assert sum(other.contributions) != 0
    assert one.contributions is None
    assert "Dropping the 5 most attended slices" in one.sentence
    assert "Dropping the 5 most contributing slices" in other.sentence
    assert len(one.sanity["deletion"]["chosen"]) == 8
    assert len(one.sanity["randomised"]["everything"]) == 3
    assert any("no confidence interval" in sentence for sentence in record.sentences)
    assert any("learned nothing" in sentence for sentence in record.sentences)


def test_simulated_stays_simulated(looked, scans, tmp_path):
    out, record, _ = looked
    assert record.simulated
    assert load(out / "02-map-on-scan.nii.gz").origin is load(out / "02-map.nii.gz").origin is Origin.SIMULATED
    assert load(out / "00-map.nii.gz").origin is Origin.MAGNITUDE
    assert not attend(scans[:1], [model()], tmp_path / "real", with_map=False, device="cpu").simulated
    learned = model(facts={"simulated": True}.items())
    warned = attend(scans[:1], [learned], tmp_path / "warned", device="cpu")
    assert warned.simulated
    assert "learned from simulated scans" in warned.warnings[0]
    assert load(tmp_path / "warned" / "00-map.nii.gz").origin is Origin.SIMULATED


def test_maps_have_the_geometry_of_grid_and_scan(scans, tmp_path):
    """A scan stored to the right and from top to bottom: its map is the grid's, turned the same way."""
    turned = np.diag([-1.0, 1.0, -1.0, 1.0])
    turned[0, 3] = turned[2, 3] = 15
    voxels = np.asarray(nibabel.load(scans[0].path).dataobj)[::-1, :, ::-1]
    nibabel.save(nibabel.Nifti1Image(voxels, GRID.affine @ turned), tmp_path / "turned.nii.gz")
    out = tmp_path / "out"
    attend([LookedAt("turned", tmp_path / "turned.nii.gz")], [model()], out, device="cpu")
    on_grid, on_scan = (nibabel.load(out / f"00-map{ending}.nii.gz") for ending in ("", "-on-scan"))
    values = np.load(out / "00-map.npy")
    assert np.allclose(on_grid.affine, GRID.affine)
    assert np.allclose(on_grid.dataobj, values)
    assert np.allclose(on_scan.affine, GRID.affine @ turned)
    assert np.allclose(np.asarray(on_scan.dataobj), values[::-1, :, ::-1])


def test_known_slices_are_compared_with_chance(tmp_path):
    """Known on a grid of 6 mm, asked for on one of 12 mm."""
    save(scan(0, origin=Origin.SIMULATED), tmp_path / "head.nii.gz")
    fine = {"simulated": True, "carries": {"age": {"sagittal": [8, 9, 10, 11, 12]}}, "spacing_mm": [6, 6, 6],
            "shape": [31, 37, 31]}  # fmt: skip
    (tmp_path / "head.json").write_text(json.dumps(fine))
    view = attend([LookedAt("head", tmp_path / "head.nii.gz")], [model()], tmp_path / "out", device="cpu").views[0]
    assert np.flatnonzero(view.changed).tolist() == [4, 5, 6]
    assert view.by_chance == pytest.approx(3 / 16)
    assert view.share_on_changed == pytest.approx(sum(view.weights[4:7]))


def test_a_look_that_is_stopped_leaves_nothing_and_one_that_is_repeated_replaces_the_earlier(scans, tmp_path):
    out = tmp_path / "out"
    calls = iter(range(1000))
    with pytest.raises(ReconstructionStopped):
        attend(scans, [model()], out, device="cpu", should_stop=lambda: next(calls) > 3)
    assert list(tmp_path.iterdir()) == []
    attend(scans, [model()], out, device="cpu")
    with pytest.raises(ReconstructionStopped):
        attend(scans, [model()], out, device="cpu", should_stop=lambda: True)
    assert len(read_record(out).views) == 2
    attend(scans[:1], [model()], out, with_map=False, device="cpu")
    assert len(read_record(out).views) == 1
    assert not list(out.glob("*-map*"))
    (out / "mine.txt").write_text("precious")
    with pytest.raises(BadInput, match=r"holds other files, such as mine\.txt"):
        attend(scans[:1], [model()], out, device="cpu")
    assert (out / "mine.txt").read_text() == "precious"


def test_the_same_look_gives_the_same_bytes(scans, tmp_path):
    for name in ("a", "b"):
        attend(scans[:1], [model()], tmp_path / name, with_sanity=True, device="cpu")
    for path in sorted((tmp_path / "a").iterdir()):
        if path.name != "attention.json":
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    first, second = (read_record(tmp_path / name).as_record() | {"out": ""} for name in ("a", "b"))
    assert first == second


def test_another_slicing_is_for_networks_without_position_codes(scans, tmp_path):
    free = attend(scans[:1], [model(positions="off")], tmp_path / "out", slicing="coronal", device="cpu")
    assert len(free.views[0].weights) == 19
    assert "coronal ones are new to it" in free.warnings[0]
    with pytest.raises(BadInput, match="a position code for each sagittal slice"):
        attend(scans[:1], [model()], tmp_path / "no", slicing="coronal", device="cpu")
    with pytest.raises(BadInput, match="no slicing 'oblique'"):
        attend(scans[:1], [model(positions="off")], tmp_path / "no", slicing="oblique", device="cpu")
    assert not (tmp_path / "no").exists()


def test_what_does_not_go_together_is_refused(scans, tmp_path):
    with pytest.raises(BadInput, match="grid of 12 mm and tiny-1 at one of 14 mm"):
        attend(scans[:1], [model(0), model(1, spacing_mm=14.0)], tmp_path / "out", device="cpu")
    odd = model()
    odd.network.grid = (16, 19, 15)
    with pytest.raises(BadInput, match="16 × 19 × 15 voxels, which is no common grid"):
        attend(scans[:1], [odd], tmp_path / "out", device="cpu")
    with pytest.raises(BadInput, match="nothing to look at"):
        attend([], [model()], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_networks_for_one_label_are_compared(scans, tmp_path):
    networks = [model(seed) for seed in range(3)]
    found = attend(scans[:1], networks, tmp_path / "out", with_map=False, with_sanity=True, device="cpu")
    assert any("maps of 3 networks for 'age' agree" in sentence for sentence in found.sentences)


def test_networks_of_one_title_are_told_apart(scans, tmp_path):
    twins = [dataclasses.replace(model(seed), title="age", source=f"runs/{seed}/age") for seed in range(2)]
    found = attend(scans[:1], twins, tmp_path / "out", with_map=False, device="cpu")
    assert [view.title for view in found.views] == ["runs/0/age", "runs/1/age"]
    assert len({view.name for view in found.views}) == 2


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0])
def test_a_mean_map_that_is_none_is_refused(weight):
    record = dataclasses.asdict(Facts(AGE)) | {"mean_attention": [1.0, weight]}
    with pytest.raises(ValueError, match="no weight"):
        Facts.from_record(record)


@pytest.fixture
def comparison(scans, tmp_path):
    """As `study.board` leaves it: a reference and two methods."""
    folder = tmp_path / "board"
    folder.mkdir()
    for number, name in enumerate(("reference", "zero-filled", "LFT-0")):
        save(scan(number), folder / f"{name}.nii.gz")
    methods = [{"name": "zero-filled", "image": "zero-filled.npy"}, {"name": "LFT (0)", "image": "LFT-0.npy"}]
    (folder / "board.json").write_text(json.dumps({"reference": "reference.npy", "methods": methods}))
    return folder


def test_a_comparison_is_looked_at_from_its_reference_on(comparison, tmp_path):
    path = tmp_path / "tiny.safetensors"
    one = model()
    settings = {"grid": list(GRID.shape), "widths": [4, 8], "features": 8, "code": 6}
    save_cohort_model(path, one.network, settings, Facts(AGE, Preparation(SPACING_MM)))
    told = []
    fields = {"board": str(comparison), "models": [str(path)], "out": str(tmp_path / "out"), "device": "cpu"}
    result = json.loads(json.dumps(TASKS["attend"](fields, told.append, lambda: False), allow_nan=False))
    assert [view["name"] for view in result["views"]] == ["reference", "zero-filled", "LFT (0)"]
    assert [view["difference"] is None for view in result["views"]] == [True, False, False]
    assert result == json.loads((tmp_path / "out" / "attention.json").read_text(encoding="utf-8"))
    assert {record["event"] for record in told} == {"Progress"}
    assert all(0 <= record["done"] <= record["total"] for record in told)


def test_reconstructions_lie_where_their_reference_lies(tmp_path):
    """Centred by itself, an image with a bright artefact beside the head would be moved, and its slices with it."""
    voxels = head(0)
    voxels[:, :, :3] = 0  # the middle of the tissue is not that of the grid
    save(Scan.from_file_order(voxels, GRID.affine, name="reference"), tmp_path / "reference.nii.gz")
    worse = voxels.copy()
    worse[1:15, 1:18, 13:15] = voxels.max()
    save(Scan.from_file_order(worse, GRID.affine, name="method"), tmp_path / "method.nii.gz")
    centred = {"preparation": Preparation(SPACING_MM, placement="centre")}
    one = model()
    one = dataclasses.replace(one, facts=dataclasses.replace(one.facts, **centred))
    record = {"reference": "reference.npy", "methods": [{"name": "method", "image": "method.npy"}]}
    (tmp_path / "board.json").write_text(json.dumps(record))
    out = tmp_path / "out"
    attend(of_comparison(tmp_path), [one], out, with_map=False, device="cpu")
    reference, method = (np.load(out / f"0{number}-volume.npy") for number in range(2))
    inside = (reference > 0)[:, :, :10]
    assert np.corrcoef(reference[:, :, :10][inside], method[:, :, :10][inside])[0, 1] > 0.9999
    attend([LookedAt("alone", tmp_path / "method.nii.gz")], [one], tmp_path / "alone", with_map=False, device="cpu")
    alone = np.load(tmp_path / "alone" / "00-volume.npy")
    assert np.corrcoef(reference[:, :, :10][inside], alone[:, :, :10][inside])[0, 1] < 0.99


def test_all_reconstructions_share_what_is_known_of_their_scan(comparison):
    assert {one.version_of for one in of_comparison(comparison)} == {comparison / "reference.nii.gz"}


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"reference": null, "methods": [{"name": "a", "image": "../b.npy"}]}',
     '{"reference": null, "methods": [{"name": 1, "image": "b.npy"}]}', '{"reference": "gone.npy", "methods": []}'],
)  # fmt: skip
def test_what_is_no_comparison_is_refused(text, tmp_path):
    (tmp_path / "board.json").write_text(text)
    with pytest.raises(BadInput, match="compar"):
        of_comparison(tmp_path)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "no 'out'"),
        ({"out": "o"}, "names no models"),
        ({"out": "o", "models": ["a"]}, "names no scans"),
        ({"out": "o", "models": ["a"], "inputs": [{"name": "x"}]}, "no 'path'"),
        ({"out": "o", "models": ["a"], "inputs": [{"name": "x", "path": "y"}], "map": "yes"}, "give true or false"),
        ({"out": "o", "models": ["a"], "inputs": [{"name": "x", "path": "y"}], "slicing": 3}, "'slicing' is 3"),
        ({"out": "o", "models": ["a"], "inputs": [{"name": "x", "path": "y"}], "seed": True}, "whole number"),
        ({"out": "o", "models": ["a"], "inputs": [{"name": "x", "path": "y"}]}, "no model called 'a'"),
    ],
)
def test_commands_that_cannot_be_followed_get_one_sentence(fields, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=complaint):
        TASKS["attend"](fields, lambda record: None, lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_classes_and_missing_maps_are_written_too(scans, tmp_path):
    view = attend(scans[:1], [model(label=DISEASE)], tmp_path / "out", with_map=False, device="cpu").views[0]
    assert (view.classes, view.task, view.map) == (("healthy", "diseased"), "binary", None)
    rows = (tmp_path / "out" / "slices.csv").read_text().splitlines()
    assert len(rows) == 17
    assert rows[1].startswith("first,first,tiny-0,sagittal,0,90,True,")
