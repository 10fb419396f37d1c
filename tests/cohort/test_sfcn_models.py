"""SFCN model files: what they say of themselves is kept, what they do not say is assumed as published and told."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from small_slice_sets import network as slice_set

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.model import open_cohort_model
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse import model as module
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.model import SfcnFacts, class_order, open_sfcn, save_sfcn
from napari_mritransfer.cohort.told import bins_told, read_told
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.transfer.model import transfer
from napari_mritransfer.zoo.download import NotFetched, git_blob_sha1
from napari_mritransfer.zoo.weights import UnreadableWeights

SETTINGS = {"widths": [2, 3, 4], "outputs": 4, "grid": [9, 11, 8]}
FACTS = SfcnFacts(
    Label("age", unit="weeks"), Bins(20.0, 5.0, 4, 2.5), Preparation(spacing_mm=3.0, normalisation="mean"), False,
    "MAE 2 weeks over 12 scans", True, {"data": "simulated", "seed": 3},
)  # fmt: skip


def small(**changes):
    torch.manual_seed(0)
    return SFCN(**SETTINGS | changes).eval()


@pytest.fixture
def path(tmp_path):
    save_sfcn(tmp_path / "own.safetensors", small(), SETTINGS, FACTS)
    return tmp_path / "own.safetensors"


def published(path, outputs=40):
    """A file that says nothing but its weights."""
    torch.save({f"module.{name}": tensor for name, tensor in full_size(outputs).state_dict().items()}, path)
    return str(path)


def full_size(outputs):
    torch.manual_seed(0)
    return SFCN([2, 2, 2, 2, 2, 3], outputs)


def test_a_network_keeps_all_that_is_known_of_it(path):
    model = open_sfcn(str(path))
    assert (model.facts, model.settings, model.notes) == (FACTS, SETTINGS, ())
    assert (model.source, model.title, model.label) == (str(path), "own.safetensors", FACTS.label)
    volumes = torch.rand(1, 1, *SETTINGS["grid"])
    assert torch.equal(model.network(volumes), small()(volumes))
    assert not model.network.training


def test_equal_networks_are_equal_files_with_one_fingerprint(path, tmp_path):
    save_sfcn(tmp_path / "again.safetensors", small(), SETTINGS, FACTS)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    other = small()
    other.classifier.conv_6.bias.data[0] += 1e-6
    save_sfcn(tmp_path / "other.safetensors", other, SETTINGS, FACTS)
    prints = [open_sfcn(str(tmp_path / f"{name}.safetensors")).sha256 for name in ("own", "again", "other")]
    assert prints[0] == prints[1] != prints[2]


@torch.no_grad()
def test_factors_of_a_strategy_are_folded_in(tmp_path):
    network, volumes = small(), torch.rand(1, 1, *SETTINGS["grid"])
    transfer(network, "lft", part=network.feature_part)
    for name, parameter in network.named_parameters():
        if "scale_minus_one" in name or name.endswith("shift"):
            parameter.add_(0.1)
    changed = network(volumes)
    save_sfcn(tmp_path / "lft.safetensors", network, SETTINGS, FACTS)
    torch.testing.assert_close(open_sfcn(str(tmp_path / "lft.safetensors")).network(volumes), changed)
    assert not torch.allclose(small()(volumes), changed)


def test_a_folder_holds_its_best_network(path, tmp_path):
    folder = tmp_path / "run-7"
    folder.mkdir()
    with pytest.raises(UnreadableWeights, match="There is no network called"):
        open_sfcn(str(folder))
    shutil.copy(path, folder / "best.safetensors")
    assert open_sfcn(str(folder)).title == "run-7"


def test_files_that_say_nothing_are_taken_as_published(tmp_path):
    age = open_sfcn(published(tmp_path / "age.p"))
    assert age.facts == SfcnFacts(Label("age", unit="years"), Bins(), Preparation(1.0, "mean"), brain_only=True)
    assert age.notes == (
        "age.p: It does not say how scans were prepared; as published, brains alone on the MNI grid at 1 mm, "
        "divided by their mean, were assumed.",
        "age.p: It does not say what it predicts; age in years was assumed.",
        "age.p: It does not say where its bins lie; 42 to 82 was assumed, as published.",
    )
    sex = open_sfcn(published(tmp_path / "sex.p", 2))
    assert (sex.label, sex.facts.bins) == (Label("sex", "binary", classes=("female", "male")), None)
    assert any("female before male" in note for note in sex.notes)
    three = open_sfcn(published(tmp_path / "three.p", 3)).label
    assert (three.task, three.classes) == ("classes", ("class 0", "class 1", "class 2"))


@pytest.mark.parametrize(
    ("told", "outputs", "label", "bins"),
    [
        ("label=age,unit=weeks,bins=20/40", 40, Label("age", unit="weeks"), Bins(20.0, 0.5, 40, 0.5)),
        ("label=bmi", 40, Label("bmi"), Bins()),
        ("bins=5/25", 10, Label("age", unit="years"), Bins(5.0, 2.0, 10, 2.0)),
        ("label=sex,classes=male/female", 2, Label("sex", "binary", classes=("male", "female")), None),
    ],
)
def test_what_a_person_tells_counts_more_than_what_is_usual(tmp_path, told, outputs, label, bins):
    model = open_sfcn(published(tmp_path / "told.p", outputs), **read_told(told))
    assert (model.label, model.facts.bins) == (label, bins)
    assert not any("what it predicts" in note for note in model.notes if "label" in told)
    assert not any("its bins" in note for note in model.notes if "bins" in told)


@pytest.mark.parametrize(
    ("told", "outputs", "said"),
    [
        ("label=age", 2, "2 outputs does not say which values of 'age' they are; tell it, such as bins=42/82"),
        ("label=sex,classes=f/m,bins=0/1", 2, "Bins are for numbers, and 'sex' has classes"),
        ("label=sex,classes=f/m", 40, "has 40 outputs, but 'sex' needs 2"),
        ("bins=82/42", 40, "are no range; write both ends"),
        ("bins=42", 40, "are no range"),
        ("bins=nan/3", 40, "are no range"),
    ],
)
def test_what_was_told_has_to_fit(tmp_path, told, outputs, said):
    with pytest.raises(BadInput, match=said):
        open_sfcn(published(tmp_path / "told.p", outputs), **read_told(told))


def test_a_file_that_says_it_itself_knows_better(path):
    model = open_sfcn(str(path), **read_told("label=sex,classes=f/m"))
    assert model.facts == FACTS
    assert "what was told of it was not used" in model.notes[0]
    assert bins_told({}, 40) is None


def test_published_networks_are_opened_by_name_once_they_are_there(tmp_path, monkeypatch):
    """And only if git would know them."""
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    with pytest.raises(NotFetched, match="mritransfer models fetch sfcn-age"):
        open_sfcn("sfcn-age")
    path = published(tmp_path / "sfcn-age.p")
    with pytest.raises(UnreadableWeights, match="is not the file that was published as sfcn-age; delete it"):
        open_sfcn("sfcn-age")
    entry = next(row for row in module.PUBLISHED if row.name == "sfcn-age")
    known = replace(entry, git_blob_sha1=git_blob_sha1(tmp_path / "sfcn-age.p"))
    monkeypatch.setattr(module, "PUBLISHED", (known,))
    monkeypatch.setattr(module, "published_weights", lambda name, kind: known if name == known.name else None)
    model = open_sfcn("sfcn-age")
    assert (model.title, model.source, model.notes) == (known.title, "sfcn-age", ())
    assert open_sfcn(path).notes == (), "the same file at another place"


@pytest.mark.parametrize(
    "change",
    [
        {"bins": None},
        {"bins": {"start": 20.0, "width": -5.0, "count": 4, "sigma": 2.5}},
        {"bins": {"start": 20.0}},
        {"label": {"name": "age", "task": "binary", "unit": "", "classes": ["a", "b"], "mean": 0.0, "std": 1.0}},
        {"label": None},
        {"preparation": {"spacing_mm": 0.0}},
        {"preparation": {"colour": "red"}},
    ],
)
def test_facts_that_make_no_sense_are_refused(path, tmp_path, change):
    metadata = {"architecture": "sfcn", "settings": json.dumps(SETTINGS)}
    record = json.dumps(FACTS.as_record() | change)
    (tmp_path / "bad.safetensors").write_bytes(serialised(small().state_dict(), metadata | {"reuse": record}))
    with pytest.raises(UnreadableWeights, match=r"bad\.safetensors does not describe its label as it should"):
        open_sfcn(str(tmp_path / "bad.safetensors"))


def test_as_many_bins_as_outputs(path, tmp_path):
    save_sfcn(tmp_path / "five.safetensors", small(), SETTINGS, replace(FACTS, bins=Bins(count=5)))
    with pytest.raises(UnreadableWeights, match="has 4 outputs, but 'age' needs 5"):
        open_sfcn(str(tmp_path / "five.safetensors"))


def test_networks_of_other_kinds_are_refused_both_ways(path, tmp_path):
    other = slice_set().state_dict()
    torch.save({f"net.{name}": tensor for name, tensor in other.items()}, tmp_path / "slices.pt")
    with pytest.raises(UnreadableWeights, match=r"slices\.pt holds a network of another kind; choose an SFCN"):
        open_sfcn(str(tmp_path / "slices.pt"))
    with pytest.raises(UnreadableWeights, match=r"own\.safetensors holds an SFCN, which sees whole brains"):
        open_cohort_model(str(path))
    with pytest.raises(UnreadableWeights, match=r"choose one of: .*sfcn-age, sfcn-sex, or give a path"):
        open_sfcn("nobody")


@pytest.mark.parametrize(
    ("own", "table", "order"),
    [
        (("female", "male"), ("female", "male"), (0, 1)),
        (("female", "male"), ("M", "F"), (1, 0)),
        (("Women", "men"), ("man", "woman"), (1, 0)),
        (("female", "male"), ("0", "1"), None),  # nobody can tell
        (("female", "male"), ("F", "M", "X"), None),
        (("female", "male"), ("F", "female"), None),
        (("no", "yes"), ("Yes", "No"), (1, 0)),
        (("0", "1"), ("0", "1"), (0, 1)),
        (("a", "b", "c"), ("C", "A", "B"), (1, 2, 0)),  # a lies second among the table's
        (("a", "b", "c"), ("a", "b"), None),
    ],
)
def test_classes_are_found_in_a_table_by_their_names(own, table, order):
    task = "binary" if len(own) == 2 else "classes"
    assert class_order(Label("label", task, classes=own), table) == order
