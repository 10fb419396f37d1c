"""A board copied out for people: whole or not at all, and never on top of anybody's files."""

from pathlib import Path

import numpy as np
import pytest
from boards import call, names_in
from skimage.io import imread

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.study.export import export_board


def test_an_export_holds_the_board_and_the_slice_that_was_looked_at(board, tmp_path):
    out, result = board
    fields = {"board": str(out), "white": result["white"], "magnification": 5.0}
    exported = call("export", to=str(tmp_path / "deep" / "export"), slice=2, **fields)
    folder = tmp_path / "deep" / "export"
    assert set(exported["files"]) == {
        "comparison.png", "foreground.nii.gz", "metrics.csv", "metrics.json", "reference.nii.gz", "report.html",
        "tiny.nii.gz", "verdict.txt", "zero-filled.nii.gz",
    }  # fmt: skip
    assert names_in(folder) - {".mritransfer-export"} == set(exported["files"])
    assert (folder / "metrics.csv").read_bytes() == (out / "metrics.csv").read_bytes()
    first = imread(folder / "comparison.png")
    call("export", to=str(folder), slice=3, **fields)
    assert not np.array_equal(imread(folder / "comparison.png"), first)
    call("export", to=str(folder), slice=2, **fields)
    assert np.array_equal(imread(folder / "comparison.png"), first)
    call("export", to=str(folder), slice=2, **fields | {"white": result["white"] / 4})
    narrower = imread(folder / "comparison.png")
    assert narrower[..., :3].mean() > first[..., :3].mean() + 5, "brighter"
    assert names_in(tmp_path / "deep") == {"export"}, "nothing is left beside it"


def test_an_export_without_reference_has_no_table(board_without_reference, tmp_path):
    out, result = board_without_reference
    to = str(tmp_path / "export")
    exported = call("export", board=str(out), to=to, slice=5, white=result["white"], magnification=None)
    assert set(exported["files"]) == {
        "comparison.png", "metrics.json", "report.html", "tiny.nii.gz", "verdict.txt", "zero-filled.nii.gz",
    }  # fmt: skip


def test_an_export_never_touches_other_peoples_files(board, tmp_path):
    fields = {"board": str(board[0]), "slice": 2, "white": 500.0}
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(BadInput, match=r"other files, such as thesis\.txt"):
        call("export", to=str(tmp_path), **fields)
    with pytest.raises(BadInput, match="is a file"):
        call("export", to=str(tmp_path / "thesis.txt"), **fields)
    assert names_in(tmp_path) == {"thesis.txt"}
    with pytest.raises(BadInput, match="other files"):
        call("export", to=str(board[0]), **fields)
    # a file that was put beside an earlier export makes the folder foreign
    call("export", to=str(tmp_path / "export"), **fields)
    (tmp_path / "export" / "notes.txt").write_text("precious")
    with pytest.raises(BadInput, match=r"notes\.txt"):
        call("export", to=str(tmp_path / "export"), **fields)
    assert (tmp_path / "export" / "notes.txt").read_text() == "precious"


def test_the_figure_shows_the_chosen_methods_in_their_order(board, tmp_path):
    out, result = board
    look = {"slice_index": 2, "white": result["white"], "magnification": 5.0}

    def drawn(**chosen):
        export_board(out, tmp_path / "export", **look, **chosen)
        return imread(tmp_path / "export" / "comparison.png")[..., :3].astype(int)

    default = drawn()
    assert np.array_equal(drawn(methods=["zero-filled", "tiny"], black=0.0), default)
    turned = drawn(methods=["tiny", "zero-filled"])
    assert turned.shape == default.shape
    assert not np.array_equal(turned, default)
    assert drawn(methods=["tiny"]).shape[1] < default.shape[1]
    assert (tmp_path / "export" / "zero-filled.nii.gz").exists()
    assert drawn(black=result["white"] / 2).mean() < default.mean() - 2, "darker"
    with pytest.raises(BadInput, match="no method called 'nobody'"):
        drawn(methods=["nobody"])
    with pytest.raises(BadInput, match="at least one"):
        drawn(methods=[])


@pytest.mark.parametrize("broken", ["iterdir", "mkdir"])
def test_a_folder_that_is_locked_is_named_and_another_asked_for(board, tmp_path, monkeypatch, broken):
    def locked(*_arguments, **_settings):
        raise PermissionError(13, "Permission denied")

    to = tmp_path if broken == "iterdir" else tmp_path / "new"
    with monkeypatch.context() as patched:
        patched.setattr(Path, broken, locked)
        with pytest.raises(BadInput, match=r"\(Permission denied\); choose another folder to export to"):
            export_board(board[0], to, slice_index=2, white=500.0)
    assert names_in(tmp_path) == set()


def test_a_failed_export_leaves_the_earlier_one(board, tmp_path, monkeypatch):
    fields = {"board": str(board[0]), "to": str(tmp_path / "export"), "slice": 2}
    call("export", white=500.0, **fields)
    before = {path.name: path.read_bytes() for path in (tmp_path / "export").iterdir()}
    with pytest.raises(BadInput, match="window"):
        call("export", white=0.0, **fields)
    monkeypatch.setattr("napari_mritransfer.study.export.comparison_figure", _full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        call("export", white=500.0, **fields)
    assert {path.name: path.read_bytes() for path in (tmp_path / "export").iterdir()} == before
    assert names_in(tmp_path) == {"export"}


def _full_disk(*arguments, **settings):
    raise OSError(28, "No space left on device", "comparison.png")
