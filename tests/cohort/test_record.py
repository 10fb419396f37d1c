"""The record of attention maps: what was written is read back, and a stranger's folder gives one sentence."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.record import (
    RECORD,
    AttentionRecord,
    View,
    read_array,
    read_record,
    write_array,
    write_record,
)
from napari_mritransfer.io.errors import BadInput

GRID = Grid(14)


def view(**changes):
    slices = 13
    uniform = (1 / slices,) * slices
    return View(
        **{
            "name": "head", "input": "head", "source_path": "/data/head.nii.gz", "model": "sim-age", "title": "Age",
            "label": "age", "unit": "years", "task": "regression", "classes": None, "prediction": 63.25,
            "prediction_text": "63.2 years", "spread": 1.1, "spread_text": "sd 1.1 years over 30 dropout draws",
            "expected_error": "", "difference": None, "difference_text": "", "slicing": "sagittal",
            "kind": "attention", "weights": uniform, "relative": (1.0,) * slices, "effective_slices": 13.0,
            "mean_relative": None, "relative_minus_mean": None, "present": (True,) * slices,
            "positions_mm": tuple(GRID.positions_mm("sagittal")), "changed": None, "volume": "00-volume.npy",
            "map": "00-map.npy",
        } | changes
    )  # fmt: skip


def record(*views):
    affine = tuple(tuple(row) for row in GRID.affine.tolist())
    texts = ("It was copied.",), ("Mind this.",), ("Found.",)
    return AttentionRecord("/results", True, 14.0, GRID.shape, affine, *texts, views or (view(),))


def damaged(**changes):
    """A record whose first view was changed."""
    rows = record().as_record()
    rows["views"][0] |= changes
    return rows


def test_what_was_written_is_read_back(tmp_path):
    full = view(
        classes=("a", "b"), task="binary", kind="contribution", changed=(True,) * 13, mean_relative=(1.0,) * 13,
        relative_minus_mean=(0.0,) * 13, difference=-0.5, contributions=(0.1,) * 13, heads=((1 / 13,) * 13,) * 2,
        share_on_changed=0.9, by_chance=0.5, sanity={"deletion": {"chosen": [1.0]}}, map=None, spread=None,
    )  # fmt: skip
    write_record(record(view(), full), tmp_path)
    assert read_record(tmp_path) == record(view(), full)
    plain = json.loads((tmp_path / RECORD).read_text(encoding="utf-8"))
    assert plain == record(view(), full).as_record()
    assert plain["grid"] == {"spacing_mm": 14.0, "shape": list(GRID.shape), "affine": GRID.affine.tolist()}
    assert {field.name for field in dataclasses.fields(View)} == set(plain["views"][0])


def test_keys_of_later_releases_are_passed_over_and_those_that_may_be_missing_may(tmp_path):
    rows = damaged(new="something")
    for name in ("contributions", "heads", "share_on_changed", "by_chance", "sanity", "mean_relative"):
        del rows["views"][0][name]
    (tmp_path / RECORD).write_text(json.dumps(rows), encoding="utf-8")
    assert read_record(tmp_path) == record()


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "7", "[" * 100_000, "\x00", '{"views": []}', json.dumps(record().as_record())[:-9],
        *(
            json.dumps(damaged(**changes))
            for changes in (
                {"weights": [0.5] * 13}, {"weights": [1.0]}, {"relative": [None] * 13}, {"relative": [True] * 13},
                {"present": [1] * 13}, {"changed": "yes"}, {"kind": "gaze"}, {"slicing": "oblique"}, {"task": "chess"},
                {"prediction": "63"}, {"prediction": float("nan")}, {"prediction": 10**400}, {"title": 3},
                {"classes": "ab"}, {"heads": [[1.0]]}, {"sanity": []}, {"volume": "../secret.npy"},
                {"volume": "/etc/passwd"}, {"map": "a/b.npy"}, {"map": "..\\b.npy"}, {"map": "config.json"},
                {"map": ".npy/.."}, {"volume": None},
            )
        ),
        json.dumps(record().as_record() | {"grid": {"spacing_mm": 14, "shape": [13, 16], "affine": []}}),
        json.dumps(record().as_record() | {"views": []}),
        json.dumps(record().as_record() | {"said": "text"}),
        json.dumps({name: value for name, value in record().as_record().items() if name != "grid"}),
    ],
)  # fmt: skip
def test_what_is_no_record_gives_one_sentence(text, tmp_path):
    (tmp_path / RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_folder_without_a_record_is_not_complete(tmp_path):
    with pytest.raises(BadInput, match="no complete attention maps"):
        read_record(tmp_path)
    with pytest.raises(BadInput, match="no complete attention maps"):
        read_record(tmp_path / "nowhere")


def test_arrays_come_back_and_others_do_not(tmp_path):
    values = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    write_array(values, tmp_path / "00-map.npy")
    assert (read_array(tmp_path, "00-map.npy", (3, 4, 5)) == values).all()
    (tmp_path / "evil.npy").write_bytes(pickle.dumps(print))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "double.npy", values.astype(float))
    np.save(tmp_path / "holes.npy", np.full((3, 4, 5), np.nan, np.float32))
    np.savez(tmp_path / "archive.npz", values)
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    (tmp_path / "empty.npy").touch()
    (tmp_path / "inside").mkdir()
    write_array(values, tmp_path / "outside.npy")
    for folder, name, shape in [
        (tmp_path, "00-map.npy", (3, 4, 6)),
        *((tmp_path, name, (3, 4, 5)) for name in (
            "evil.npy", "objects.npy", "double.npy", "holes.npy", "archive.npy", "empty.npy", "missing.npy",
        )),
        (tmp_path / "inside", "../outside.npy", (3, 4, 5)),
    ]:  # fmt: skip
        with pytest.raises(BadInput, match="look again"):
            read_array(folder, name, shape)
