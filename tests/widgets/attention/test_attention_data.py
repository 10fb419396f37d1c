"""A folder of maps becomes what is shown: in the viewer's order of slices, or a sentence says what is wrong."""

import json

import numpy as np
import pytest
from fake_maps import GRID, relative_weights, write_maps

from napari_mritransfer.cohort.grid import axis_of
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.attention_data import read_attention


@pytest.mark.parametrize("slicing", ["sagittal", "coronal", "axial"])
def test_slices_and_their_numbers_stay_together(tmp_path, slicing):
    """The scan may turn the order of slices; then everything that has an entry per slice is turned too."""
    n_slices = GRID.shape[axis_of(slicing)]
    changed = [index in (2, 3) for index in range(n_slices)]
    known = {"changed": changed, "share_on_changed": 0.4, "by_chance": 0.2}
    folder = write_maps(tmp_path / "maps", {"slicing": slicing, **known})
    (view,) = read_attention(folder).views
    numbers = relative_weights(n_slices)
    mean = relative_weights(n_slices, seed=99)
    for shown in range(n_slices):
        stored = round(float(view.volume.image[0, shown].mean())) - 1  # the fake volume's slices say which they are
        assert np.ptp(view.volume.image[0, shown]) == 0
        assert view.map.image[0, shown].mean() == pytest.approx((stored + 1) / 100)
        assert view.relative[shown] == numbers[stored]
        assert view.mean_relative[shown] == mean[stored]
        assert view.minus_mean[shown] == numbers[stored] - mean[stored]
        assert view.changed[shown] == changed[stored]
        assert view.positions_mm[shown] == GRID.positions_mm(slicing)[stored]
    assert view.volume.axes.orientation == slicing
    is_turned = view.volume.image[0, 0].mean() > view.volume.image[0, -1].mean()
    assert is_turned == (slicing == "coronal"), "coronal scans are looked at from front to back"


def test_positions_are_those_of_the_scan_in_the_patient(tmp_path):
    for slicing, axis in (("sagittal", 0), ("coronal", 1), ("axial", 2)):
        (view,) = read_attention(write_maps(tmp_path / slicing, {"slicing": slicing})).views
        index = 3
        file_index = [0, 0, 0]
        file_index[axis] = view.n_slices - 1 - index if view.volume.axes.flips[0] else index
        world = view.volume.affine @ [*file_index, 1]
        assert view.positions_mm[index] == pytest.approx(world[axis])
        assert view.place(index).startswith(f"Slice 3 (of 0 to {view.n_slices - 1}), {'xyz'[axis]} = ")


def test_views_are_told_apart_by_scan_by_network_or_by_both(tmp_path):
    def names(*views):
        data = read_attention(write_maps(tmp_path / "maps", *views))
        return [data.short(view) for view in data.views]

    assert names({}) == ["head"]
    assert names({"scan": "reference"}, {"scan": "lft"}) == ["reference", "lft"]
    assert names({}, {"model": "runs/first"}) == ["sim-age", "first"]
    both = names({"scan": "a"}, {"scan": "a", "model": "m"}, {"scan": "b"}, {"scan": "b", "model": "m"})
    assert both == ["a, sim-age", "a, m", "b, sim-age", "b, m"]


def test_findings_about_other_views_are_left_out(tmp_path):
    said = ["all: one thing.", "head: Dropping a moves it.", "lft: Dropping b moves it.", "lft: It is like noise."]
    views = ({"sentence": "Dropping a moves it."}, {"scan": "lft", "sentence": "Dropping b moves it."})
    data = read_attention(write_maps(tmp_path / "maps", *views, sentences=said))
    assert data.findings(data.views[0]) == ["Dropping a moves it.", "all: one thing."]
    assert data.findings(data.views[1]) == [
        "Dropping b moves it.", "all: one thing.", "It is like noise.",
    ]  # fmt: skip


def test_what_nobody_knows_stays_unknown(tmp_path):
    unknown = {"mean_relative": None, "relative_minus_mean": None, "changed": None, "map": None, "sentence": ""}
    (view,) = read_attention(write_maps(tmp_path / "maps", unknown)).views
    assert (view.mean_relative, view.minus_mean, view.changed, view.map, view.map_on_scan) == (None,) * 5
    assert "mean" not in view.place(0)


def test_absent_slices_and_known_truth_are_said(tmp_path):
    n_slices = GRID.shape[0]
    known = {"present": [index > 0 for index in range(n_slices)], "changed": [index == 2 for index in range(n_slices)]}
    (view,) = read_attention(write_maps(tmp_path / "maps", known)).views
    assert view.place(0).endswith("not shown to the network")
    assert view.place(2).endswith("changed by the simulation")
    assert view.place(1).endswith(f"cohort's mean {view.mean_relative[1]:.2f}")


def spoilt(record, key, value):
    record["views"][0][key] = value


@pytest.mark.parametrize(
    "break_it",
    [
        lambda record: spoilt(record, "relative", [1.0]),
        lambda record: spoilt(record, "relative", [float("nan")] * GRID.shape[0]),
        lambda record: spoilt(record, "relative", ["much"] * GRID.shape[0]),
        lambda record: spoilt(record, "slicing", "oblique"),
        lambda record: spoilt(record, "volume", "missing.npy"),
        lambda record: spoilt(record, "volume", 7),
        lambda record: spoilt(record, "present", None),
        lambda record: record.update(views=[]),
        lambda record: record.update(grid=None),
        lambda record: record["grid"].update(shape=[13, 13, 16]),
        lambda record: record["grid"].update(affine=[[0.0] * 3] * 4),
        lambda record: record.pop("warnings"),
    ],
)
def test_a_broken_record_is_refused_in_a_sentence(tmp_path, break_it):
    folder = write_maps(tmp_path / "maps")
    record = json.loads((folder / "attention.json").read_text())
    break_it(record)
    (folder / "attention.json").write_text(json.dumps(record))
    with pytest.raises(BadInput, match=r"attention maps .*; (let the network )?look again"):
        read_attention(folder)


def test_a_broken_file_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(BadInput, match="attention maps"):
        read_attention(tmp_path)
    folder = write_maps(tmp_path / "maps")
    whole = (folder / "00-map.npy").read_bytes()
    for content in (whole[:200], b"", b"\x93NUMPY", whole[:-4]):
        (folder / "00-map.npy").write_bytes(content)
        with pytest.raises(BadInput, match="attention maps"):
            read_attention(folder)
    (folder / "00-map.npy").write_bytes(whole)
    read_attention(folder)
    (folder / "attention.json").write_text("[" * 100_000)
    with pytest.raises(BadInput, match="attention maps"):
        read_attention(folder)
