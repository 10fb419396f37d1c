"""Relevance maps: on networks that see one thing only, the map shows that thing, wherever it is."""

import dataclasses

import numpy as np
import pytest
import torch
from small_slice_sets import AGE, DISEASE, model, prepared

from napari_mritransfer.cohort import encoded as encoding
from napari_mritransfer.cohort import relevance
from napari_mritransfer.cohort.encoded import encode_volume
from napari_mritransfer.cohort.prediction import predict
from napari_mritransfer.cohort.relevance import default_depth, relevance_of
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.sliceset import SliceSet

pytestmark = pytest.mark.usefixtures("one_thread")

BRIGHT, DARK = (4, 13, 10), (11, 5, 4)  # where a voxel block of each is centred


class Volume:
    """What stands for a prepared scan."""

    def __init__(self, array):
        self.array = array


def blobs():
    """Not of one brightness: a block of two values looks the same behind an instance norm whatever they are."""
    place = np.indices((16, 19, 16)).astype(np.float32)
    volume = np.zeros((16, 19, 16), np.float32)
    for centre, value in ((BRIGHT, 5.0), (DARK, -5.0)):
        distance = np.abs(place - np.array(centre)[:, None, None, None]).max(axis=0)
        volume += value * np.clip(2 - distance, 0, None)
    return Volume(volume)


def seer(feature, slicing, label=AGE):
    """Feature 0 is how much bright there is in a slice, feature 1 how much dark; the head asks for one of them."""
    one = model(label=label, slicing=slicing, positions="off", pooling="mean", widths=(4, 8), features=2, code=2)
    net = one.network
    for parameter in net.parameters():
        parameter.data.zero_()
    first, second = (block[0] for block in net.encoder_2d.encoder_2d)
    first.weight.data[0, 0, 1, 1], first.weight.data[1, 0, 1, 1] = 1, -1
    for channel in range(2):
        second.weight.data[channel, channel, 1, 1] = 1
        net.encoder_2d.post_proc_conv[0].weight.data[channel, channel] = 1
        net.encoder_2d.post_position_encoding[1].weight.data[channel, channel] = 1
    net.attn_post.weight.data[0, feature] = 1
    net.regressor[1].weight.data[0, 0] = 1
    return one


def middle(values):
    return np.array([(np.indices(values.shape)[axis] * values).sum() / values.sum() for axis in range(3)])


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("slicing", ["sagittal", "coronal", "axial"])
@pytest.mark.parametrize(("feature", "place", "other"), [(0, BRIGHT, DARK), (1, DARK, BRIGHT)])
def test_the_map_shows_the_place_that_the_network_looks_at(depth, slicing, feature, place, other):
    one = seer(feature, slicing)
    found = relevance_of(one.network, predict(one, blobs(), depth=depth))
    assert found.map.max() == found.map[place[0] - 1 : place[0] + 2].max() > 5
    assert np.abs(middle(found.map) - place).max() < 2**depth / 2 + 0.5
    assert found.map[other] < 1e-3
    assert found.map.mean() == pytest.approx(1, rel=1e-5)


def test_a_slice_in_which_nothing_is_seen_is_even_and_is_counted():
    one = seer(0, "sagittal")
    found = relevance_of(one.network, predict(one, blobs(), depth=1))
    assert np.flatnonzero(~found.flat).tolist() == [3, 4, 5]
    assert np.ptp(found.map[10]) == 0
    assert "In 13 of 16 slices no place is more relevant" in found.sentences[0]


def test_for_classes_only_what_speaks_for_the_predicted_one_is_relevant():
    """What speaks for 'diseased' speaks against 'healthy'; for a number both count."""
    one = model(label=DISEASE)
    prediction = predict(one, prepared(), depth=1)
    assert not prediction.both_signs
    change = {"healthy": {"sign": -1}, "diseased": {"sign": 1}, "number": {"both_signs": True}}
    found = {
        name: relevance._on_maps(
            one.network, prediction.encoded, dataclasses.replace(prediction, **fields), lambda: False
        )
        for name, fields in change.items()
    }
    assert np.allclose(found["healthy"] + found["diseased"], found["number"])
    assert not (found["healthy"] * found["diseased"]).any()
    assert found["healthy"].any()
    assert found["diseased"].any()


