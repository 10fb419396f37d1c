"""The networks against what their authors' own programs returned, for weights and inputs made by formula."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_runner import hashed, inputs_of, network_of, run, run_network
from torch import nn

from napari_mritransfer.networks import varnet

pytestmark = pytest.mark.usefixtures("one_thread")

GOLDEN = Path(__file__).parent.parent / "golden"
PATHS = sorted(GOLDEN.glob("*.json"), key=lambda path: (not path.stem.endswith("_b"), path.stem))
DOCUMENTS = {path.stem: json.loads(path.read_text("utf-8")) for path in PATHS if path.stem != "sensitivity"}
every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
# recipe A amplifies rounding; how loose float32 has to be stands in each document
PRECISIONS = {"float64": torch.float64, "float32": torch.float32}
# whole brains at 1 mm: ten seconds and 5 GB each in float64, so that one of the four has to do
SINGLE_ONLY = ("sfcn_age", "sfcn_sex", "sfcn_sex_b")
RUNS = {
    f"{precision}-{name}": (document, dtype)
    for name, document in DOCUMENTS.items()
    for precision, dtype in PRECISIONS.items()
    if precision == "float32" or name not in SINGLE_ONLY
}


def difference(output, expected, dtype):
    """Largest absolute difference at the positions that the document lists."""
    listed = expected["values_float64_run" if dtype == torch.float64 else "values"]
    found = output.double().flatten()[:: expected["stride"]][:256]
    return (found - torch.tensor(listed, dtype=torch.float64)).abs().max().item()


def tolerance(expected, dtype):
    return expected["suggested_atol_float64" if dtype == torch.float64 else "suggested_atol_float32"]


def test_recipe_b_has_its_check_values():
    assert hashed(np.arange(4), 0, 0) == pytest.approx(
        [0.1467951601371169, 0.1767875454388559, 0.4082674658857286, 0.8555258302949369], rel=1e-15
    )
    assert hashed(np.arange(4), 1, 0) == pytest.approx(
        [-0.5246920646168292, -0.8536220118403435, -0.6703164889477193, -0.6521808514371514], rel=1e-15
    )


@every_document
def test_names_and_shapes_are_the_authors(document):
    state = network_of(document).state_dict()
    assert [[name, list(state[name].shape)] for name in sorted(state)] == document["keys"]
    assert sum(p.numel() for p in network_of(document).parameters()) == document["n_parameters"]


@pytest.mark.parametrize(("document", "dtype"), RUNS.values(), ids=RUNS.keys())
def test_outputs_are_the_authors(document, dtype):
    if "SFCN" in document["upstream"]["symbol"]:
        torch.set_num_threads(2)  # these are not tiny
    outputs = run(document, dtype)
    assert outputs.keys() == document["outputs"].keys()
    for name, expected in document["outputs"].items():
        output, allowed = outputs[name], tolerance(expected, dtype)
        assert list(output.shape) == expected["shape"]
        assert output.dtype == dtype
        assert difference(output, expected, dtype) <= allowed, name
        assert output.min().item() == pytest.approx(expected["min"], abs=expected["suggested_atol_float32"])
        assert output.max().item() == pytest.approx(expected["max"], abs=expected["suggested_atol_float32"])
        suffix = "_float64_run" if dtype == torch.float64 else ""
        values = output.double()
        assert values.mean().item() == pytest.approx(expected[f"mean{suffix}"], abs=allowed)
        assert values.std(correction=0).item() == pytest.approx(expected[f"std{suffix}"], abs=allowed)
        assert values.abs().sum().item() == pytest.approx(expected[f"sum_abs{suffix}"], abs=allowed * values.numel())


def test_the_mask_that_makes_taking_the_real_part_matter_is_the_one_described():
    mask = inputs_of(DOCUMENTS["ista_net_plus_b"], torch.float64)["mask"]
    assert mask.shape == (64, 64, 2)
    assert mask[..., 0].sum() == 914
    assert mask[0, 0, 0] == 1


def swapped_concatenation(network, monkeypatch):
    join = torch.cat
    monkeypatch.setattr(torch, "cat", lambda tensors, dim=0: join(list(reversed(tensors)), dim=dim))


def another_slope(network, monkeypatch):
    for module in network.modules():
        if isinstance(module, nn.LeakyReLU):
            module.negative_slope = 0.01


def another_epsilon(network, monkeypatch):
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.eps = 1e-4


def unconjugated(network, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "conj", lambda tensor: tensor)


def one_more_line_in_the_centre(network, monkeypatch):
    monkeypatch.setattr(varnet, "low_frequencies", lambda mask: torch.full(mask.shape[:-1], 9))


def another_threshold(network, monkeypatch):
    def lift(loaded, _):
        for layer in loaded.fcs:
            layer.soft_thr.data.mul_(1.1)

    network.register_load_state_dict_post_hook(lift)


def swapped_kernels(network, monkeypatch):
    def swap(loaded, _):
        for layer in loaded.fcs:
            layer.conv1_forward, layer.conv1_backward = layer.conv1_backward, layer.conv1_forward

    network.register_load_state_dict_post_hook(swap)


def positions_reversed(network, monkeypatch):
    def turn(loaded, _):
        loaded.encoder_2d.position_encoder.position_encoding.data = (
            loaded.encoder_2d.position_encoder.position_encoding.data.flip(2)
        )

    network.register_load_state_dict_post_hook(turn)


def each_slice_normalised_by_itself(network, monkeypatch):
    norm = torch.nn.functional.layer_norm

    def apart(x, shape, *rest):
        if len(shape) == 1:
            return norm(x, shape, *rest)
        scale, shift, eps = rest
        return norm(x.transpose(1, 2), (x.shape[1],), None, None, eps).transpose(1, 2) * scale + shift

    monkeypatch.setattr(torch.nn.functional, "layer_norm", apart)


def softer_attention(network, monkeypatch):
    def soften(loaded, _):
        loaded.pooled_attention.S.data.mul_(0.5)

    network.register_load_state_dict_post_hook(soften)


def head_without_its_threshold(network, monkeypatch):
    network.regressor[0] = nn.Identity()


def another_epsilon_in_batch_norms(network, monkeypatch):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eps = 1e-3


def averaged_instead_of_maximum(network, monkeypatch):
    network.feature_extractor.conv_4[2] = nn.AvgPool3d(2)


def threshold_before_pooling_left_out(network, monkeypatch):
    network.encoder_2d.post_proc_conv[2] = nn.Identity()


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("sliceset_attention_pe_b", positions_reversed),
        ("sliceset_attention_pe_b", each_slice_normalised_by_itself),
        ("sliceset_attention_pe_b", softer_attention),
        ("sliceset_attention_pe_b", head_without_its_threshold),
        ("sliceset_mean_b", threshold_before_pooling_left_out),
        ("fastmri_unet_b", swapped_concatenation),
        ("fastmri_unet_b", another_slope),
        ("fastmri_unet_b", another_epsilon),
        ("fastmri_varnet_b", unconjugated),
        ("fastmri_varnet_b", one_more_line_in_the_centre),
        ("fastmri_varnet_b", another_epsilon),
        ("ista_net_plus_b", another_threshold),
        ("ista_net_plus_b", swapped_kernels),
        ("sfcn_sex_b", another_epsilon_in_batch_norms),
        ("sfcn_sex_b", averaged_instead_of_maximum),
    ],
)
def test_a_small_mistake_would_be_noticed(name, spoil, monkeypatch):
    """Also in single precision, with its looser tolerance."""
    document = DOCUMENTS[name]
    network = network_of(document)
    spoil(network, monkeypatch)
    output, expected = run_network(document, network, torch.float32)["out"], document["outputs"]["out"]
    assert difference(output, expected, torch.float32) > 5 * expected["suggested_atol_float32"]


def test_other_sizes_and_constants_need_nothing_new():
    document = json.loads(json.dumps(DOCUMENTS["fastmri_unet_odd_b"]))
    document["config"] |= {"chans": 4, "num_pool_layers": 2, "in_chans": 2, "out_chans": 3}
    document["weights"]["SEED"] = 7
    document["inputs"] = [
        {"name": "x", "shape": [1, 2, 21, 18], "formula": "x[n,q,r,c] = 0.25*exp(-((r-9)^2 + c^2)/50) + q - 1, float64"}
    ]
    x = inputs_of(document, torch.float64)["x"]
    assert x[0, 1, 9, 0].item() == pytest.approx(0.25)
    output = run(document, torch.float64)["out"]
    assert output.shape == (1, 3, 21, 18)
    document["weights"]["SEED"] = 8
    assert not torch.allclose(run(document, torch.float64)["out"], output)


def test_each_example_of_a_batch_may_have_a_mask_of_its_own():
    document = json.loads(json.dumps(DOCUMENTS["fastmri_varnet_pad_b"]))
    mask = next(entry for entry in document["inputs"] if entry["name"] == "mask")
    lines = mask["sampled_columns"]
    mask |= {"shape": [2, 1, 1, 45, 1], "sampled_columns": [lines, [22, *lines[3:6]]]}
    both = run(document, torch.float64)["out"]
    torch.testing.assert_close(both[0], run(DOCUMENTS["fastmri_varnet_pad_b"], torch.float64)["out"][0])
    assert both.isfinite().all()


@pytest.mark.parametrize(
    "formula", ["x is random", "x[r,c] = __import__('os')", "x[r,c] = r.real", "x[r,c] = nobody*r"]
)
def test_formulas_that_cannot_be_read_are_refused(formula):
    with pytest.raises(ValueError, match=r"fills nothing|is no formula|is not known"):
        inputs_of({"inputs": [{"name": "x", "shape": [3, 4], "formula": formula}]}, torch.float32)


def varied(name, **config):
    """A public document with another configuration, and its first output alone."""
    document = copy.deepcopy(DOCUMENTS[name])
    document["config"] |= config
    return document | {"outputs": {"out": None}}


def test_other_configurations_are_run_as_they_say():
    """Documents that are not public have them: two channels, dropout, a given number of centre lines."""
    two = varied("fastmri_unet_b", in_chans=2, out_chans=2, drop_prob=0.3)
    two["inputs"][0] |= {"shape": [2, 2, 50, 37], "formula": "x[n,ch,r,c] = sin(0.1*r + n + 2*ch) * cos(0.07*c)"}
    assert run(two, torch.float64)["out"].shape == (2, 2, 50, 37)
    given = run(varied("fastmri_varnet_b", num_low_frequencies=6), torch.float64)["out"]
    listed = DOCUMENTS["fastmri_varnet_b"]["outputs"]["out_num_low_frequencies_6"]
    assert difference(given, listed, torch.float64) <= tolerance(listed, torch.float64)


def test_a_mask_may_be_given_by_its_bits_alone_or_by_a_sentence():
    whole = varied("ista_net_plus_b", LayerNo=2)
    bits, sentence = copy.deepcopy(whole), copy.deepcopy(whole)
    del bits["inputs"][1]["formula"]
    sentence["inputs"][1]["formula"] = (
        "M[r,c] = 1 where u^2 + v^2 <= 36 or (7*r + 3*c) mod 5 == 0, with u = min(r, 64-r) and v = min(c, 64-c)"
    )
    outputs = [run(document, torch.float64)["out"] for document in (whole, bits, sentence)]
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])
