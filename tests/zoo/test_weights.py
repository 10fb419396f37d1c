import json
import os
import pickle
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.zoo import card as card_module
from napari_mritransfer.zoo import weights as weights_module
from napari_mritransfer.zoo.card import ModelCard
from napari_mritransfer.zoo.weights import (
    ARCHITECTURES,
    UnreadableWeights,
    build,
    load_base,
    load_file,
    load_strictly,
    read_safetensors,
    sha256_of,
)

SETTINGS = {"cascades": 1, "depth": 2, "width": 3}
METADATA = {"architecture": "dccnn", "settings": json.dumps(SETTINGS)}


def network():
    torch.manual_seed(0)
    return DCCNN(**SETTINGS)


@pytest.fixture
def whole(tmp_path):
    """A file as the program writes them."""
    path = tmp_path / "small.safetensors"
    save_file(network().state_dict(), path, METADATA)
    return path


@pytest.fixture
def card(tmp_path, monkeypatch, whole):
    """A shipped model in a folder of our own."""
    monkeypatch.setattr(card_module, "_FOLDER", tmp_path)
    ranges = {"rates": (0.1, 0.5), "acs": (0.04, 0.1), "lines": (160, 320), "rows": (160, 400)}
    return ModelCard(
        "small", "Small", "dccnn", SETTINGS, sha256_of(whole), {}, ("random",), training={}, metrics={}, **ranges
    )


def refusal(action, *arguments):
    """The message, which has to be one sentence that ends in advice."""
    with pytest.raises(UnreadableWeights) as caught:
        action(*arguments)
    message = str(caught.value)
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message), "more than one sentence"
    return message


def test_what_was_saved_is_read(whole):
    state, metadata = read_safetensors(whole)
    assert metadata == METADATA
    torch.testing.assert_close(state, dict(network().state_dict()), rtol=0, atol=0)
    loaded, again = load_file(whole)
    assert again == METADATA
    assert isinstance(loaded, DCCNN)
    assert not loaded.training
    torch.testing.assert_close(dict(loaded.state_dict()), state, rtol=0, atol=0)
    assert all(p.requires_grad and p.device.type == "cpu" for p in loaded.parameters())
    kspace, mask = torch.randn(1, 8, 8, dtype=torch.complex64), torch.ones(8, dtype=torch.bool)
    assert torch.equal(loaded(kspace, mask), network()(kspace, mask))


def test_the_file_may_be_deleted_after_reading(whole):
    state, _ = read_safetensors(whole)
    whole.unlink()
    assert state["blocks.0.0.weight"].isfinite().all()


@settings(max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_files(tmp_path_factory, share):
    content = save(network().state_dict(), METADATA)
    path = tmp_path_factory.mktemp("cut") / "cut.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    assert "cut.safetensors is not a whole safetensors file" in refusal(read_safetensors, path)
    shutil.rmtree(path.parent)


@settings(max_examples=60)
@given(content=st.binary(max_size=300))
def test_random_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("noise") / "noise.safetensors"
    path.write_bytes(content)
    refusal(load_file, path)
    shutil.rmtree(path.parent)


@settings(max_examples=100)
@given(header=st.binary(max_size=200), promised=st.integers(0, 2**64 - 1))
def test_headers_that_lie(tmp_path_factory, header, promised):
    """A length of eight bytes, then a header of that length: neither a huge one nor nonsense may cost memory."""
    path = tmp_path_factory.mktemp("header") / "header.safetensors"
    path.write_bytes(promised.to_bytes(8, "little") + header)
    refusal(load_file, path)
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]},
    ],
)
def test_tensors_that_are_not_there(tmp_path, entry):
    header = json.dumps({"w": entry}).encode()
    path = tmp_path / "made_up.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    refusal(read_safetensors, path)


