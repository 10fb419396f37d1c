"""Networks of others are recognised by the names and shapes of their weights, and what these do not tell is said."""

import json
from pathlib import Path

import pytest
import torch

from napari_mritransfer.networks.istanet import ISTANetPlus
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.networks.unet import UNet
from napari_mritransfer.networks.varnet import VarNet
from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.families import identify
from napari_mritransfer.zoo.weights import build, guesses, load_file

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = {"widths": (2, 3), "features": 5, "code": 4}
CONV = {"encoder": "conv5", "widths": [2, 3], "features": 5, "code": 4, "outputs": 1}
PUBLISHED_GRID = [91, 109, 91]


@pytest.mark.parametrize(
    ("name", "network", "settings"),
    [
        ("unet", UNet, {"chans": 3, "pools": 2}),
        ("unet", UNet, {"chans": 3, "pools": 1, "in_chans": 2, "out_chans": 5}),
        ("varnet", VarNet, {"cascades": 11, "chans": 2, "pools": 1, "sens_chans": 3, "sens_pools": 2}),
        ("istanet", ISTANetPlus, {"layers": 10, "width": 4}),
    ],
)
def test_settings_are_found_in_the_shapes(name, network, settings):
    found = identify(network(**settings).state_dict())
    assert (found.architecture, found.settings, found.guessed) == (name, settings, {})


def golden_state(name):
    """Zeros under the names and in the shapes of a published checkpoint."""
    document = json.loads((GOLDEN / f"{name}.json").read_text())
    kinds = {key: torch.int64 if "num_batches" in key else torch.float32 for key, _ in document["keys"]}
    return {key: torch.zeros(shape, dtype=kinds[key]) for key, shape in document["keys"]}


FIVE = {"encoder": "conv5", "widths": [32, 64, 128, 256, 256], "features": 64, "code": 32, "outputs": 1}


@pytest.mark.parametrize(
    ("name", "settings", "guessed"),
    [
        (
            "sliceset_attention_pe",
            {**FIVE, "pooling": "attention", "heads": 1, "output_layer": True, "positions": "learned"},
            {"heads"},
        ),
        ("sliceset_mean", {**FIVE, "pooling": "mean", "positions": "off"}, {"pooling", "slicing"}),
        (
            "sliceset_resnet18_pe",
            {"encoder": "resnet18", "code": 32, "channels": 3, "outputs": 1, "pooling": "mean", "positions": "learned"},
            {"pooling"},
        ),
    ],
)
def test_published_slice_sets_are_recognised_and_fit_strictly(tmp_path, name, settings, guessed):
    found = identify(golden_state(name))
    assert found.architecture == "sliceset"
    assert found.settings == {**settings, "slicing": "sagittal", "grid": PUBLISHED_GRID}
    assert found.guessed.keys() == guessed
    torch.save({"model": {f"net.{key}": tensor for key, tensor in golden_state(name).items()}}, tmp_path / "best.pt")
    network, metadata = load_file(tmp_path / "best.pt")
    assert isinstance(network, SliceSet)
    assert len(guesses(metadata)) == len(guessed)


def test_the_first_version_has_nothing_after_its_attention(tmp_path):
    state = SliceSet(positions="off", output_layer=False, **SMALL).state_dict()
    found = identify(state)
    assert found.settings["output_layer"] is False
    torch.save(state, tmp_path / "isbi-2021.pt")
    network, _ = load_file(tmp_path / "isbi-2021.pt")
    assert network.pooled_attention.fc_o is None