@pytest.mark.parametrize("present", [None, np.arange(16) % 4 != 1])
@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_one_is_uniform_in_every_slice_and_over_the_volume(pooling, present):
    one = model(pooling=pooling)
    prediction = predict(one, prepared(), present=present, depth=1)
    found = relevance_of(one.network, prediction).map
    assert (found.dtype, found.shape) == (np.float32, (16, 19, 16))
    assert np.allclose(found.mean(axis=(1, 2)), prediction.relative, atol=1e-5)
    assert found[prediction.present].mean() == pytest.approx(1, rel=1e-5)
    assert found.min() >= 0


@pytest.mark.parametrize("options", [{}, {"encoder": "resnet18", "channels": 1, "code": 6}])
def test_gradients_group_by_group_are_those_of_the_whole_network(options, monkeypatch):
    """Against one backward pass through everything, on a network that is frozen and in training mode."""
    monkeypatch.setattr(relevance, "AT_ONCE", 3)
    monkeypatch.setattr(encoding, "AT_ONCE", 5)
    one = model(**options)
    net = one.network.requires_grad_(False)
    net.train()
    net.pooled_attention.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    prediction = predict(one, prepared(), depth=2)
    found = relevance._on_maps(net.eval(), prediction.encoded, prediction, lambda: False)
    leaf = prediction.encoded.maps.clone().requires_grad_()
    codes = net.encoder_2d.place(net.encoder_2d.features(leaf, 2)[None], None)
    net.head(net.pool(codes).embedding)[0, 0].backward()
    averaged = leaf.grad.mean(dim=(2, 3), keepdim=True) if options else leaf.grad
    expected = (averaged * leaf.detach()).sum(dim=1).abs().numpy()
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_behind_an_instance_norm_the_mean_gradient_of_a_map_is_zero():
    """Why Grad-CAM's own weights say nothing about the five-convolution encoder."""
    one = model(widths=(4, 8), pooling="mean", positions="off")
    net = one.network.double()
    found = encode_volume(net, prepared().array, depth=2)
    leaf = found.maps.requires_grad_()
    net.head(net.pool(net.encoder_2d.place(net.encoder_2d.features(leaf, 2)[None], None)).embedding).backward()
    assert leaf.grad.mean(dim=(2, 3)).abs().max() < 1e-9 * leaf.grad.abs().max()


def test_maps_of_a_hundred_pixels_are_asked_by_default():
    at_2_mm = {"grid": (91, 109, 91)}
    for slicing in ("sagittal", "coronal", "axial"):
        assert default_depth(SliceSet(slicing=slicing, **at_2_mm)) == 3
    assert default_depth(SliceSet("resnet18", **at_2_mm)) == 2
    assert default_depth(model().network) == 1


def test_a_prediction_that_kept_no_maps_is_refused():
    one = model()
    with pytest.raises(BadInput, match="kept no maps"):
        relevance_of(one.network, predict(one, prepared()))


@pytest.mark.parametrize(("size", "stride", "offset"), [(109, 8, 3.5), (91, 8, 3.5), (91, 16, 0.0), (19, 2, 0.5)])
def test_upsampled_pixels_stay_where_they_were_seen(size, stride, offset):
    n = size // stride + (offset == 0)
    matrix = relevance._upsampling(n, size, stride, offset)
    assert np.allclose(matrix.sum(axis=1), 1)
    line = matrix @ (offset + stride * np.arange(n))
    inside = (np.arange(size) >= offset) & (np.arange(size) <= offset + stride * (n - 1))
    assert np.allclose(line[inside], np.arange(size)[inside])
