"""Cards of shipped networks that predict a label: read by name, and checked before anybody believes them."""

import json
import re

import pytest
from typer.testing import CliRunner

from napari_mritransfer.cli.app import app
from napari_mritransfer.cohort.model import open_cohort_model
from napari_mritransfer.cohort.reuse.model import open_sfcn
from napari_mritransfer.zoo import cohort_card as module
from napari_mritransfer.zoo.card import UnknownModel, model_cards
from napari_mritransfer.zoo.cohort_card import BrokenCard, CohortCard, cohort_card, cohort_cards
from napari_mritransfer.zoo.weights import UnreadableWeights, load_file, sha256_of

RECORD = {
    "title": "Age of simulated heads",
    "architecture": "sliceset",
    "settings": {"pooling": "attention", "slicing": "axial", "grid": [5, 6, 4]},
    "sha256": "0" * 64,
    "parameters": 1234,
    "label": "age",
    "unit": "years",
    "task": "regression",
    "classes": [],
    "label_mean": 50.0,
    "label_std": 12.5,
    "preparation": {"spacing_mm": 2.0},
    "slicing": "axial",
    "pooling": "attention",
    "mean_attention": [0.5, 1.5, 1.2, 0.8],
    "training": {"data": "warped heads", "simulated": True, "licence": "BSD-3-Clause", "kept_out": "sub-07"},
    "metrics": {"MAE in years, 12 test scans": 3.2},
}
MEDICINE = {"task": "binary", "label": "disease", "classes": ["healthy", "diseased"], "unit": ""}
WHOLE_BRAINS = {
    "architecture": "sfcn", "settings": {"widths": [2, 3], "outputs": 20, "grid": [40, 48, 40]}, "slicing": "",
    "pooling": "", "mean_attention": [], "bins": {"start": 42, "width": 2.0, "count": 20, "sigma": 2.0},
    "brain_only": True,
}  # fmt: skip
WHOLE_BRAINS_OF_TWO = {
    **WHOLE_BRAINS, **MEDICINE, "settings": {"outputs": 2}, "bins": None, "brain_only": False,
}  # fmt: skip
shipped = pytest.mark.parametrize("card", cohort_cards(), ids=lambda card: card.name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The shipped networks' folder, with two cards in it and something else."""
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    write(tmp_path / "sim-disease.json", **MEDICINE)
    write(tmp_path / "sim-age.json")
    (tmp_path / "sim-age.safetensors").touch()
    return tmp_path


def write(path, **changes):
    path.write_text(json.dumps({**RECORD, **changes}), encoding="utf-8")


def test_cards_are_read_by_name(folder):
    assert [card.name for card in cohort_cards()] == ["sim-age", "sim-disease"]
    card = cohort_card("sim-age")
    assert card.weights == folder / "sim-age.safetensors"
    assert card.mean_attention == (0.5, 1.5, 1.2, 0.8)
    assert card.simulated
    assert card.predicts == "age in years"
    assert cohort_card("sim-disease").predicts == "disease: healthy or diseased"


def test_an_unknown_name_lists_those_there_are(folder):
    with pytest.raises(UnknownModel, match=r"^There is no network called 'sim-sex' .*: sim-age, sim-disease\.$"):
        cohort_card("sim-sex")


def test_names_are_no_paths(folder):
    for name in ("../sim-age", "sim-age.json", "", str(folder / "sim-age")):
        with pytest.raises(UnknownModel):
            cohort_card(name)


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])
def test_without_networks_there_are_no_cards(tmp_path, monkeypatch, is_there):
    monkeypatch.setattr(module, "_FOLDER", tmp_path if is_there else tmp_path / "gone")
    assert cohort_cards() == []
    with pytest.raises(UnknownModel, match=r"none is shipped, so give the path of one\.$"):
        cohort_card("sim-age")


