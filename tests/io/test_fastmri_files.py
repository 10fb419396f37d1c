import h5py
import numpy as np
import pytest
from kspace_files import head, scan

from napari_mritransfer.io import KSpace, Origin, Scan, UnreadableScan, describe, load, reconstruction_target, save
from napari_mritransfer.io.mri_header import Limits, MriHeader, written
from napari_mritransfer.io.provenance import with_facts

SLICES, COILS, ROWS, COLUMNS = 3, 4, 32, 24


def xml(limits=None):
    """As fastMRI's: rows twice oversampled, columns zero-padded."""
    return written(
        MriHeader((ROWS, COLUMNS, 1), (64.0, 36.0, 5.0), (16, 20, 1), (32.0, 30.0, 5.0), "cartesian", limits, None, 1,
                  {}), COILS
    )  # fmt: skip


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            file[name] = value
        file.attrs["acquisition"], file.attrs["patient_id"] = "AXT2", "secret"
    return path


@pytest.fixture
def kspace():
    return head(rows=ROWS, columns=COLUMNS, coils=COILS, slices=SLICES)[0]


def test_multicoil(tmp_path, kspace):
    found = load(write(tmp_path / "a.h5", kspace=kspace, ismrmrd_header=xml()))
    np.testing.assert_array_equal(found.kspace.array()[0], kspace)
    assert found.image.shape == (1, SLICES, 16, 20)
    assert found.spacing_mm == pytest.approx((5.0, 2.0, 1.5))
    assert (found.phase_encode, found.origin) == ("x", Origin.RAW)
    assert "secret" not in str(describe(found))


def test_single_coil_files_hold_what_was_combined(tmp_path, kspace):
    found = load(write(tmp_path / "a.h5", kspace=kspace[:, 0], ismrmrd_header=xml()))
    assert found.kspace.shape == (1, SLICES, 1, ROWS, COLUMNS)
    assert found.origin is Origin.COIL_COMBINED
    assert any("one coil, or of several that were combined" in note for note in found.notes)


def test_the_mask_declares_columns(tmp_path, kspace):
    mask = np.arange(COLUMNS) % 3 == 0
    found = load(write(tmp_path / "a.h5", kspace=kspace * mask, mask=mask.astype(np.float32)))
    np.testing.assert_array_equal(found.kspace.measured(), np.tile(mask, (ROWS, 1)))
    with pytest.raises(UnreadableScan, match="holds a mask of"):
        load(write(tmp_path / "b.h5", kspace=kspace, mask=mask[1:]))


def test_padded_columns_were_not_measured(tmp_path, kspace):
    """Columns 2 to 21 were encoded; those outside are zero, apart from one that is not and therefore counts."""
    kspace[..., :2] = kspace[..., 22] = 0
    found = load(write(tmp_path / "a.h5", kspace=kspace, ismrmrd_header=xml(Limits(0, 19, 10))))
    assert np.flatnonzero(~found.kspace.measured().any(axis=0)).tolist() == [0, 1, 22]
    assert any("3 of 24 columns were padded" in note for note in found.notes)


def test_the_box_reaches_as_far_as_the_scanner_not_as_the_mask(tmp_path, kspace):
    """Of a test scan the outermost encoded columns may be unsampled: they count as left out, padding does not."""
    kspace[..., :2] = kspace[..., 22:] = 0
    mask = np.zeros(COLUMNS, dtype=bool)
    mask[8:16] = True
    limits = xml(Limits(0, 19, 10))
    found = load(write(tmp_path / "a.h5", kspace=kspace * mask, mask=mask.astype(np.float32), ismrmrd_header=limits))
    assert found.kspace.box() == (ROWS, 20)
    assert with_facts(found, {"image_matrix": "[8, 10]"}).kspace.box() == (ROWS, 20)


def test_the_reference_reconstruction_is_at_hand(tmp_path, kspace):
    target = np.random.default_rng(0).random((SLICES, 16, 20)).astype(np.float32)
    path = write(tmp_path / "a.h5", kspace=kspace, reconstruction_rss=target)
    np.testing.assert_array_equal(np.asarray(reconstruction_target(path))[0], target)
    assert any("reconstruction_rss" in note for note in load(path).notes)
    assert reconstruction_target(write(tmp_path / "b.h5", kspace=kspace)) is None


def test_what_is_written_has_the_reconstruction_of_its_kspace(tmp_path):
    made = scan(slices=2)
    save(made, tmp_path / "a.h5")
    np.testing.assert_allclose(np.asarray(reconstruction_target(tmp_path / "a.h5")), np.asarray(made.image), rtol=1e-6)


def test_compressed_kspace_is_read_too(tmp_path, kspace):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("kspace", data=kspace, chunks=(1, *kspace.shape[1:]), compression="gzip", fletcher32=True)
    np.testing.assert_array_equal(load(tmp_path / "a.h5").kspace.array()[0], kspace)


@pytest.mark.parametrize("value", [np.zeros((2, 3), np.complex64), np.zeros((2, 4, 8, 8)), np.zeros((1,) * 6)])
def test_a_kspace_of_another_shape(tmp_path, value):
    with pytest.raises(UnreadableScan, match="not complex"):
        load(write(tmp_path / "a.h5", kspace=value))


def test_samples_that_are_no_numbers_are_told_by_slice(tmp_path, kspace):
    kspace[2, 1, 3, 4] = np.nan
    found = load(write(tmp_path / "a.h5", kspace=kspace))
    _ = found.image[0, 0]
    for looking in (lambda: found.image[0, 2], found.kspace.array):
        with pytest.raises(UnreadableScan, match="Slice 2 holds samples that are NaN"):
            looking()


def test_facts_of_kspace_look_at_one_slice(tmp_path, kspace):
    read = []
    lazy = KSpace((1, 9, *kspace.shape[1:]), lambda frame, index: read.append(index) or kspace[0],
                  declared=np.ones((ROWS, COLUMNS), bool))  # fmt: skip
    facts = describe(Scan.from_kspace(lazy))
    assert read == [4]
    assert facts["kspace"] == {
        "coils": COILS, "matrix": {"ky": ROWS, "kx": COLUMNS}, "measured_share": 1.0, "measured_rows": ROWS,
        "measured_columns": COLUMNS, "megabytes": 0.2,
    }  # fmt: skip
    assert facts["values_of"] == "the middle slice"
