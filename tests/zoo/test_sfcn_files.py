"""SFCN's published files: made here in their layout, as the real ones could not be had while this was written."""

import collections
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from file_server import Offer, serving
from foreign_files import as_on_a_gpu, both_formats, refusal, rewritten, saved
from golden_runner import weights_of

from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.zoo.card import UnknownModel
from napari_mritransfer.zoo.download import DownloadFailed, fetch, git_blob_sha1
from napari_mritransfer.zoo.families import identify
from napari_mritransfer.zoo.published import published_weights
from napari_mritransfer.zoo.weights import UnreadableWeights, build, load_file

GOLDEN = Path(__file__).parents[1] / "golden"
both_labels = pytest.mark.parametrize("label", ["age", "sex"])


def published_state(label):
    """Under the names and in the shapes of the published file, by formula, as data parallelism prefixes them."""
    document = json.loads((GOLDEN / f"sfcn_{label}_b.json").read_text("utf-8"))
    own = build("sfcn", dict(published_weights(f"sfcn-{label}", "predictor").settings)).state_dict()
    assert sorted(own) == [name for name, _ in document["keys"]]
    return collections.OrderedDict((f"module.{name}", tensor) for name, tensor in weights_of(document, own).items())


@both_labels
@both_formats
@pytest.mark.parametrize("storage", [b"torch", b"torch.cuda"], ids=["new", "old"])
def test_files_saved_from_several_gpus_open_without_one(tmp_path, label, archive, storage):
    state = published_state(label)
    path = saved(tmp_path / "run_epoch_best.p", state, archive)
    rewritten(path, lambda content: as_on_a_gpu(content, storage))
    network, metadata = load_file(path)
    assert isinstance(network, SFCN)
    assert not network.training
    assert (network.outputs, network.grid) == ({"age": 40, "sex": 2}[label], (160, 192, 160))
    assert metadata["architecture"] == "sfcn"
    assert metadata["dropped"] == "[]"
    found = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.testing.assert_close(found, dict(state), rtol=0, atol=0)
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}


@both_labels
def test_entries_say_what_the_shapes_say(label):
    entry = published_weights(f"sfcn-{label}", "predictor")
    state = {name.removeprefix("module."): tensor for name, tensor in published_state(label).items()}
    found = identify(state)
    assert found.architecture == entry.architecture
    assert found.settings == {"widths": [32, 64, 128, 256, 256, 64], "outputs": 40} | dict(entry.settings)
    count = sum(parameter.numel() for parameter in build(found.architecture, found.settings).parameters())
    assert entry.size_bytes == 4 * count
    assert count == {"age": 2_952_936, "sex": 2_918_144}[label]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"widths": (2, 3, 4), "outputs": 5, "grid": (8, 9, 8)}, {"widths": [2, 3, 4], "outputs": 5}),
        ({"widths": (3, 2), "outputs": 2, "grid": (2, 2, 2)}, {"widths": [3, 2], "outputs": 2}),
    ],
)
def test_other_widths_are_found_in_the_shapes(settings, found):
    assert identify(SFCN(**settings).state_dict()).settings == found


def test_weights_that_almost_fit_are_refused(tmp_path):
    state = published_state("sex")
    state["module.feature_extractor.conv_2.0.weight"] = torch.zeros(128, 57, 3, 3, 3)
    assert "first 'feature_extractor.conv_2.0.weight'" in refusal(saved(tmp_path / "cut.p", state))
    del state["module.classifier.conv_6.weight"]
    assert "belong to no network that is known" in refusal(saved(tmp_path / "headless.p", state))


@both_labels
def test_downloads_are_known_by_the_checksum_of_git(tmp_path, label, monkeypatch):
    """Git names a file's bytes; nothing else is kept under the entry's name, not even what lay there before."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    entry = published_weights(f"sfcn-{label}", "predictor")
    assert entry.checksum == "known"
    assert len(entry.git_blob_sha1) == 40
    content = bytes(range(256)) * 40
    own = replace(entry, git_blob_sha1=hashlib.sha1(b"blob 10240\0" + content).hexdigest())
    with serving(Offer(content)) as url:
        with pytest.raises(DownloadFailed, match=r"its git checksum differs"):
            fetch(replace(entry, url=url), cache=tmp_path)
        assert list(tmp_path.iterdir()) == []
        path = fetch(replace(own, url=url), cache=tmp_path)
        path.write_bytes(b"something else")
        path.with_name(f"{path.name}.sha256").write_text(hashlib.sha256(b"something else").hexdigest())
        assert fetch(replace(own, url=url), cache=tmp_path) == path
    assert entry.file_name == f"sfcn-{label}.p"
    assert path.read_bytes() == content
    assert git_blob_sha1(path) == own.git_blob_sha1


def test_no_image_is_reconstructed_with_one(tmp_path):
    with pytest.raises(UnknownModel, match=r"^'sfcn-age' does not reconstruct images; choose one of: multi"):
        open_model("sfcn-age")
    with pytest.raises(UnreadableWeights, match="holds a network that predicts a label from a volume"):
        open_model(str(saved(tmp_path / "age.p", published_state("age"))))