def broken(path):
    """The reason, from a message that has to be one sentence."""
    with pytest.raises(BrokenCard) as caught:
        cohort_cards()
    sentence = r"The card (\S+) of a shipped network is damaged \((.+)\); reinstall the package\."
    told = re.fullmatch(sentence, str(caught.value))
    assert told is not None
    assert told[1] == path.name
    assert not re.search(r"[.!?]\s", told[2])
    return told[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": ""}, "'title' is no text"),
        ({"label": 3}, "'label' is no text"),
        ({"unit": None}, "'unit' is no text"),
        ({"colour": "red"}, "'colour' is unknown"),
        ({"name": "sim-age"}, "'name' is unknown"),
        ({"settings": []}, "'settings' is no JSON object"),
        ({"sha256": "abc"}, "'sha256' is no checksum"),
        ({"sha256": 3}, "expected string"),
        ({"parameters": 1.5}, "'parameters' is no count"),
        ({"parameters": True}, "'parameters' is no count"),
        ({"task": "age"}, "there is no task 'age'"),
        ({"classes": ["healthy", "diseased"]}, "2 classes are not those of a regression label"),
        ({**MEDICINE, "classes": ["healthy"]}, "1 classes are not those of a binary label"),
        ({**MEDICINE, "task": "classes"}, "2 classes are not those of a classes label"),
        ({**MEDICINE, "classes": [1, 2]}, "'classes' are no names"),
        ({"classes": 3}, "not iterable"),
        ({"label_mean": float("nan")}, "'label_mean' is no number"),
        ({"label_std": 0}, "'label_std' is no positive number"),
        ({"label_std": "wide"}, "must be real number"),
        ({"slicing": "oblique"}, "there is no slicing 'oblique'"),
        ({"slicing": "coronal"}, "'slicing' and the settings differ"),
        ({"pooling": "max"}, "'pooling' and the settings differ"),
        ({"mean_attention": [1.0, 1.0]}, "is of 2 slices, the network takes 4"),
        ({"mean_attention": [0.25] * 4}, "have a mean of 1, those of 'mean_attention' of 0.25"),
        ({"mean_attention": [2, 2, 1, -1]}, "are no weights"),
        ({"settings": {"grid": 4}}, "not subscriptable"),
        ({"settings": {"grid": [4]}}, "out of range"),
        ({"training": {"data": "heads", "licence": "MIT"}}, "does not tell 'simulated'"),
        ({"training": {"data": "heads", "licence": "MIT", "simulated": "yes"}}, "neither true nor false"),
        ({"metrics": "good"}, "'metrics' is no JSON object"),
    ],
)
def test_a_card_that_cannot_be_right_is_one_sentence(folder, changes, said):
    write(folder / "sim-age.json", **changes)
    assert said in broken(folder / "sim-age.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bins": None}, "'bins' do not tell start, width, count, sigma"),
        ({"bins": {"start": 42, "width": 2.0, "count": 20}}, "'bins' do not tell"),
        ({"bins": {"start": 42, "width": -2.0, "count": 20, "sigma": 2.0}}, "'bins' are empty"),
        ({"bins": {"start": "low", "width": 2.0, "count": 20, "sigma": 2.0}}, "must be real number"),
        ({"bins": {"start": 42, "width": 2.0, "count": 19, "sigma": 2.0}}, "20 outputs are not 19 bins"),
        ({"settings": {}}, "40 outputs are not 20 bins"),
        ({"slicing": "axial"}, "an SFCN has no slices"),
        ({"mean_attention": [1.0]}, "an SFCN has no slices"),
        ({"brain_only": "yes"}, "'brain_only' is neither true nor false"),
        ({**MEDICINE, "settings": {"outputs": 2}}, "'bins' are for numbers"),
        ({**WHOLE_BRAINS_OF_TWO, "settings": {"outputs": 3}}, "3 outputs are not 2 classes"),
        ({"architecture": "sliceset", "slicing": "axial", "pooling": "max"}, "'sliceset' has no 'bins'"),
    ],
)
def test_a_card_of_a_network_for_whole_brains_has_to_be_right_too(folder, changes, said):
    write(folder / "sim-age.json", **WHOLE_BRAINS | changes)
    assert said in broken(folder / "sim-age.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "3", b"\xff\xfe"])
def test_a_card_that_is_no_json_object_is_one_sentence(folder, text):
    (folder / "sim-age.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    broken(folder / "sim-age.json")


@pytest.mark.parametrize("name", RECORD)
def test_a_card_that_lacks_something_says_what(folder, name):
    (folder / "sim-age.json").write_text(json.dumps({key: value for key, value in RECORD.items() if key != name}))
    assert broken(folder / "sim-age.json") == f"'{name}' is missing"


def call(*arguments):
    return CliRunner().invoke(app, ["models", *arguments])


def test_the_command_line_lists_them_under_a_heading_of_their_own(folder):
    plain = " ".join(call().stdout.split())
    before, heading, after = plain.partition("Networks that predict a label from a volume")
    assert heading
    assert all(card.name in before for card in model_cards())
    for fact in ("sim-age (learned from simulated scans)", "Age of simulated heads", "age in years", "1,234", "sub-07",
                 "axial, joined by attention", "MAE in years, 12 test scans", "healthy or diseased"):  # fmt: skip
        assert fact in after
        assert fact not in before
    rows = json.loads(call("--json").stdout)
    told = [(row["kind"], row["name"]) for row in rows if row["kind"] == "prediction"]
    assert told == [("prediction", "sim-age"), ("prediction", "sim-disease")]


def test_networks_for_whole_brains_are_listed_by_what_they_see(folder):
    write(folder / "sim-sfcn-age.json", **WHOLE_BRAINS)
    write(folder / "sim-sfcn-disease.json", **WHOLE_BRAINS_OF_TWO)
    plain = " ".join(call().stdout.split()).partition("sim-sfcn-age")[2]
    assert "the whole volume, of a brain without its skull" in plain
    assert "20 from 42 to 82 years; nothing beyond is predicted" in plain
    assert "joined by" not in plain
    assert cohort_card("sim-sfcn-age").brain_only
    assert cohort_card("sim-sfcn-disease").bins is None
    with pytest.raises(UnreadableWeights, match="There is no model called 'sim-sfcn-age'; choose one of: sim-age"):
        open_cohort_model("sim-sfcn-age")


def test_the_list_of_all_holds_them_too(folder):
    rows = {row["name"]: row for row in json.loads(call("list", "--json").stdout)}
    assert (rows["sim-age"]["shipped"], rows["sim-age"]["kind"]) == (True, "prediction")
    assert rows[model_cards()[0].name]["kind"] == "reconstruction"
    assert "sim-disease" in call("list").stdout


def test_a_broken_card_ends_the_list_with_one_sentence(folder):
    write(folder / "sim-age.json", sha256="")
    result = call()
    assert result.exit_code == 2
    assert "is damaged" in " ".join(result.stderr.split())


@shipped
def test_shipped_weights_are_those_of_their_card(card: CohortCard):
    assert sha256_of(card.weights) == card.sha256
    network, metadata = load_file(card.weights)
    assert json.loads(metadata["settings"]) == dict(card.settings)
    assert sum(parameter.numel() for parameter in network.parameters()) == card.parameters
    assert {"seed", "command"} <= card.training.keys()
    if card.architecture == "sfcn":  # the file and its card say the same
        facts = open_sfcn(card.name).facts
        assert (None if facts.bins is None else facts.bins.as_record()) == card.bins
        assert facts.preparation.as_record() == dict(card.preparation)
        assert (facts.label.name, facts.label.unit, facts.label.task) == (card.label, card.unit, card.task)
        assert (facts.brain_only, facts.simulated) == (card.brain_only, card.simulated)
