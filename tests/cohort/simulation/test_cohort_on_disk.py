"""A simulated cohort as a folder: who is in it, what its files say of themselves, and that it is there whole or not."""

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.simulation import SimulationStopped, Truth, head_names, load_head, simulate_cohort
from napari_mritransfer.cohort.simulation.plan import Plan
from napari_mritransfer.io import load
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.scan import Origin

HEADS = ("patient01", "patient04", "studyforrest")
SAMPLES = Path(str(resources.files("napari_mritransfer") / "resources" / "samples"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return simulate_cohort(tmp_path_factory.mktemp("cohorts") / "small", subjects=4, seed=2, spacing_mm=4).parent


def rows(table: Path) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_heads_ages_sites_and_disease_are_balanced_against_each_other():
    people = [Plan(HEADS, 11).subject(number) for number in range(72)]
    assert Counter((one.head, one.diseased) for one in people) == dict.fromkeys(
        ((head, ill) for head in HEADS for ill in (False, True)), 12
    )
    for head in HEADS:
        for ill in (False, True):
            alike = [one for one in people if (one.head, one.diseased) == (head, ill)]
            assert set(Counter(one.site for one in alike).values()) == {4}
            assert Counter(min(int((one.age - 45) // 10), 3) for one in alike) == dict.fromkeys(range(4), 3)
    ages = np.array([one.age for one in people])
    for other in ("diseased", "head", "site"):
        for level in {getattr(one, other) for one in people}:
            group = np.array([getattr(one, other) == level for one in people])
            assert abs(ages[group].mean() - ages[~group].mean()) < 2.5  # of a standard deviation of 11.5


def test_the_order_of_subjects_tells_nothing():
    """Runs of one label or head would let a network that sees subjects in order learn the order."""
    people = [Plan(HEADS, 5).subject(number) for number in range(60)]
    diseased = np.array([one.diseased for one in people], dtype=float)
    assert abs(np.corrcoef(diseased[1:], diseased[:-1])[0, 1]) < 0.35
    assert len({one.head for one in people[:12]}) == 3


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_share_of_diseased_is_the_same_in_every_head(share):
    people = [Plan(HEADS, 1, share).subject(number) for number in range(60)]
    for head in HEADS:
        assert sum(one.diseased for one in people if one.head == head) == round(20 * share)


def test_a_larger_cohort_begins_with_the_smaller_one(folder, tmp_path):
    larger = simulate_cohort(tmp_path / "larger", subjects=5, seed=2, spacing_mm=4).parent
    small, large = contents(folder), contents(larger)
    assert {name: data for name, data in large.items() if name in small and name.startswith("sub-")} == {
        name: data for name, data in small.items() if name.startswith("sub-")
    }


def test_test_only_heads_are_left_out_unless_named(folder):
    assert not {row["head"] for row in rows(folder / "participants.tsv")} & set(head_names(roles=("test only",)))
    assert "patient12" in head_names(roles=("test only",))


def test_everything_says_that_it_is_simulated(folder):
    said = json.loads((folder / "dataset_description.json").read_text())
    assert said["simulated"] is True
    assert "Simulated" in said["is"]
    assert "No participant exists" in said["is_not"]
    for row in rows(folder / "participants.tsv"):
        image = folder / row["participant_id"] / "anat" / f"{row['participant_id']}_T1w.nii.gz"
        assert load(image).origin is Origin.SIMULATED
        header = nibabel.load(image).header
        assert b"simulated" in bytes(header["descrip"])
        assert header.get_data_dtype() == np.int16
        assert json.loads(image.with_suffix("").with_suffix(".json").read_text())["simulated"] is True


def test_files_lie_on_the_common_grid_and_their_sidecars_agree_with_the_table(folder):
    columns = json.loads((folder / "participants.json").read_text())
    for row in rows(folder / "participants.tsv"):
        stem = folder / row["participant_id"] / "anat" / f"{row['participant_id']}_T1w"
        image = nibabel.load(f"{stem}.nii.gz")
        truth = Truth.from_json(Path(f"{stem}.json").read_text(encoding="utf-8"))
        assert image.shape == Grid(4).shape == truth.shape
        assert np.allclose(image.affine, Grid(4).affine)
        assert float(row["age"]) == truth.age
        assert (row["disease"] == "diseased") is truth.diseased is bool(truth.changed["disease"]["sagittal"])
        assert row["head"] == truth.head
        assert set(row) == {"participant_id", *columns}


def test_seeds_reproduce_files_to_the_bit(folder, tmp_path):
    again = simulate_cohort(tmp_path / "again", subjects=4, seed=2, spacing_mm=4).parent
    other = simulate_cohort(tmp_path / "other", subjects=4, seed=3, spacing_mm=4).parent
    assert contents(again) == contents(folder)
    assert contents(other) != contents(folder)


def test_progress_is_told_and_a_stop_leaves_nothing(tmp_path):
    told = []
    with pytest.raises(SimulationStopped):
        simulate_cohort(
            tmp_path / "stopped", subjects=3, seed=0, spacing_mm=4,
            on_progress=lambda done, total: told.append((done, total)), should_stop=lambda: len(told) == 2,
        )  # fmt: skip
    assert told == [(1, 3), (2, 3)]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for target in (tmp_path / "mine", tmp_path / "mine" / "thesis.txt"):
        with pytest.raises(BadInput, match="choose a"):
            simulate_cohort(target, subjects=1, seed=0, spacing_mm=4)
    assert contents(tmp_path) == {"mine/thesis.txt": b"years of work"}


def test_an_earlier_simulated_cohort_is_replaced_as_a_whole_but_not_if_something_was_added(tmp_path):
    simulate_cohort(tmp_path / "cohort", subjects=2, seed=0, spacing_mm=4)
    simulate_cohort(tmp_path / "cohort", subjects=1, seed=1, spacing_mm=4)
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]
    assert sorted(path.name for path in (tmp_path / "cohort").glob("sub-*")) == ["sub-001"]
    (tmp_path / "cohort" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="other files"):
        simulate_cohort(tmp_path / "cohort", subjects=1, seed=1, spacing_mm=4)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"subjects": 0}, "0 subjects cannot"),
        ({"spacing_mm": 1.0}, "voxels of 1 mm"),
        ({"heads": []}, "at least one head"),
        ({"heads": ["patient01", "patient01"]}, "twice"),
        ({"heads": ["nobody"]}, "no head 'nobody'"),
        ({"seed": -1}, "seed of -1"),
        ({"diseased_share": 1.5}, "share of 1.5"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(asked, says, tmp_path):
    with pytest.raises(BadInput, match=says):
        simulate_cohort(tmp_path / "new", **({"subjects": 1, "seed": 0} | asked))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", head_names())
def test_shipped_heads_lie_on_the_common_grid_and_air_is_exactly_zero(name):
    head = load_head(name)
    assert head.voxels.shape == Grid(2).shape
    assert np.allclose(head.affine, Grid(2).affine)
    assert 0.5 < np.mean(head.voxels == 0) < 0.85
    assert head.voxels[:3].max() == head.voxels[-3:].max() == 0  # to the right and the left of every head
    white = head.voxels[30:61, 35:75, 50:56]
    assert np.median(white) == pytest.approx(1, abs=0.25)
    for side, line in zip((1, -1), head.ventricles, strict=True):
        assert (line[:, 0] * side > 0).all()


def test_the_simulated_sample_is_made_of_the_head_nobody_trains_on():
    scan = load(SAMPLES / "simulated_head.nii.gz")
    truth = Truth.from_json((SAMPLES / "simulated_head.json").read_text(encoding="utf-8"))
    assert scan.origin is Origin.SIMULATED
    assert scan.image.shape == (1, 91, 218, 182)
    assert (truth.head, truth.head_role, truth.diseased) == ("patient12", "test only", True)
    assert truth.shape == Grid(2).shape
    assert all(truth.changed["disease"].values())
    assert np.count_nonzero(scan.image[0, :, :8, :8]) > 0  # noise in air: no mask before k-space
