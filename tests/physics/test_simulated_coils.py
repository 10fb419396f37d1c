import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.simulated_coils import simulated_maps

pytestmark = pytest.mark.usefixtures("one_thread")


@given(coils=st.integers(1, 16), rows=st.integers(1, 20), columns=st.integers(1, 20), seed=st.integers(0, 99))
def test_maps_have_unit_norm_everywhere(coils, rows, columns, seed):
    maps = simulated_maps(coils, (rows, columns), seed)
    assert maps.shape == (coils, rows, columns)
    assert maps.dtype == torch.complex64
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=0), torch.ones(rows, columns))


def test_maps_are_smooth_and_every_coil_sees_its_own_side():
    maps = simulated_maps(8, (64, 64), 1)
    assert maps.diff(dim=1).abs().max() < 0.1
    assert maps.diff(dim=2).abs().max() < 0.1
    brightest = {divmod(int(coil.abs().argmax()), 64) for coil in maps}
    assert len(brightest) == 8
    assert all(0 in place or 63 in place for place in brightest)


def test_the_seed_turns_the_array():
    assert torch.equal(simulated_maps(4, (8, 8), 5), simulated_maps(4, (8, 8), 5))
    assert not torch.allclose(simulated_maps(4, (8, 8), 5), simulated_maps(4, (8, 8), 6), atol=0.05)


def test_no_coil_is_no_array():
    with pytest.raises(ValueError, match="at least one coil"):
        simulated_maps(0, (8, 8))
