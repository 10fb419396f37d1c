import h5py
import numpy as np
import pytest
import scipy.io
from kspace_files import brain, head, mark_as_matlab73

from napari_mritransfer.io import AmbiguousArray, ArrayOptions, Candidate, Origin, UnreadableScan, load
from napari_mritransfer.io.errors import BadInput

KSPACE = head()[0, 0]


def told(scan, *words):
    return all(any(word in note for note in scan.notes) for word in words)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_short_axis_of_kspace_is_the_coils_wherever_it_stands(tmp_path, axis, order):
    np.save(tmp_path / "head.npy", np.asarray(np.moveaxis(KSPACE, 0, axis), order=order))
    scan = load(tmp_path / "head.npy")
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE)
    words = [*("ky", "kx")[:axis], "coil", *("ky", "kx")[axis:]]
    assert told(
        scan, f"guessed: {', '.join(words)}; give them by name", "guessed from where its energy is: k-space"
    )
    assert scan.origin is Origin.RAW


@pytest.mark.parametrize("axes", ["coil,ky,kx", "cyx", " Coil, KY ,kx "])
def test_named_axes_are_no_guess(tmp_path, axes):
    np.save(tmp_path / "head.npy", KSPACE)
    scan = load(tmp_path / "head.npy", axes=axes, space="kspace")
    assert not told(scan, "guessed")
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE)


def test_naming_both_the_other_way_round_transposes(tmp_path):
    np.save(tmp_path / "head.npy", KSPACE)
    scan = load(tmp_path / "head.npy", axes="coil,kx,ky")
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE.swapaxes(1, 2))


def test_several_frame_axes_count_like_digits(tmp_path):
    array = head(frames=6, slices=2).reshape(2, 3, 2, 4, 32, 24)
    np.save(tmp_path / "head.npy", array)
    scan = load(tmp_path / "head.npy", axes="frame,frame,slice,coil,ky,kx")
    np.testing.assert_array_equal(scan.kspace.array(), array.reshape(6, 2, 4, 32, 24))


def test_kspace_that_was_never_shifted_is_shifted_and_that_is_told(tmp_path):
    np.save(tmp_path / "head.npy", np.fft.ifftshift(KSPACE, axes=(1, 2)))
    scan = load(tmp_path / "head.npy")
    assert told(scan, "centre in the corners")
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE)


def test_the_phase_encode_is_the_axis_that_misses_lines(tmp_path):
    undersampled = KSPACE.copy()
    undersampled[..., ::3] = 0
    np.save(tmp_path / "columns.npy", undersampled)
    np.save(tmp_path / "all.npy", KSPACE)
    assert load(tmp_path / "columns.npy").phase_encode == "x"
    assert load(tmp_path / "all.npy").phase_encode is None


def test_complex_images_are_images_with_echoes(tmp_path):
    echoes = np.stack([brain(seed=seed) for seed in range(3)], axis=-1)[:, :, None]
    np.save(tmp_path / "echoes.npy", echoes)
    scan = load(tmp_path / "echoes.npy")
    assert (scan.image.shape, scan.origin, scan.kspace) == ((3, 1, 48, 40), Origin.COIL_COMBINED, None)
    np.testing.assert_array_equal(scan.image[1, 0], echoes[:, :, 0, 1])
    assert told(scan, "guessed from where its energy is: an image", "y, x, frame, frame")


def test_real_arrays_are_magnitude_images(tmp_path):
    np.save(tmp_path / "stack.npy", np.abs(np.stack([brain(seed=seed) for seed in range(5)])).astype(np.float64))
    scan = load(tmp_path / "stack.npy")
    assert (scan.image.shape, scan.origin, scan.image.dtype) == ((1, 5, 48, 40), Origin.MAGNITUDE, np.float32)
    with pytest.raises(UnreadableScan, match="holds real numbers, which k-space has not"):
        load(tmp_path / "stack.npy", space="kspace")


def test_slices_and_coils_that_look_alike_are_asked_for(tmp_path):
    np.save(tmp_path / "head.npy", head(slices=3)[0])
    with pytest.raises(AmbiguousArray, match="cannot be told from their lengths") as caught:
        load(tmp_path / "head.npy")
    assert caught.value.candidates == (Candidate("", (3, 4, 32, 24), "complex64"),)
    assert caught.value.guess == ArrayOptions(None, "slice,coil,ky,kx", "kspace")
    guess = caught.value.guess
    scan = load(tmp_path / "head.npy", axes=guess.axes, space=guess.space)
    assert scan.kspace.shape == (1, 3, 4, 32, 24)


