import h5py
import ismrmrd
import numpy as np
import pytest
from ismrmrd.hdf5 import acquisition_dtype, acquisition_header_dtype
from kspace_files import head

from napari_mritransfer.io import UnreadableScan, load
from napari_mritransfer.io.mri_header import Limits, MriHeader, written
from napari_mritransfer.physics.centred import centre_crop, inverse_transform, transform

ROWS, COLUMNS, COILS = 16, 20, 3


def header(*, matrix=(COLUMNS, ROWS, 1), mm=(20.0, 32.0, 5.0), recon=None, recon_mm=None, trajectory="cartesian",
           centre=ROWS // 2, step_2=None):  # fmt: skip
    xml = MriHeader(
        matrix, mm, recon or matrix, recon_mm or mm, "cartesian", Limits(0, matrix[1] - 1, centre), step_2, 1, {}
    )
    return written(xml, COILS).replace("cartesian", trajectory)


def acquisition(samples, *, flags=(), step_1=0, step_2=0, geometry=True, position=(0, 0, 0), **counters):
    """One readout ``(coil, sample)``; other numbers of its header by name."""
    block = np.zeros(1, acquisition_dtype)
    top = np.zeros(1, acquisition_header_dtype)
    top["number_of_samples"], top["active_channels"] = samples.shape[1], samples.shape[0]
    top["center_sample"] = counters.pop("center_sample", samples.shape[1] // 2)
    for name in ("discard_pre", "discard_post", "encoding_space_ref"):
        top[name] = counters.pop(name, 0)
    top["flags"] = sum(1 << (flag - 1) for flag in flags)
    top["idx"]["kspace_encode_step_1"], top["idx"]["kspace_encode_step_2"] = step_1, step_2
    for name, value in counters.items():
        top["idx"][name] = value
    if geometry:
        top["read_dir"], top["phase_dir"], top["slice_dir"] = (0, 1, 0), (1, 0, 0), (0, 0, 1)
        top["position"] = position
    block["head"] = top
    block["data"][0] = np.ascontiguousarray(samples, np.complex64).view(np.float32).ravel()
    block["traj"][0] = np.zeros(0, np.float32)
    return block


def write(path, xml, acquisitions):
    with h5py.File(path, "w") as file:
        group = file.create_group("dataset")
        group.create_dataset("xml", (1,), dtype=h5py.special_dtype(vlen=bytes))[0] = xml
        group.create_dataset("data", data=np.concatenate(acquisitions), maxshape=(None,))
    return path


def lines(kspace, **more):
    """All lines of ``(coil, ky, kx)``."""
    return [acquisition(kspace[:, step], step_1=step, **more) for step in range(kspace.shape[1])]


@pytest.fixture
def kspace():
    return head(rows=ROWS, columns=COLUMNS, coils=COILS)[0, 0]


def test_lines_in_any_order_become_slices_and_frames(tmp_path):
    array = head(rows=ROWS, columns=COLUMNS, coils=COILS, slices=2, frames=4)
    acquisitions = [
        one
        for frame in range(4)
        for index in range(2)
        for one in lines(array[frame, index], slice=index, contrast=frame // 2, repetition=frame % 2)
    ]
    shuffled = [acquisitions[place] for place in np.random.default_rng(0).permutation(len(acquisitions))]
    scan = load(write(tmp_path / "a.h5", header(), shuffled))
    np.testing.assert_array_equal(scan.kspace.array(), array)
    assert any("Frames are contrasts, phases, repetitions" in note for note in scan.notes)


def test_partial_fourier_and_asymmetric_echoes_keep_dc_in_the_middle(tmp_path, kspace):
    """Lines 5 to 15 and samples 4 onwards: steps count from 0, and the header says which of them is DC."""
    partial = [
        acquisition(kspace[:, line, 4:], step_1=line - 5, center_sample=COLUMNS // 2 - 4) for line in range(5, ROWS)
    ]
    scan = load(write(tmp_path / "a.mrd", header(centre=ROWS // 2 - 5), partial))
    expected = kspace.copy()
    expected[:, :5] = expected[..., :4] = 0
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), expected)
    np.testing.assert_array_equal(scan.kspace.measured(), np.any(expected != 0, axis=0))


def test_discarded_samples_and_reversed_lines(tmp_path, kspace):
    padded = np.pad(kspace, [(0, 0), (0, 0), (2, 3)], constant_values=99)
    odd = [
        acquisition(
            padded[:, line, ::-1] if line % 2 else padded[:, line],
            step_1=line, flags=[ismrmrd.ACQ_IS_REVERSE] if line % 2 else [],
            discard_pre=3 if line % 2 else 2, discard_post=2 if line % 2 else 3,
        )
        for line in range(0, ROWS, 2)
    ]  # fmt: skip
    scan = load(write(tmp_path / "a.mrd", header(), odd))
    np.testing.assert_array_equal(scan.kspace.slice(0, 0)[:, ::2], kspace[:, ::2])
    reversed_lines = [
        acquisition(kspace[:, line, ::-1], step_1=line, flags=[ismrmrd.ACQ_IS_REVERSE]) for line in range(ROWS)
    ]
    np.testing.assert_array_equal(load(write(tmp_path / "b.mrd", header(), reversed_lines)).kspace.slice(0, 0), kspace)


def test_readout_oversampling_is_removed(tmp_path, kspace):
    """Half of the field of view along the readout: the image of the rest is the middle of the whole image."""
    scan = load(
        write(tmp_path / "a.mrd", header(recon=(10, ROWS, 1), recon_mm=(10.0, 32.0, 5.0)), lines(kspace))
    )  # fmt: skip
    assert scan.kspace.shape[-2:] == (ROWS, 10)
    expected = centre_crop(inverse_transform(kspace), (ROWS, 10))
    np.testing.assert_allclose(inverse_transform(scan.kspace.slice(0, 0)), expected, atol=1e-5)
    assert any("10 of 20 samples" in note for note in scan.notes)


def test_averages_are_averaged_by_how_often_a_line_was_measured(tmp_path, kspace):
    twice = lines(kspace) + lines(3 * kspace, average=1)[:4]
    scan = load(write(tmp_path / "a.mrd", header(), twice))
    np.testing.assert_allclose(scan.kspace.slice(0, 0)[:, :4], 2 * kspace[:, :4], rtol=1e-6)
    np.testing.assert_array_equal(scan.kspace.slice(0, 0)[:, 4:], kspace[:, 4:])
    assert any("up to 2 times" in note for note in scan.notes)


def test_calibration_lines_stand_in_where_nothing_else_was_measured(tmp_path, kspace):
    undersampled = lines(kspace)[::2]
    calibration = [
        acquisition(5 * kspace[:, line], step_1=line, flags=[ismrmrd.ACQ_IS_PARALLEL_CALIBRATION])
        for line in range(6, 10)
    ]
    both = [
        acquisition(kspace[:, 1], step_1=1, flags=[20, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING]),
        acquisition(99 * kspace[:, 3], step_1=3, flags=[ismrmrd.ACQ_IS_NAVIGATION_DATA]),
    ]
    scan = load(write(tmp_path / "a.mrd", header(), undersampled + calibration + both))
    found = scan.kspace.slice(0, 0)
    np.testing.assert_array_equal(found[:, 6], kspace[:, 6])
    np.testing.assert_allclose(found[:, 7], 5 * kspace[:, 7])
    assert sorted(np.flatnonzero(scan.kspace.measured().any(axis=1))) == sorted({*range(0, 16, 2), 1, 7, 9})
    assert any("2 calibration lines" in note for note in scan.notes)
    assert any("1 navigator" in note for note in scan.notes)


def test_noise_scans_make_the_noise_white(tmp_path):
    """Coils that share their noise do not any more: the covariance of noise alone becomes a multiple of one."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((COILS, COILS)) + 2 * np.eye(COILS)
    draw = lambda n: mixing @ (rng.standard_normal((COILS, n, 2)) @ [1, 1j])  # noqa: E731
    noise = [acquisition(draw(4000), flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])]
    kspace = draw(ROWS * COLUMNS).reshape(COILS, ROWS, COLUMNS)
    scan = load(write(tmp_path / "a.mrd", header(), noise + lines(kspace)))
    white = scan.kspace.slice(0, 0).reshape(COILS, -1)
    covariance = white @ white.conj().T / white.shape[1]
    covariance /= np.trace(covariance).real / COILS
    np.testing.assert_allclose(covariance, np.eye(COILS), atol=0.15)
    assert any("prewhitened with 1 noise" in note for note in scan.notes)


def test_dead_coils_cannot_be_prewhitened(tmp_path, kspace):
    noise = [acquisition(np.zeros((COILS, 100)), flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])]
    scan = load(write(tmp_path / "a.mrd", header(), noise + lines(kspace)))
    np.testing.assert_array_equal(scan.kspace.slice(0, 0), kspace)
    assert any("do not suffice" in note for note in scan.notes)


def test_slices_are_where_the_scanner_put_them(tmp_path, kspace):
    """LPS positions of the middle become a RAS affine: the voxel n // 2 of each slice lies on its position."""
    stacked = [
        one for index in range(3) for one in lines(kspace, slice=index, position=(10, -20, 7.5 * index + 30))
    ]  # fmt: skip
    scan = load(write(tmp_path / "a.mrd", header(), stacked))
    assert scan.spacing_mm == pytest.approx((7.5, 2.0, 1.0))
    assert (scan.sides_known, scan.orientation) == (True, "axial")
    centre = scan.affine @ [COLUMNS // 2, ROWS // 2, 2, 1]
    np.testing.assert_allclose(centre[:3], [-10, 20, 45], atol=1e-4)
    np.testing.assert_allclose(scan.affine[:3, :3] @ [1, 0, 0], [0, -1, 0], atol=1e-6)  # read towards posterior
    without = load(write(tmp_path / "b.mrd", header(), lines(kspace, geometry=False)))
    assert not without.sides_known
    assert without.spacing_mm == pytest.approx((5.0, 2.0, 1.0))


def slab(volume):
    kspace = transform(volume, axes=(1, 2, 3)).astype(np.complex64)
    matrix = (volume.shape[3], volume.shape[2], volume.shape[1])
    xml = header(matrix=matrix, mm=(20.0, 32.0, 30.0), step_2=Limits(0, matrix[2] - 1, matrix[2] // 2))
    return xml, [
        acquisition(kspace[:, kz, ky], step_1=ky, step_2=kz) for kz in range(matrix[2]) for ky in range(matrix[1])
    ]


def test_three_dimensions_become_slices(tmp_path):
    rng = np.random.default_rng(0)
    volume = rng.standard_normal((COILS, 6, ROWS, COLUMNS)).astype(np.complex64)
    xml, acquisitions = slab(volume)
    scan = load(write(tmp_path / "a.mrd", xml, acquisitions))
    assert scan.kspace.shape == (1, 6, COILS, ROWS, COLUMNS)
    for index in range(6):
        np.testing.assert_allclose(inverse_transform(scan.kspace.slice(0, index)), volume[:, index], atol=1e-5)
    with pytest.raises(UnreadableScan, match="undersampled along its partitions"):
        load(write(tmp_path / "b.mrd", xml, acquisitions[:-1]))


@pytest.mark.parametrize("trajectory", ["spiral", "radial", "epi", "goldenangle"])
def test_other_trajectories_are_refused_by_name(tmp_path, kspace, trajectory):
    with pytest.raises(UnreadableScan, match=f"along a {trajectory} trajectory"):
        load(write(tmp_path / "a.mrd", header(trajectory=trajectory), lines(kspace)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"step_1": 99}, "do not fit a matrix of 16"),
        ({"step_2": 1}, "partition steps"),
        ({"discard_pre": 20}, "without samples"),
        ({"center_sample": 0, "discard_post": 1}, "do not fit the encoded matrix of 20"),
        ({"flags": [ismrmrd.ACQ_IS_NOISE_MEASUREMENT]}, "no acquisition that is part of an image"),
        ({"encoding_space_ref": 1}, "no acquisition that is part of an image"),
    ],
)
def test_headers_that_contradict_themselves(tmp_path, kspace, change, said):
    with pytest.raises(UnreadableScan, match=said):
        load(write(tmp_path / "a.mrd", header(), [acquisition(kspace[:, 0], **change)]))


def test_samples_that_are_fewer_than_announced_are_told_when_looked_at(tmp_path, kspace):
    block = acquisition(kspace[:, 0])
    block["data"][0] = np.zeros(7, np.float32)
    scan = load(write(tmp_path / "a.mrd", header(), [block]))
    with pytest.raises(UnreadableScan, match="holds 7 numbers where its header announces 3 coils of 20 samples"):
        scan.kspace.slice(0, 0)


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("", "no ISMRMRD header"),
        ("<ismrmrdHeader/>", "no ISMRMRD header"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ismrmrdHeader>&b;</ismrmrdHeader>', "XML entities"),
        (header().replace("<x>20</x>", "<x>0</x>"), "no ISMRMRD header"),
        (header().replace("<x>20</x>", "<x>99999999</x>"), "no ISMRMRD header"),
        (header().replace("20.0", "nan"), "no ISMRMRD header"),
        (header()[:200], "no ISMRMRD header"),
    ],
)
def test_headers_that_are_none(tmp_path, kspace, xml, said):
    with pytest.raises(UnreadableScan, match=said):
        load(write(tmp_path / "a.mrd", xml, lines(kspace)))


def test_a_header_that_is_no_text_is_not_read_as_text(tmp_path, kspace):
    """A damaged type made the HDF5 library follow pointers that were none, which ended the process."""
    path = write(tmp_path / "a.mrd", header(), lines(kspace))
    with h5py.File(path, "r+") as file:
        del file["dataset/xml"]
        numbers = file["dataset"].create_dataset("xml", (1,), dtype=h5py.special_dtype(vlen=np.dtype("u1")))
        numbers[0] = np.arange(9, dtype=np.uint8)
    with pytest.raises(UnreadableScan, match="holds no text"):
        load(path)
