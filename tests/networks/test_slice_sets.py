"""Slice sets: deaf to order where they should be, right with missing slices, the same whatever is in memory at once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.networks import sliceset
from napari_mritransfer.networks.slice_encoders import LargestOfFour, ResNetEncoder
from napari_mritransfer.networks.slice_pooling import AttentionPooling, largest_of, mean_of
from napari_mritransfer.networks.slice_positions import PositionEncoder, sinusoids
from napari_mritransfer.networks.sliceset import POOLINGS, POSITIONS, SliceSet, without_embedding_norm

pytestmark = pytest.mark.usefixtures("one_thread")

GRID = (10, 18, 14)
SLICES = {"sagittal": 10, "coronal": 18, "axial": 14}


def network(**options):
    torch.manual_seed(3)
    made = SliceSet(**({"grid": GRID, "widths": (4, 6), "features": 8, "code": 6} | options)).double().eval()
    for parameter in made.parameters():  # away from zeros and ones, which would hide what they belong to
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def volumes(batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 1, *GRID, generator=generator, dtype=torch.float64)


def some_present(batch, slices, seed=0):
    present = torch.rand(batch, slices, generator=torch.Generator().manual_seed(seed)) < 0.6
    present[:, slices // 2] = True
    return present


@pytest.mark.parametrize("slicing", SLICES)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("positions", POSITIONS)
def test_every_combination_predicts_for_every_volume(slicing, pooling, positions):
    with torch.no_grad():
        found = network(slicing=slicing, pooling=pooling, positions=positions, outputs=3)(volumes())
    assert found.prediction.shape == (2, 3)
    if pooling == "attention":
        assert found.attention.shape == (2, 1, SLICES[slicing])
        torch.testing.assert_close(found.attention.sum(dim=-1), torch.ones(2, 1, dtype=torch.float64))
    else:
        assert found.attention is None


@pytest.mark.parametrize("slicing", SLICES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_without_positions_the_order_of_slices_does_not_matter_and_with_them_it_does(slicing, pooling):
    x = volumes()
    axis = 2 + list(SLICES).index(slicing)
    order = torch.randperm(SLICES[slicing], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        deaf = network(slicing=slicing, pooling=pooling, positions="off")
        before, after = deaf(x), deaf(x.index_select(axis, order))
        torch.testing.assert_close(after.prediction, before.prediction)
        if before.attention is not None:
            torch.testing.assert_close(after.attention, before.attention[..., order])
        placed = network(slicing=slicing, pooling=pooling, positions="learned")
        moved = (placed(x.index_select(axis, order)).prediction - placed(x).prediction).abs()
    assert moved.max() > 1e-6


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_missing_slice_is_as_if_it_had_never_been_there(pooling):
    """Without positions the network of fewer slices is the same network, so the two must agree."""
    kept = [0, 2, 3, 5, 6, 9]
    whole = network(pooling=pooling, positions="off")
    fewer = network(pooling=pooling, positions="off", grid=(len(kept), *GRID[1:]))
    fewer.load_state_dict(whole.state_dict())
    present = torch.zeros(2, GRID[0], dtype=torch.bool)
    present[:, kept] = True
    x = volumes()
    with torch.no_grad():
        with_gaps, without = whole(x, present), fewer(x[:, :, kept])
    torch.testing.assert_close(with_gaps.prediction, without.prediction)
    if with_gaps.attention is not None:
        torch.testing.assert_close(with_gaps.attention[..., kept], without.attention)
        assert with_gaps.attention[..., 1].eq(0).all()


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_what_a_missing_slice_holds_changes_nothing(positions):
    made, x = network(positions=positions), volumes()
    present = some_present(2, GRID[0])
    other = torch.where(present[:, None, :, None, None], x, 99 * torch.ones_like(x))
    with torch.no_grad():
        torch.testing.assert_close(made(x, present).prediction, made(other, present).prediction)
        assert not torch.allclose(made(x).prediction, made(other).prediction)


@pytest.mark.parametrize("positions", POSITIONS)
def test_all_slices_present_is_the_published_network(positions):
    made, x = network(positions=positions), volumes()
    everything = torch.ones(2, GRID[0], dtype=torch.bool)
    with torch.no_grad():
        torch.testing.assert_close(made(x, everything), made(x))


@given(seed=st.integers(0, 99), heads=st.sampled_from([1, 2, 3, 6]))
def test_missing_slices_get_no_weight_and_the_others_all_of_it(seed, heads):
    torch.manual_seed(seed)
    pool = AttentionPooling(6, heads)
    codes, present = torch.randn(3, 7, 6), some_present(3, 7, seed)
    with torch.no_grad():
        found = pool(codes, present)
        alone = pool(codes[:1, present[0]])
    assert found.attention[~present[:, None].expand(-1, heads, -1)].eq(0).all()
    torch.testing.assert_close(found.attention.sum(dim=-1), torch.ones(3, heads))
    torch.testing.assert_close(found.embedding[:1], alone.embedding)
    torch.testing.assert_close(mean_of(codes, present)[0], codes[0, present[0]].mean(dim=0))
    torch.testing.assert_close(largest_of(codes, present)[0], codes[0, present[0]].amax(dim=0))


def test_features_cannot_be_split_into_any_number_of_heads():
    with pytest.raises(ValueError, match="6 features cannot be split into 4 heads"):
        AttentionPooling(6, 4)


def test_the_version_of_2021_is_the_weighted_mean_itself():
    codes = torch.randn(2, 5, 6)
    old, new = AttentionPooling(6, output_layer=False), AttentionPooling(6)
    assert old.state_dict().keys() == {name for name in new.state_dict() if not name.startswith(("ln0", "fc_o"))}
    with torch.no_grad():
        found = old(codes)
        torch.testing.assert_close(found.embedding, (found.attention[:, 0, :, None] * old.fc_v(codes)).sum(dim=1))


def test_positions_know_their_slices_after_normalisation_of_the_whole_volume():
    encoder = PositionEncoder(6, 9, "coronal")
    assert encoder.position_encoding.shape == (1, 6, 1, 9, 1)
    assert encoder.ln.weight.shape == (6, 1, 9, 1)
    with torch.no_grad():
        placed = encoder(torch.randn(4, 9, 6))
    torch.testing.assert_close(placed.mean(dim=(1, 2)), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(placed.var(dim=(1, 2), correction=0), torch.ones(4), atol=1e-4, rtol=0)


def test_sines_tell_all_slices_apart_and_are_not_stored():
    codes = sinusoids(64, 218)
    distances = torch.cdist(codes.T, codes.T) + torch.eye(218) * 9
    assert distances.min() > 0.1
    assert codes.abs().max() <= 1
    torch.testing.assert_close(codes[0], torch.arange(218.0).sin())
    state = PositionEncoder(6, 9, "axial", learned=False).state_dict()
    assert state.keys() == {"ln.weight", "ln.bias"}


@pytest.mark.parametrize("at_once", [1, 3, 50])
def test_what_is_in_memory_together_changes_nothing(at_once, monkeypatch):
    made, x = network(), volumes()
    with torch.no_grad():
        expected = made(x)
        monkeypatch.setattr(sliceset, "_AT_ONCE", at_once)
        torch.testing.assert_close(made(x), expected)
    torch.testing.assert_close(made(x).prediction, expected.prediction)  # with gradients: all together


def test_slices_that_are_missing_are_not_encoded():
    made = network()
    seen = []
    made.encoder_2d.encoder_2d[0].register_forward_pre_hook(lambda _module, given: seen.append(len(given[0])))
    present = some_present(2, GRID[0])
    with torch.no_grad():
        made(volumes(), present)
    assert sum(seen) == present.sum()


def test_a_volume_on_another_grid_or_without_slices_is_refused():
    made = network()
    with pytest.raises(ValueError, match=r"volumes of \(10, 18, 14\) voxels"):
        made(volumes()[..., :-1])
    with pytest.raises(ValueError, match="no slice left"):
        made(volumes(), torch.zeros(2, GRID[0], dtype=torch.bool))


def test_blocks_that_leave_nothing_to_normalise_are_refused():
    """Over two pixels an instance norm gives ±1 whatever they are, so that nothing of the slice would come through."""
    with pytest.raises(ValueError, match="use fewer blocks"):
        network(widths=(4, 6, 6))


@pytest.mark.parametrize("shape", [(2, 3, 10, 8), (1, 2, 7, 9), (2, 1, 5, 2), (1, 1, 2, 2)])
def test_the_largest_of_four_pixels_is_the_same_bit_for_bit_with_and_without_gradients(shape):
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        fast = LargestOfFour(2)(maps)
    assert torch.equal(fast, LargestOfFour(2)(maps))
    assert torch.equal(fast, torch.nn.functional.max_pool2d(maps, 2))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"encoder": "vgg"}, "no encoder called 'vgg'"),
        ({"pooling": "sum"}, "no pooling called 'sum'"),
        ({"positions": "on"}, "no positions called 'on'"),
        ({"slicing": "oblique"}, "no slicing called 'oblique'"),
        ({"outputs": 0}, "at least one output"),
        ({"grid": (4, 5)}, "three axes"),
        ({"encoder": "resnet18", "channels": 2}, "not as 2"),
        ({"encoder": "resnet18", "channels": 1, "imagenet_statistics": True}, "three channels"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        network(**options)


def test_statistics_of_photographs_are_taken_away_channel_by_channel():
    torch.manual_seed(0)
    plain, photographic = (
        ResNetEncoder("resnet18", 4, None, imagenet_statistics=wanted).double().eval() for wanted in (False, True)
    )
    photographic.load_state_dict(plain.state_dict())
    slices = torch.rand(1, 1, 33, 40, dtype=torch.float64)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], dtype=torch.float64)[..., None, None]
    colours = (slices.expand(-1, 3, -1, -1) - mean) / std
    with torch.no_grad():
        expected = plain.encoder_2d.conv1(colours)
        seen = {}
        photographic.encoder_2d.conv1.register_forward_hook(lambda _m, _i, output: seen.update(out=output))
        photographic.maps(slices, 1)
    torch.testing.assert_close(seen["out"], expected)


def test_a_norm_before_the_head_is_folded_into_the_published_network():
    training = network(embedding_norm=True)
    training.train()
    for seed in range(5):
        training(volumes(seed=seed))
    training.eval()
    plain = network()
    plain.load_state_dict(without_embedding_norm(training.state_dict()), strict=True)
    x = volumes(seed=9)
    with torch.no_grad():
        torch.testing.assert_close(plain(x).prediction, training(x).prediction)
        assert not torch.allclose(plain(x).embedding, training.embedding_norm(training(x).embedding))
    assert without_embedding_norm(plain.state_dict()).keys() == plain.state_dict().keys()
