import json
import shutil
from dataclasses import replace

import pytest
import torch
from heads import write_tiny_base
from safetensors.torch import save_file
from small_jobs import small_config

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.training.checkpoint import open_model, save_checkpoint
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.transfer.model import is_mergeable, trainable_parameters, transfer
from napari_mritransfer.zoo.card import UnknownModel, model_cards
from napari_mritransfer.zoo.weights import UnreadableWeights, read_safetensors

STRATEGIES = [
    ("pretrained", {}),
    ("scratch", {}),
    ("ft", {}),
    ("lft", {}),
    ("lft", {"granularity": "filter"}),
    ("lft", {"shift": False}),
    ("lft", {"add_biases": True}),
    ("lft", {"granularity": "filter", "add_biases": True, "shift": False}),
    ("last-layers", {}),
    ("first-layers", {"share": 0.5}),
    ("bias", {}),
    ("ssf", {}),
    ("ssf", {"add_biases": True}),
    ("lora", {"rank": 2}),
    ("conv-adapter", {"compression": 2}),
    ("l2-sp", {"strength": 0.1}),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return small_config(tmp_path_factory.mktemp("inputs"))


def learned(path, config, strategy, options=None, model=None):
    """A checkpoint of a network in which everything that may learn has moved; the network, factors still on it."""
    config = replace(config, strategy=strategy, strategy_options=options or {}, model=model or config.model)
    base = open_model(config.model)
    torch.manual_seed(4)  # scratch draws
    transfer(base.network, strategy, options)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in trainable_parameters(base.network).values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_checkpoint(path, base.network, base, config, step=3, psnr=30.0)
    return base.network.eval()


def output(network):
    torch.manual_seed(1)
    mask = torch.rand(12) < 0.5
    kspace = torch.where(mask, torch.randn(2, 9, 12, dtype=torch.complex64), 0)
    with torch.no_grad():
        return network(kspace, mask, (-1,))


def rewritten(path, **metadata):
    """The same file with other metadata."""
    tensors, before = read_safetensors(path)
    path.write_bytes(serialised(tensors, before | metadata))
    return path


@pytest.mark.parametrize(("strategy", "options"), STRATEGIES)
def test_a_checkpoint_opens_as_the_network_that_was_saved(tmp_path, config, strategy, options):
    path = tmp_path / "best.safetensors"
    network = learned(path, config, strategy, options)
    for source in (path, tmp_path):
        opened = open_model(str(source))
        torch.testing.assert_close(output(opened.network), output(network), atol=1e-5, rtol=1e-5)
        assert not any(module.training for module in opened.network.modules())
    assert opened.card is None
    assert opened.source == str(tmp_path)


@pytest.mark.parametrize(("strategy", "options"), STRATEGIES)
def test_equal_content_gives_equal_bytes(tmp_path, config, strategy, options):
    learned(tmp_path / "a.safetensors", config, strategy, options)
    learned(tmp_path / "b.safetensors", config, strategy, options)
    data = (tmp_path / "a.safetensors").read_bytes()
    assert data == (tmp_path / "b.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == sorted(header["__metadata__"])


def test_lft_leaves_factors_and_the_hash_of_its_base_and_nothing_else(tmp_path, config):
    learned(tmp_path / "best.safetensors", config, "lft")
    tensors, metadata = read_safetensors(tmp_path / "best.safetensors")
    assert all(name.endswith((".scale_minus_one", ".shift")) for name in tensors)
    assert sum(t.numel() for t in tensors.values()) == (2 * 4 + 4) + (4 * 2 + 2)
    assert metadata["base_sha256"] == open_model(config.model).sha256
    assert metadata["base"] == config.model


def test_a_changed_base_is_refused(tmp_path, config):
    base = tmp_path / "base.safetensors"
    shutil.copy(config.model, base)
    learned(tmp_path / "best.safetensors", config, "lft", model=str(base))
    write_tiny_base(base, seed=1)
    with pytest.raises(UnreadableWeights, match="learned on other weights than"):
        open_model(str(tmp_path))
    base.unlink()
    with pytest.raises(UnknownModel, match="no model file or run directory"):
        open_model(str(tmp_path))


@pytest.mark.parametrize("first", ["lft", "ft"])
@pytest.mark.parametrize("second", ["lft", "ft"])
def test_a_run_can_be_the_base_of_another(tmp_path, config, first, second):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    below = learned(tmp_path / "one" / "best.safetensors", config, first)
    network = learned(tmp_path / "two" / "best.safetensors", config, second, model=str(tmp_path / "one"))
    opened = open_model(str(tmp_path / "two"))
    torch.testing.assert_close(output(opened.network), output(network), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(output(opened.network), output(below), atol=1e-4)


def test_adapters_stay_on_the_network_that_is_opened_and_are_no_base_for_another(tmp_path, config):
    network = learned(tmp_path / "best.safetensors", config, "conv-adapter")
    opened = open_model(str(tmp_path))
    assert not is_mergeable(opened.network)
    assert torch.equal(output(opened.network), output(network))
    assert opened.sha256 != open_model(config.model).sha256
    with pytest.raises(ValueError, match="begin from its base"):
        transfer(opened.network, "ft")


def test_a_transfer_of_a_shipped_model_keeps_its_card(tmp_path, config):
    shipped = model_cards()[0].name
    for name, base in (("one", shipped), ("two", str(tmp_path / "one")), ("three", str(tmp_path / "two"))):
        (tmp_path / name).mkdir()
        learned(tmp_path / name / "best.safetensors", config, "lft" if name == "two" else "ft", model=base)
        assert open_model(str(tmp_path / name)).card.name == shipped
    assert read_safetensors(tmp_path / "one" / "best.safetensors")[1]["base"] == shipped


def test_a_whole_network_opens_without_its_base(tmp_path, config):
    base = tmp_path / "base.safetensors"
    shutil.copy(config.model, base)
    network = learned(tmp_path / "best.safetensors", config, "ft", model=str(base))
    for damage in (lambda: base.write_bytes(b"not a weights file"), base.unlink):
        damage()
        torch.testing.assert_close(output(open_model(str(tmp_path)).network), output(network))


@pytest.mark.parametrize("strategy", ["lft", "ft"])
def test_a_checkpoint_that_is_its_own_base_is_refused_or_needs_none(tmp_path, config, strategy):
    path = tmp_path / "best.safetensors"
    learned(path, config, strategy)
    rewritten(path, base=str(path))
    if strategy == "ft":
        assert open_model(str(path)).card is None
    else:
        with pytest.raises(UnreadableWeights, match="is its own base"):
            open_model(str(path))


def test_a_circle_of_bases_is_refused(tmp_path, config):
    for name in ("a", "b", "c"):
        learned(tmp_path / f"{name}.safetensors", config, "lft")
    for name, base in ("ab", "bc", "ca"):
        rewritten(tmp_path / f"{name}.safetensors", base=str(tmp_path / f"{base}.safetensors"))
    with pytest.raises(UnreadableWeights, match="directly or in a circle"):
        open_model(str(tmp_path / "b.safetensors"))


def test_an_endless_chain_of_bases_is_refused(tmp_path, config):
    learned(tmp_path / "0.safetensors", config, "lft")
    for i in range(40):
        shutil.copy(tmp_path / "0.safetensors", tmp_path / f"{i}.safetensors") if i else None
    for i in range(40):
        rewritten(tmp_path / f"{i}.safetensors", base=str(tmp_path / f"{i + 1}.safetensors"))
    with pytest.raises(UnreadableWeights, match="stands on more than 32 transfers"):
        open_model(str(tmp_path / "0.safetensors"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"strategy": "magic"},
        {"strategy": "ft"},
        {"strategy_options": "{"},
        {"strategy_options": "3"},
        {"strategy_options": '{"rank": 4}'},
        {"strategy_options": '{"granularity": "voxel"}'},
        {"strategy_options": '{"granularity": "filter"}'},
        {"base": ""},
        {"base": "no-such-model"},
        {"base_sha256": "0" * 64},
    ],
)
def test_factors_of_a_stranger_are_refused_in_a_sentence(tmp_path, config, metadata):
    path = tmp_path / "best.safetensors"
    learned(path, config, "lft")
    with pytest.raises((UnreadableWeights, UnknownModel)) as caught:
        open_model(str(rewritten(path, **metadata)))
    assert len(str(caught.value)) > 20


def test_other_files_of_a_stranger_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    state = DCCNN(1, 2, 4).state_dict()
    for metadata in (None, {"architecture": "resnet"}, {"architecture": "dccnn"},
                     {"architecture": "dccnn", "settings": "[1]"}, {"kind": "factors"}):  # fmt: skip
        save_file(state, path, metadata)
        with pytest.raises(UnreadableWeights):
            open_model(str(path))
    for data in (b"", b"\x80\x04pickle", path.read_bytes()[:100], (2**60).to_bytes(8, "little") + b"{}"):
        path.write_bytes(data)
        with pytest.raises(UnreadableWeights, match="not a whole safetensors file"):
            open_model(str(path))


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(UnreadableWeights, match=r"holds no checkpoint \(best"):
        open_model(str(tmp_path))
    with pytest.raises(UnknownModel, match="no model file or run directory"):
        open_model(str(tmp_path / "a.safetensors"))
    with pytest.raises(UnknownModel, match="no model called 'multiscale-t9'"):
        open_model("multiscale-t9")


def test_the_last_step_can_be_asked_for(tmp_path, config):
    learned(tmp_path / "best.safetensors", config, "pretrained")
    last = learned(tmp_path / "last.safetensors", config, "ft")
    assert torch.equal(output(open_model(str(tmp_path), which="last.safetensors").network), output(last))
    assert torch.equal(output(open_model(str(tmp_path)).network), output(open_model(config.model).network))
