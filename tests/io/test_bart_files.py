import numpy as np
import pytest
from kspace_files import brain, head

from napari_mritransfer.io import Origin, UnreadableScan, load


def write(path, array, dims=None):
    """BART's Fortran order: the first dimension varies fastest."""
    path.with_suffix(".hdr").write_text(
        f"# Dimensions\n{' '.join(map(str, dims or array.shape))} \n# Command\nfake\n# Creator\nBART v0.9\n", "utf-8"
    )
    path.with_suffix(".cfl").write_bytes(np.asarray(array, "<c8").tobytes(order="F"))
    return path.with_suffix(".cfl")


KSPACE = head()[0, 0]


@pytest.mark.parametrize("ending", [".cfl", ".hdr"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_two_long_dimensions_are_the_plane(tmp_path, ending, place):
    """Read and phase, or two phases with the readout done: the later one is ky."""
    array = np.expand_dims(KSPACE.T, place)  # (kx, ky, coil) and a 1 among the first three
    scan = load(write(tmp_path / "a", array).with_suffix(ending))
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE)
    assert scan.origin is Origin.RAW


def test_slices_echoes_and_time(tmp_path):
    array = head(slices=2, frames=6).reshape(2, 3, 2, 4, 32, 24)  # time, echo, slice, coil, ky, kx
    dims = [24, 32, 1, 4, 1, 3, 1, 1, 1, 1, 2, 1, 1, 2]
    stored = array.transpose(5, 4, 3, 1, 0, 2)
    scan = load(write(tmp_path / "a", stored, dims))
    expected = array.transpose(1, 0, 2, 3, 4, 5).reshape(6, 2, 4, 32, 24)
    np.testing.assert_array_equal(scan.kspace.array(), expected)


def test_an_image_with_maps(tmp_path):
    maps = np.stack([brain(), 0.1 * brain(seed=1)], axis=-1)
    scan = load(write(tmp_path / "a", maps, [1, *maps.shape[:2], 1, 2]))
    assert (scan.image.shape, scan.origin) == ((2, 1, 40, 48), Origin.COIL_COMBINED)
    np.testing.assert_array_equal(scan.image[1, 0], maps[..., 1].T)
    assert any("2 maps are shown as frames" in note for note in scan.notes)


@pytest.mark.parametrize(
    ("dims", "said"),
    [
        ([8, 8, 8, 1], "has 3 of the read and phase-encode dimensions"),
        ([1, 8, 1, 8], "has 1 of the read and phase-encode dimensions"),
        ([8, 8, 1, 1, 1, 1, 1, 1, 1, 3], "BART's dimension 9"),
        ([8, 0, 8], "axis of length 0"),
        ([8, -8, 8], "no line of lengths"),
        ([8, 10**19, 8], "ends after"),
        (["x"], "no line of lengths"),
        ([8] * 40, "no line of lengths"),
    ],
)
def test_dimensions_without_a_place(tmp_path, dims, said):
    with pytest.raises(UnreadableScan, match=said):
        load(write(tmp_path / "a", np.ones((8, 8, 8)), dims))


def test_half_a_pair(tmp_path):
    path = write(tmp_path / "a", KSPACE.T[:, :, None])
    path.with_suffix(".hdr").unlink()
    with pytest.raises(UnreadableScan, match=r"a\.hdr does not exist"):
        load(path)
    write(tmp_path / "a", KSPACE.T[:, :, None]).unlink()
    with pytest.raises(UnreadableScan, match=r"a\.cfl does not exist"):
        load(tmp_path / "a.hdr")


def test_a_hdr_of_another_program(tmp_path):
    (tmp_path / "a.hdr").write_bytes(b"\\\x01\0\0" + bytes(344))
    with pytest.raises(UnreadableScan, match="no BART header"):
        load(tmp_path / "a.hdr")


def test_named_axes_open_what_is_otherwise_refused(tmp_path):
    volume = head(slices=5)[0, :, 0]  # (slice, ky, kx), taken as fully transformed along its slices
    path = write(tmp_path / "a", volume.T)
    scan = load(path, axes="kx,ky,slice")
    np.testing.assert_array_equal(scan.kspace.array()[0, :, 0], volume)


def test_what_follows_the_numbers_is_told(tmp_path):
    path = write(tmp_path / "a", KSPACE.T[:, :, None])
    path.write_bytes(path.read_bytes() + bytes(8))
    assert any("goes on after" in note for note in load(path).notes)