class Bomb:
    """Unpickling it would leave a trace."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_pickles_are_never_executed(tmp_path, ending):
    trace = tmp_path / "trace"
    for name, write in (("zip", torch.save), ("old", lambda o, p: p.write_bytes(pickle.dumps(o)))):
        path = tmp_path / f"{name}{ending}"
        write({"blocks.0.0.weight": Bomb(trace)}, path)
        refusal(load_file, path)
        refusal(read_safetensors, path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # or this test proved nothing


def test_empty_missing_and_folders(tmp_path):
    path = tmp_path / "weights.safetensors"
    assert "no weights file at" in refusal(read_safetensors, path)
    path.touch()
    refusal(read_safetensors, path)
    path.unlink()
    path.mkdir()
    refusal(read_safetensors, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    refusal(read_safetensors, tmp_path / "pipe.safetensors")


def test_far_too_large_files_are_not_opened(whole, monkeypatch):
    monkeypatch.setattr(weights_module, "_LARGEST_BYTES", 100)
    assert "larger than" in refusal(read_safetensors, whole)


def test_a_shipped_model_loads(card):
    torch.testing.assert_close(dict(load_base(card).state_dict()), dict(network().state_dict()), rtol=0, atol=0)


def test_a_shipped_model_that_changed_is_refused(card):
    content = bytearray(card.weights.read_bytes())
    content[-1] ^= 1
    card.weights.write_bytes(content)
    assert f"instead of {card.sha256[:12]}…" in refusal(load_base, card)
    card.weights.unlink()
    assert "missing" in refusal(load_base, card)


def test_a_shipped_model_of_another_architecture_is_refused(card):
    assert "another network" in refusal(load_base, replace(card, settings={**SETTINGS, "width": 4}))
    assert "update napari-mritransfer" in refusal(load_base, replace(card, architecture="transformer"))


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, "does not say which network"),
        ({"settings": "{}"}, "does not say which network"),
        ({"architecture": "transformer"}, "'transformer' is not known here"),
        ({"architecture": "os.system", "settings": '{"command": "true"}'}, "is not known here"),
        ({"architecture": "dccnn", "settings": "{cascades: 1}"}, "not JSON"),
        ({"architecture": "dccnn", "settings": "[" * 100_000}, "not JSON"),
        ({"architecture": "dccnn", "settings": '{"width": ' + "9" * 5000 + "}"}, "not JSON"),
        ({"architecture": "dccnn", "settings": "[1, 2]"}, "not a JSON object"),
        ({"architecture": "dccnn", "settings": '{"colour": 1}'}, "do not make sense"),
        ({"architecture": "dccnn", "settings": '{"cascades": 0}'}, "do not make sense"),
        ({"architecture": "dccnn", "settings": '{"width": "wide"}'}, "do not make sense"),
        ({"architecture": "dccnn", "settings": '{"width": 2.5}'}, "do not make sense"),
        ({"architecture": "dccnn", "settings": '{"width": null}'}, "do not make sense"),
        ({"architecture": "dccnn", "settings": '{"cascades": 1000000000}'}, "too large"),
        ({"architecture": "dccnn", "settings": '{"cascades": Infinity}'}, "too large"),
        ({"architecture": "multiscale", "settings": '{"widths": [1000000000, 2]}'}, "too large"),
        ({"architecture": "multiscale", "settings": '{"widths": 5}'}, "do not make sense"),
        ({"architecture": "multiscale", "settings": '{"widths": "ab"}'}, "do not make sense"),
        ({"architecture": "dccnn", "settings": '{"width": 512, "depth": 40}'}, "another network"),
        ({"architecture": "unet", "settings": '{"pools": 500}'}, "do not make sense"),
        ({"architecture": "unet", "settings": '{"chans": 512, "pools": 8}'}, "another network"),
        ({"architecture": "varnet", "settings": '{"cascades": 500}'}, "do not make sense"),
        ({"architecture": "varnet", "settings": '{"cascades": 24, "pools": 8}'}, "another network"),
        ({"architecture": "istanet", "settings": '{"layers": 512, "width": 512}'}, "another network"),
        ({"architecture": "istanet", "settings": '{"width": 2.5}'}, "do not make sense"),
        ({"architecture": "dccnn"}, "another network"),
    ],
)
def test_metadata_that_cannot_be_right(whole, metadata, said):
    save_file(network().state_dict(), whole, metadata)
    began = time.process_time()  # other programs may be busy on this computer
    assert said in refusal(load_file, whole)
    assert time.process_time() - began < 5


def test_a_stranger_cannot_make_us_take_memory(whole, monkeypatch):
    """The network that the metadata describe is built without memory until names and shapes match."""
    built = []
    monkeypatch.setitem(ARCHITECTURES, "dccnn", lambda **options: built.append(DCCNN(**options)) or built[-1])
    save_file(network().state_dict(), whole, {"architecture": "dccnn", "settings": '{"width": 512, "depth": 9}'})
    refusal(load_file, whole)
    assert all(parameter.is_meta for parameter in built[0].parameters())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("blocks.0.0.bias"), "1 names or shapes differ, first 'blocks.0.0.bias'"),
        (lambda s: s.update(extra=torch.zeros(1)), "1 names or shapes differ, first 'extra'"),
        (lambda s: s.update({"blocks.0.0.weight": torch.zeros(3, 2, 1, 1)}), "first 'blocks.0.0.weight'"),
        (lambda s: s.update({"blocks.0.0.weight": torch.zeros(3, 2, 9)}), "first 'blocks.0.0.weight'"),
        (lambda s: s.update({"blocks.0.0.bias": torch.zeros(3, dtype=torch.int64)}), "first 'blocks.0.0.bias'"),
        (lambda s: s.update({"blocks.0.0.bias": torch.zeros(3, dtype=torch.complex64)}), "first 'blocks.0.0.bias'"),
        (lambda s: s["blocks.0.0.bias"].fill_(torch.nan), "not finite numbers, first in 'blocks.0.0.bias'"),
        (lambda s: s["consistency.0.log_lambda"].fill_(torch.inf), "not finite"),
    ],
)
def test_weights_of_another_network_are_refused(change, said):
    state = {name: tensor.clone() for name, tensor in network().state_dict().items()}
    change(state)
    assert said in refusal(load_strictly, network(), state, Path("folder/other.safetensors"))


def test_half_precision_files_become_single_precision_networks(whole):
    save_file({name: tensor.half() for name, tensor in network().state_dict().items()}, whole, METADATA)
    loaded, _ = load_file(whole)
    assert all(p.dtype == torch.float32 for p in loaded.parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_can_be_built_by_name(name):
    assert isinstance(build(name, {}), ARCHITECTURES[name])
