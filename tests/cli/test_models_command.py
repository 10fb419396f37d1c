"""`mritransfer models …`: nothing is downloaded without a word, and what was fetched is found by its name."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from napari_mritransfer.cli import models as command
from napari_mritransfer.cli.app import app
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.zoo import download
from napari_mritransfer.zoo.card import UnknownModel, model_cards
from napari_mritransfer.zoo.cohort_card import cohort_cards
from napari_mritransfer.zoo.published import PUBLISHED, published_weights
from napari_mritransfer.zoo.weights import UnreadableWeights, load_file, read_weights


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def fetched(monkeypatch):
    """Names asked of a download that always works."""
    names = []

    def fetch(entry, on_progress):
        names.append(entry.name)
        on_progress(0, None)
        on_progress(4, 4)
        path = download.cache_folder() / entry.file_name
        path.write_bytes(b"done")
        return path

    monkeypatch.setattr(command.download, "fetch", fetch)
    return names


def call(*arguments, typed=""):
    return CliRunner().invoke(app, ["models", *arguments], input=typed)


def test_alone_it_still_lists_the_shipped_models():
    alone = call()
    assert alone.exit_code == 0, alone.output
    assert all(card.name in alone.stdout for card in model_cards())
    assert "mritransfer models list" in alone.stdout
    rows = json.loads(call("--json").stdout)
    assert [row["name"] for row in rows if row["kind"] == "reconstruction"] == [card.name for card in model_cards()]


def test_the_list_holds_what_others_published_with_licence_size_and_place(cache):
    (cache / PUBLISHED[0].file_name).touch()
    rows = {row["name"]: row for row in json.loads(call("list", "--json").stdout)}
    n_shipped = len(model_cards()) + len(cohort_cards())
    assert [row["shipped"] for row in rows.values()] == [True] * n_shipped + [False] * len(PUBLISHED)
    assert rows[PUBLISHED[0].name]["here"] is True
    assert rows[PUBLISHED[1].name]["here"] is False
    plain = " ".join(call("list").stdout.split())
    for entry in PUBLISHED:
        assert entry.name in plain
        assert " ".join(entry.licence.split()) in plain
        assert entry.about in plain
    assert plain.count(" here, ") == 1


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_nothing_is_downloaded_without_a_word(fetched, typed):
    result = call("fetch", "istanet-brain-20", typed=typed)
    assert result.exit_code == 2
    assert "Nothing was downloaded" in result.stderr
    for fact in ("none stated", "about 1 MB", str(published_weights("istanet-brain-20").url)):
        assert fact in result.stdout
    assert fetched == []


def test_a_program_has_to_say_yes(fetched):
    result = call("fetch", "istanet-brain-20", "--json", typed="y\n")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"].startswith("Nothing was downloaded")
    assert fetched == []
    row = json.loads(call("fetch", "istanet-brain-20", "--yes", "--json").stdout)
    assert row["here"] is True
    assert row["path"].endswith("istanet-brain-20.pkl")


def test_a_word_fetches_and_a_second_time_needs_none(fetched):
    assert "is here" in call("fetch", "istanet-brain-20", typed="y\n").stdout
    assert "is here" in call("fetch", "istanet-brain-20").stdout
    assert fetched == ["istanet-brain-20"] * 2  # the second only verifies what is there


def test_encoders_are_listed_and_fetched_like_networks(fetched):
    rows = {row["name"]: row for row in json.loads(call("list", "--json").stdout)}
    assert {row["kind"] for row in rows.values()} >= {"reconstruction", "encoder"}
    assert rows["imagenet-resnet18"]["kind"] == "encoder"
    told = " ".join(call("fetch", "imagenet-resnet18", typed="y\n").stdout.split())
    assert "is here" in told
    assert "only the first 8 of 64 digits are known (from the name of the file)" in told
    assert "non-commercial research" in told
    assert fetched == ["imagenet-resnet18"]


def test_an_encoder_is_no_model_to_reconstruct_with(fetched):
    """Not even once it is on this computer."""
    call("fetch", "imagenet-resnet18", "--yes")
    with pytest.raises(UnknownModel, match=r"^'imagenet-resnet18' does not reconstruct images; choose one of: multi"):
        open_model("imagenet-resnet18")


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_a_network_that_predicts_is_no_model_to_reconstruct_with(tmp_path, ending):
    path, again = tmp_path / "age.safetensors", tmp_path / f"age.{ending}"
    settings = '{"widths": [2, 3], "features": 5, "code": 4, "positions": "off"}'
    call("new", "sliceset", "--settings", settings, "--out", str(path))
    if ending == "pt":
        torch.save({"model": read_weights(path)[0], "optimizer": {}}, again)
    with pytest.raises(UnreadableWeights, match=rf"age\.{ending} holds a network that predicts a label from a volume"):
        open_model(str(again))


def test_unknown_names_list_those_there_are(fetched):
    result = call("fetch", "multiscale-t1")
    assert result.exit_code == 2
    assert "There are no published weights called 'multiscale-t1'" in " ".join(result.stderr.split())
    assert "istanet-brain-50" in result.stderr.replace("\n", "")


def test_a_failed_download_is_one_sentence(monkeypatch):
    entry = replace(published_weights("istanet-brain-10"), url="http://127.0.0.1:9/weights.pkl")
    monkeypatch.setattr(command, "published_weights", lambda name, kind: entry)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    result = call("fetch", entry.name, "--yes", "--json")
    assert result.exit_code == 2
    assert "could not be downloaded from http://127.0.0.1:9/weights.pkl" in json.loads(result.stdout)["error"]


def test_a_fetched_file_is_verified_before_it_is_called_good(cache):
    entry = published_weights("istanet-brain-10")
    (cache / entry.file_name).write_bytes(b"weights")
    (cache / f"{entry.file_name}.sha256").write_text(hashlib.sha256(b"weights").hexdigest())
    assert "is here" in call("fetch", entry.name).stdout


def test_a_new_network_can_be_trained_from_nothing(tmp_path):
    path = tmp_path / "fresh.safetensors"
    again = tmp_path / "again.safetensors"
    for out in (path, again):
        command = ["models", "new", "unet", "--settings", '{"chans": 4, "pools": 2}', "--out", str(out)]
        assert CliRunner().invoke(app, command).exit_code == 0
    assert path.read_bytes() == again.read_bytes(), "one seed, one network"
    network, metadata = load_file(path)
    assert metadata["architecture"] == "unet"
    assert network.down_sample_layers[0].layers[0].out_channels == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transformer"], "not known here"),
        (["unet", "--settings", "chans=4"], "not JSON"),
        (["unet", "--settings", "[4]"], "not a JSON object"),
        (["unet", "--settings", '{"width": 4}'], "do not make sense"),
        (["unet", "--settings", '{"chans": 100000}'], "too large"),
    ],
)
def test_a_network_that_cannot_be_is_refused(arguments, said, tmp_path):
    path = tmp_path / "fresh.safetensors"
    result = CliRunner().invoke(app, ["models", "new", *arguments, "--out", str(path)])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not path.exists()
