"""Weights that other programs saved: both formats of torch.save, what wraps them, and files that mean harm."""

import argparse
import collections
import contextlib
import importlib
import os
import pathlib
import pickle
import re
import struct
import zipfile

import pytest
import torch
from foreign_files import Harm, as_on_a_gpu, both_formats, refusal, rewritten, saved
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mritransfer.networks.istanet import ISTANetPlus
from napari_mritransfer.networks.unet import UNet
from napari_mritransfer.networks.varnet import VarNet
from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.foreign import read_foreign
from napari_mritransfer.zoo.weights import load_file

NETWORKS = {
    "unet": (UNet, {"chans": 3, "pools": 2}),
    "varnet": (VarNet, {"cascades": 11, "chans": 2, "pools": 1, "sens_chans": 3, "sens_pools": 2}),
    "istanet": (ISTANetPlus, {"layers": 10, "width": 4}),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def state_of(name):
    torch.manual_seed(0)
    make, options = NETWORKS[name]
    return make(**options).state_dict()


@every_network
@both_formats
@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt", ".p", ".pkl", ".PT"])
def test_a_bare_state_dict_becomes_its_network(tmp_path, name, archive, ending):
    state = state_of(name)
    network, metadata = load_file(saved(tmp_path / f"weights{ending}", state, archive))
    assert isinstance(network, NETWORKS[name][0])
    assert (metadata["architecture"], metadata["dropped"]) == (name, "[]")
    torch.testing.assert_close(dict(network.state_dict()), dict(state), rtol=0, atol=0)
    assert not network.training


def lightning(state, prefix):
    """A training checkpoint as PyTorch Lightning writes them."""
    return {
        "epoch": 49,
        "pytorch-lightning_version": "1.0.6",
        "state_dict": {f"{prefix}{key}": tensor for key, tensor in state.items()} | {"loss.w": torch.ones(1, 1, 7, 7)},
        "callbacks": {"best_model_score": torch.tensor(0.9), "best_model_path": "checkpoints/best.ckpt"},
        "optimizer_states": [{"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.001}]}],
        "hyper_parameters": argparse.Namespace(lr=0.001, data_path=pathlib.PurePosixPath("/data"), mask="random"),
    }


@both_formats
def test_training_checkpoints_lose_their_prefix_and_what_is_no_weight(tmp_path, archive, monkeypatch):
    # written on a computer of another kind, so that its paths are not this one's
    monkeypatch.setattr(pathlib.PurePosixPath, "__module__", "pathlib")
    monkeypatch.setattr(pathlib.PurePosixPath, "__reduce__", lambda path: (pathlib.PosixPath, path.parts))
    for name, prefix in (("unet", "unet."), ("varnet", "varnet."), ("istanet", "module.")):
        state = state_of(name)
        path = saved(tmp_path / f"{name}.ckpt", lightning(state, prefix), archive)
        network, metadata = load_file(path)
        assert metadata["dropped"] == '["loss.w"]'
        torch.testing.assert_close(dict(network.state_dict()), dict(state), rtol=0, atol=0)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "net", "params"])
def test_common_wrappers_are_taken_off(tmp_path, wrapper):
    state = collections.OrderedDict((f"module.net.{key}", tensor) for key, tensor in state_of("istanet").items())
    path = saved(tmp_path / "w.pt", {wrapper: state, "epoch": 3, "optimizer": {"lr": 0.1}})
    assert read_foreign(path)[0].keys() == state_of("istanet").keys()


@both_formats
@pytest.mark.parametrize("storage", [b"torch", b"torch.cuda"], ids=["new", "old"])
def test_tensors_saved_on_a_gpu_open_without_one(tmp_path, archive, storage):
    """Old releases also wrote the kind of memory into the name of the storage."""
    path = saved(tmp_path / "gpu.pt", state_of("istanet"), archive)
    rewritten(path, lambda content: as_on_a_gpu(content, storage))
    torch.testing.assert_close(dict(load_file(path)[0].state_dict()), dict(state_of("istanet")), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_single_precision_networks(tmp_path, dtype):
    state = {key: tensor.to(dtype) for key, tensor in state_of("unet").items()}
    network, _ = load_file(saved(tmp_path / "half.pt", state))
    assert all(p.dtype == torch.float32 for p in network.parameters())


def harms(marker):
    return {
        "posix.system": Harm(os.system, f"touch {marker}"),
        "builtins.eval": Harm(eval, f"open({str(marker)!r}, 'w')"),
        "importlib.import_module": Harm(importlib.import_module, "antigravity"),
        "torch.hub.load": Harm(torch.hub.load, "somebody/something", "model"),
        "napari_mritransfer.networks.istanet.ISTANetPlus": ISTANetPlus(1, 1),
    }


@pytest.mark.parametrize("name", harms(""))
@both_formats
def test_what_would_execute_something_is_refused_by_name(tmp_path, name, archive):
    marker = tmp_path / "harmed"
    path = saved(tmp_path / "harm.pt", {"state_dict": state_of("istanet"), "extra": harms(marker)[name]}, archive)
    assert f"harm.pt would run '{name}'" in refusal(path).replace("__builtin__", "builtins")
    assert not marker.exists()


def test_a_plain_pickle_that_means_harm_is_refused_by_name(tmp_path):
    marker = tmp_path / "harmed"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "plain.p").write_bytes(pickle.dumps(Harm(os.system, f"touch {marker}"), protocol))
        assert "would run 'posix.system'" in refusal(tmp_path / "plain.p")
    assert not marker.exists()


def test_other_pickles_are_no_checkpoints(tmp_path):
    (tmp_path / "list.p").write_bytes(pickle.dumps([1, 2, 3]))
    assert "is a pickle, but no PyTorch checkpoint" in refusal(tmp_path / "list.p")


@both_formats
@pytest.mark.parametrize("content", [{}, [torch.ones(2)], {"epoch": 3}, {"state_dict": {"a": 3}}, torch.ones(2)])
def test_checkpoints_without_named_weights(tmp_path, archive, content):
    assert "holds no state dict" in refusal(saved(tmp_path / "none.pt", content, archive))


@pytest.mark.parametrize(
    "state",
    [
        {"encoder.weight": torch.ones(2, 2)},
        {"down_sample_layers.0.layers.0.weight": torch.ones(2, 1, 3, 3)},
        {"sens_net.norm_unet.unet.conv.layers.0.weight": torch.ones(2, 1, 3, 3)},
        {"loss.w": torch.ones(3)},
    ],
)
def test_weights_of_unknown_networks_are_refused(tmp_path, state):
    assert "belong to no network that is known by its names" in refusal(saved(tmp_path / "other.pt", state))


def test_weights_that_almost_fit_are_refused(tmp_path):
    state = state_of("unet")
    state["up_conv.0.layers.0.weight"] = state["up_conv.0.layers.0.weight"][:, :-1]
    assert "first 'up_conv.0.layers.0.weight'" in refusal(saved(tmp_path / "cut.pt", state))


def test_a_packed_archive_may_unfold_to_any_size(tmp_path):
    path = saved(tmp_path / "bomb.pt", state_of("istanet"))
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.writestr("archive/data/9999", bytes(10_000_000))
    assert "packed entries" in refusal(path)


@both_formats
def test_numbers_that_are_not_there_take_no_memory(tmp_path, archive):
    """A storage of 36 numbers that announces a billion."""
    path = saved(tmp_path / "lie.pt", {"fcs.0.conv_D": torch.ones(4, 1, 3, 3)}, archive)
    told = re.compile(rb"(X\x03\x00\x00\x00cpuq.)" + re.escape(b"K" + bytes([36])), re.DOTALL)
    rewritten(path, lambda content: told.sub(rb"\1J" + struct.pack("<i", 10**9), content))
    assert "does not hold them" in refusal(path)


def test_a_tensor_that_repeats_one_number_a_trillion_times_is_refused(tmp_path):
    state = {"fcs.0.conv_D": torch.ones(1).expand(10**6, 10**6)}
    assert "unfold to more than 4 GiB" in refusal(saved(tmp_path / "wide.pt", state))


def test_settings_beyond_reason_are_refused(tmp_path):
    state = {"fcs.0.conv_D": torch.ones(600, 1, 3, 3)}
    assert "too large" in refusal(saved(tmp_path / "large.pt", state))


def test_programs_and_missing_files(tmp_path):
    assert "There is no weights file" in refusal(tmp_path / "nothing.pt")
    (tmp_path / "empty.pt").touch()
    assert "is empty" in refusal(tmp_path / "empty.pt")
    with zipfile.ZipFile(tmp_path / "program.pt", "w") as archive:
        archive.writestr("program/data.pkl", b"\x80\x02.")
        archive.writestr("program/constants.pkl", b"\x80\x02.")
    assert "TorchScript" in refusal(tmp_path / "program.pt")


def test_files_larger_than_any_network_are_refused_unread(tmp_path):
    with (tmp_path / "large.pt").open("wb") as file:
        file.truncate(4 * 2**30 + 1)  # a hole: it takes no room
    assert "larger than 4 GiB" in refusal(tmp_path / "large.pt")


@pytest.fixture(scope="module", params=[True, False], ids=["archive", "legacy"])
def whole(request, tmp_path_factory):
    path = saved(tmp_path_factory.mktemp("whole") / "whole.pt", state_of("istanet"), request.param)
    return path, path.read_bytes()


@settings(max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_files_are_refused(whole, share):
    path, content = whole
    cut = path.with_name("cut.pt")
    cut.write_bytes(content[: int(share * len(content))])
    assert "cut.pt" in refusal(cut)


@settings(max_examples=100)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_files_are_refused_or_read_but_never_break_anything(whole, changes):
    path, content = whole
    damaged = bytearray(content)
    for share, value in changes:
        damaged[int(share * len(content))] = value
    broken = path.with_name("broken.pt")
    broken.write_bytes(damaged)
    with contextlib.suppress(UnreadableWeights):
        load_file(broken)


@settings(max_examples=100)
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "noise.ckpt"
    path.write_bytes(content)
    refusal(path)