@pytest.mark.parametrize("slicing", ["sagittal", "coronal", "axial"])
@pytest.mark.parametrize("grid", [(91, 109, 91), (61, 73, 61)], ids=["2 mm", "3 mm"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_positions_tell_the_axis_and_the_grid(slicing, grid, positions):
    network = SliceSet("conv5", "max", positions, slicing, grid, 3, **SMALL)
    found = identify(network.state_dict())
    assert found.settings == {
        **CONV, "outputs": 3, "pooling": "mean", "positions": positions, "slicing": slicing, "grid": list(grid),
    }  # fmt: skip
    assert found.guessed.keys() == {"pooling"}


def test_slices_of_unknown_size_are_said():
    found = identify(SliceSet("conv5", "mean", "learned", "axial", (40, 41, 42), **SMALL).state_dict())
    assert (found.settings["slicing"], found.settings["grid"]) == ("axial", [91, 109, 42])
    assert "a volume of 91 × 109 × 42 voxels was assumed" in found.guessed["grid"]


@pytest.mark.parametrize("encoder", ["resnet18", "resnet34", "resnet50"])
def test_resnets_are_told_apart_by_their_blocks(encoder):
    with torch.device("meta"):
        state = SliceSet(encoder, "mean", "off", channels=1).state_dict()
    found = identify(state)
    assert (found.settings["encoder"], found.settings["channels"]) == (encoder, 1)
    inner = "encoder_2d.encoder_2d."
    alone = {name.removeprefix(inner): tensor for name, tensor in state.items() if name.startswith(inner)}
    with pytest.raises(UnreadableWeights, match=rf"weights of a {encoder} for photographs.*its encoder's weights\.$"):
        identify(alone)


def test_a_resnet_of_another_depth_is_unknown():
    with torch.device("meta"):
        state = SliceSet("resnet18", "mean", "off").state_dict()
    with pytest.raises(UnreadableWeights, match="belong to no network that is known"):
        identify({name: tensor for name, tensor in state.items() if "layer3.1" not in name})


def test_what_names_do_not_tell_can_be_told(tmp_path):
    torch.manual_seed(0)
    network = SliceSet("conv5", "max", "off", "axial", (16, 17, 18), **SMALL).eval()
    torch.save({"model": network.state_dict()}, tmp_path / "max.pt")
    known = {"pooling": "max", "slicing": "axial", "grid": [16, 17, 18]}
    loaded, metadata = load_file(tmp_path / "max.pt", **known)
    volume = torch.randn(2, 1, 16, 17, 18)
    assert torch.equal(loaded(volume).prediction, network(volume).prediction)
    assert guesses(metadata) == ()
    assert json.loads(metadata["settings"]).items() >= known.items()
    other, metadata = load_file(tmp_path / "max.pt", slicing="axial", grid=[16, 17, 18])
    assert not torch.equal(other(volume).prediction, network(volume).prediction)
    (sentence,) = guesses(metadata)
    assert "the mean was assumed" in sentence


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"pooling": "attention"}, "another network"),
        ({"code": 5}, "another network"),
        ({"pooling": "median"}, "There is no pooling called 'median'"),
        ({"colour": "red"}, "do not make sense"),
        ({"pooling": "attention", "heads": 0}, "do not make sense"),
    ],
)
def test_what_is_told_has_to_fit(tmp_path, known, said):
    torch.save(SliceSet("conv5", "mean", "off", **SMALL).state_dict(), tmp_path / "mean.pt")
    with pytest.raises(UnreadableWeights, match=said):
        load_file(tmp_path / "mean.pt", **known)


@pytest.mark.parametrize("metadata", [{}, {"guessed": "{"}, {"guessed": "[1]"}, {"guessed": "[" * 100_000}])
def test_a_stranger_may_have_guessed_nonsense(metadata):
    assert guesses(metadata) == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"widths": []}, {"heads": 0}, {"features": -1}, {"grid": [1]}, {"grid": ["a", 2, 3]},
        {"outputs": 2.5}, {"encoder": []}, {"slicing": 5}, {"dropout": "much"},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_make_no_network_are_one_sentence(settings):
    with pytest.raises(UnreadableWeights, match="do not make sense"), torch.device("meta"):
        build("sliceset", settings)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_loading_draws_nothing_and_keeps_the_constants(tmp_path, positions):
    """Sines and the statistics of photographs are not stored: a network built without memory would lose them."""
    torch.manual_seed(0)
    network = SliceSet("resnet18", "mean", positions, grid=(3, 32, 32), imagenet_statistics=True).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    known = {"grid": [3, 32, 32], "imagenet_statistics": True}
    before = torch.get_rng_state()
    loaded, _ = load_file(tmp_path / "weights.pt", **known)
    assert torch.equal(torch.get_rng_state(), before)
    volume = torch.rand(1, 1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded(volume).prediction, network(volume).prediction, rtol=1e-5, atol=1e-6)


def test_kernels_are_laid_out_for_speed_and_positions_left_alone():
    network = build("sliceset", {**CONV, "grid": [8, 8, 8]})
    assert network.encoder_2d.position_encoder.position_encoding.dim() == 5
    kernel = network.encoder_2d.encoder_2d[1][0].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert not kernel.is_contiguous()
