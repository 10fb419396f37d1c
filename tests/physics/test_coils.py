import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.coils import (
    combine,
    combine_sets,
    expand,
    root_sum_of_squares,
    sense_adjoint,
    sense_forward,
    soft_sense_adjoint,
    soft_sense_forward,
)
from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.physics.simulated_coils import simulated_maps

pytestmark = pytest.mark.usefixtures("one_thread")

sizes = st.integers(1, 16)
counts = st.integers(1, 4)
seeds = st.integers(0, 99)
axes_sets = st.sampled_from([(-2, -1), (-1,), (-2,)])


def drawn(*shape, seed=0):
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def drawn_mask(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4


def dot(a, b):
    return torch.vdot(a.flatten(), b.flatten())


@given(batch=counts, coils=counts, rows=sizes, columns=sizes, axes=axes_sets, seed=seeds)
def test_sense_and_its_adjoint_agree(batch, coils, rows, columns, axes, seed):
    """<A x, y> = <x, Aᴴ y>, for any maps, masks of lines and planes, even and odd sizes."""
    maps, mask = drawn(batch, coils, rows, columns, seed=seed), drawn_mask(rows, columns, seed=seed)
    x, y = drawn(batch, rows, columns, seed=seed + 1), drawn(batch, coils, rows, columns, seed=seed + 2)
    for one in (mask, mask[0], mask[:, :1]):
        left, right = dot(sense_forward(x, maps, one, axes), y), dot(x, sense_adjoint(y, maps, one, axes))
        torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-10)


@given(batch=counts, sets=counts, coils=counts, rows=sizes, columns=sizes, axes=axes_sets, seed=seeds)
def test_soft_sense_and_its_adjoint_agree(batch, sets, coils, rows, columns, axes, seed):
    maps, mask = drawn(batch, sets, coils, rows, columns, seed=seed), drawn_mask(rows, columns, seed=seed)
    x, y = drawn(batch, sets, rows, columns, seed=seed + 1), drawn(batch, coils, rows, columns, seed=seed + 2)
    left, right = dot(soft_sense_forward(x, maps, mask, axes), y), dot(x, soft_sense_adjoint(y, maps, mask, axes))
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-10)


@given(coils=counts, rows=sizes, columns=sizes, seed=seeds)
def test_expanding_and_combining_are_adjoint(coils, rows, columns, seed):
    maps, y = drawn(coils, rows, columns, seed=seed), drawn(coils, rows, columns, seed=seed + 1)
    x = drawn(rows, columns, seed=seed + 2)
    torch.testing.assert_close(dot(expand(x, maps), y), dot(x, combine(y, maps)), rtol=1e-12, atol=1e-10)


def test_one_set_of_soft_sense_is_sense():
    maps, mask, x = drawn(3, 8, 7), drawn_mask(8, 7), drawn(8, 7, seed=4)
    kspace = sense_forward(x, maps, mask)
    torch.testing.assert_close(soft_sense_forward(x[None], maps[None], mask), kspace)
    torch.testing.assert_close(soft_sense_adjoint(kspace, maps[None], mask)[0], sense_adjoint(kspace, maps, mask))


@given(coils=counts, rows=sizes, columns=sizes, seed=seeds)
def test_with_maps_of_unit_norm_combining_undoes_expanding(coils, rows, columns, seed):
    x, maps = drawn(rows, columns, seed=seed), simulated_maps(coils, (rows, columns), seed=seed)
    coil_images = expand(x, maps)
    torch.testing.assert_close(combine(coil_images, maps), x, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(root_sum_of_squares(coil_images), x.abs(), rtol=1e-5, atol=1e-5)


def test_what_was_not_measured_is_zero_and_ignored():
    maps, mask, x = drawn(2, 6, 5), drawn_mask(6, 5, seed=3), drawn(6, 5, seed=1)
    kspace = sense_forward(x, maps, mask)
    assert torch.count_nonzero(kspace[:, ~mask]) == 0
    torch.testing.assert_close(kspace[:, mask], fourier(expand(x, maps))[:, mask])
    rubbish = torch.where(mask, kspace, torch.nan)
    torch.testing.assert_close(sense_adjoint(rubbish, maps, mask), sense_adjoint(kspace, maps, mask))


def test_sets_become_one_image_of_the_same_energy():
    sets = drawn(4, 2, 6, 5)
    image = combine_sets(sets)
    assert image.shape == (4, 6, 5)
    torch.testing.assert_close(image.norm(), sets.norm())
    torch.testing.assert_close(image.angle(), sets[:, 0].angle())
    torch.testing.assert_close(combine_sets(sets[:, :1]), sets[:, 0])
