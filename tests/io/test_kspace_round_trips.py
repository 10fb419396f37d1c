import tempfile
from pathlib import Path

import ismrmrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kspace_files import head, scan

from napari_mritransfer.io import KSpace, Origin, Scan, load, save
from napari_mritransfer.io.errors import BadInput

ENDINGS = (".h5", ".mrd", ".cfl")


@st.composite
def scans(draw, max_frames=2):
    sizes = {
        "rows": draw(st.integers(8, 21)), "columns": draw(st.integers(8, 21)), "coils": draw(st.integers(1, 3)),
        "slices": draw(st.integers(1, 3)), "frames": draw(st.integers(1, max_frames)),
    }  # fmt: skip
    kspace = head(**sizes, seed=draw(st.integers(0, 99)))
    measured = draw(st.sampled_from(["all", "rows", "columns", "plane"]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    mask = np.ones(kspace.shape[-2:], dtype=bool)
    if measured == "rows":
        mask[rng.random(len(mask)) < 0.4] = False
    elif measured == "columns":
        mask[:, rng.random(mask.shape[1]) < 0.4] = False
    elif measured == "plane":
        mask &= rng.random(mask.shape) < 0.4
    mask[mask.shape[0] // 2, mask.shape[1] // 2] = True
    kspace *= mask
    image_matrix = draw(st.sampled_from([None, (7, 8), (8, 7)]))
    declared = draw(st.booleans())
    affine = None
    if draw(st.booleans()):
        affine = np.diag([-draw(st.floats(0.2, 5)), -0.5, 3.0, 1.0])
        affine[:3, 3] = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    spacing = None if affine is not None else draw(st.sampled_from([None, (4.0, 0.7, 0.3)]))
    return Scan.from_kspace(
        KSpace(
            kspace.shape, lambda frame, index: kspace[frame, index].copy(), declared=mask if declared else None,
            image_matrix=image_matrix,
        ),
        affine=affine, spacing_mm=spacing, phase_encode=draw(st.sampled_from([None, "x", "y"])),
        origin=draw(st.sampled_from(list(Origin))), name="head",
    )  # fmt: skip


def same(read, written):
    np.testing.assert_array_equal(read.kspace.array(), written.kspace.array())
    np.testing.assert_array_equal(read.kspace.measured(), written.kspace.measured())
    assert read.kspace.image_matrix == written.kspace.image_matrix
    assert read.spacing_mm == pytest.approx(written.spacing_mm)
    assert (read.phase_encode, read.origin, read.sides_known) == (
        written.phase_encode, written.origin, written.sides_known
    )  # fmt: skip
    np.testing.assert_allclose(read.affine, written.affine, atol=1e-9)
    assert read.image.shape == written.image.shape
    np.testing.assert_array_equal(np.asarray(read.image), np.asarray(written.image))


@settings(max_examples=60)
@given(written=scans(), ending=st.sampled_from(ENDINGS))
def test_what_is_written_is_read_back_to_the_bit(written, ending):
    """All samples, what was measured, geometry, phase encode and where the numbers came from."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"head{ending}")
        frames = written.kspace.shape[0]
        if ending == ".h5" and frames > 1:
            with pytest.raises(BadInput, match="one frame"):
                save(written, path)
            return
        save(written, path)
        same(load(path), written)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("origin", list(Origin))
def test_where_numbers_came_from_survives(tmp_path, ending, origin):
    """Above all simulated: nobody may take it for raw after it went through a file, or through two."""
    made = Scan.from_kspace(KSpace.from_array(head()), origin=origin)
    save(made, tmp_path / f"once{ending}")
    save(load(tmp_path / f"once{ending}"), tmp_path / f"twice{ending}")
    again = load(tmp_path / f"twice{ending}")
    assert again.origin is origin
    assert any("The file says" in note for note in again.notes) is (origin is not Origin.RAW)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_image_is_not_written_as_kspace(tmp_path, ending):
    image = Scan.from_image(np.ones((1, 1, 4, 4), np.float32), name="head")
    with pytest.raises(BadInput, match=r"^head has no k-space to write to a\.\w+; save it as \.nii\.gz instead\.$"):
        save(image, tmp_path / f"a{ending}")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_reading_that_fails_leaves_the_old_file(tmp_path, ending):
    save(scan(), tmp_path / f"head{ending}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(frame, index):
        raise OSError("disk")

    broken = Scan.from_kspace(KSpace((1, 1, 4, 32, 24), fail, declared=np.ones((32, 24), bool)))
    with pytest.raises(OSError, match="disk"):
        save(broken, tmp_path / f"head{ending}")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_ismrmrd_package_reads_what_is_written(tmp_path):
    written = scan(slices=2)
    save(written, tmp_path / "head.mrd")
    with ismrmrd.Dataset(str(tmp_path / "head.mrd"), "dataset", mode="r") as file:
        header = ismrmrd.xsd.CreateFromDocument(file.read_xml_header())
        lines = int(written.kspace.measured().any(axis=1).sum())
        assert file.number_of_acquisitions() == 2 * lines
        acquisition = file.read_acquisition(lines)
        last = file.read_acquisition(2 * lines - 1)
    encoded = header.encoding[0].encodedSpace
    assert (encoded.matrixSize.x, encoded.matrixSize.y) == (24, 32)
    assert encoded.fieldOfView_mm.y == pytest.approx(32 * 0.7)
    assert (acquisition.idx.slice, acquisition.idx.kspace_encode_step_1) == (1, 0)
    assert last.is_flag_set(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
    assert last.is_flag_set(ismrmrd.ACQ_LAST_IN_SLICE)
    np.testing.assert_array_equal(acquisition.data, written.kspace.slice(0, 1)[:, 0])