def test_noise_is_neither_kspace_nor_an_image_until_somebody_says_so(tmp_path):
    noise = np.random.default_rng(0).standard_normal((4, 32, 24, 2)) @ [1, 1j]
    noise[:, 14:18, 10:14] *= 4
    np.save(tmp_path / "noise.npy", noise)
    with pytest.raises(AmbiguousArray, match="k-space or an image cannot be told"):
        load(tmp_path / "noise.npy")
    assert load(tmp_path / "noise.npy", space="kspace").kspace.n_coils == 4


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("coil,ky,kz", "'kz' names no axis"),
        ("coil,ky", "names 2 axes, but the array has 3"),
        ("coil,slice,frame", "has to name ky and kx"),
        ("coil,ky,x", "has to name ky and kx"),
        ("ky,ky,kx", "names y twice"),
        ("slice,slice,kx,ky", "4 axes"),
    ],
)
def test_axes_that_do_not_fit_are_told(tmp_path, axes, said):
    np.save(tmp_path / "head.npy", KSPACE)
    with pytest.raises(BadInput, match=said):
        load(tmp_path / "head.npy", axes=axes)


def test_options_belong_to_bare_arrays(tmp_path):
    with pytest.raises(BadInput, match="says itself what its axes are"):
        load(tmp_path / "head.nii.gz", axes="yx")


def save_npz(path, arrays):
    np.savez(path, **arrays)


def save_mat(path, arrays):
    scipy.io.savemat(path, arrays)


def save_compressed_mat(path, arrays):
    scipy.io.savemat(path, arrays, do_compression=True)


def save_mat73(path, arrays):
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if np.iscomplexobj(array):
                pair = np.zeros(array.shape, [("real", "<f8"), ("imag", "<f8")])
                pair["real"], pair["imag"] = array.real, array.imag
                array = pair
            file[name] = array.T  # MATLAB counts from the other end
    mark_as_matlab73(path)


KINDS = {"npz": save_npz, "mat": save_mat, "mat ": save_compressed_mat, "mat  ": save_mat73}


@pytest.mark.parametrize("kind", KINDS)
def test_several_arrays_are_listed_and_one_is_chosen(tmp_path, kind):
    """Echo times and the like are not offered."""
    path = tmp_path / f"head.{kind.strip()}"
    KINDS[kind](path, {"kspace": KSPACE, "maps": KSPACE + 1, "te": np.array([[1.0, 2.0]])})
    with pytest.raises(AmbiguousArray, match="several arrays") as caught:
        load(path)
    assert {one.name: one.shape for one in caught.value.candidates} == {"kspace": (4, 32, 24), "maps": (4, 32, 24)}
    assert caught.value.guess.variable in {"kspace", "maps"}
    scan = load(path, variable="kspace")
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE)
    with pytest.raises(AmbiguousArray, match="holds no array 'image'"):
        load(path, variable="image")


@pytest.mark.parametrize("dtype", ["c8", "c16"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_array_needs_no_choice(tmp_path, kind, dtype):
    path = tmp_path / f"head.{kind.strip()}"
    KINDS[kind](path, {"kspace": KSPACE.astype(dtype)})
    np.testing.assert_array_equal(load(path).kspace.slice(0, 0), KSPACE)


def test_fields_of_structs_have_dots(tmp_path):
    """As MATLAB writes them: compressed, nested, beside text, cells and sparse matrices, which are passed over."""
    content = {"data": {"images": KSPACE, "inner": {"b": KSPACE[:, :16]}, "te": [1.0, 2.0], "what": "echo"}}
    content["cells"] = np.array([1, "a"], dtype=object)
    content["sparse"] = scipy.sparse.eye(5)
    scipy.io.savemat(tmp_path / "head.mat", content, do_compression=True)
    with pytest.raises(AmbiguousArray) as caught:
        load(tmp_path / "head.mat")
    assert [one.name for one in caught.value.candidates] == ["data.images", "data.inner.b"]
    np.testing.assert_array_equal(load(tmp_path / "head.mat", variable="data.images").kspace.slice(0, 0), KSPACE)


def test_matlab_integers_in_fewer_bytes_than_their_class(tmp_path):
    image = np.round(100 * np.abs(brain())).astype(np.uint8).astype(np.float64)
    scipy.io.savemat(tmp_path / "head.mat", {"a": image})
    np.testing.assert_array_equal(load(tmp_path / "head.mat").image[0, 0], image)


def test_hdf5_of_no_convention_is_a_bare_array(tmp_path):
    with h5py.File(tmp_path / "head.h5", "w") as file:
        file.create_dataset("deep/er/data", data=KSPACE, compression="gzip", shuffle=True)
    scan = load(tmp_path / "head.h5")
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), KSPACE)


def test_opening_reads_one_slice_and_scrolling_keeps_none(tmp_path):
    """A sparse file of 1.6 GB opens at once, and what is read is what lies there."""
    path = tmp_path / "large.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<c8", "fortran_order": False, "shape": (200, 4, 512, 512)}
        )
        start = file.tell()
        file.seek(start + 150 * 4 * 512 * 512 * 8)
        file.write(np.complex64(3 + 4j).tobytes())
        file.truncate(start + 200 * 4 * 512 * 512 * 8)
    scan = load(path, axes="slice,coil,ky,kx")
    assert scan.kspace.slice(0, 150)[0, 0, 0] == 3 + 4j
    assert not scan.kspace.slice(0, 149).any()
