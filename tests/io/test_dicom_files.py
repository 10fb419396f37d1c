"""DICOM files by any name, in any company, stored in any way, read to the numbers that were put in."""

import shutil

import numpy as np
import pydicom
import pydicom.pixels.common
import pytest
from dicom_files import COLUMNS, ROWS, SERIES, SLICES, classic, place, slice_pixels, write_series, written
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from napari_mritransfer.io import Origin, SeriesChoice, UnreadableScan, describe, load
from napari_mritransfer.io.dicom_series import holds_dicom
from napari_mritransfer.io.errors import BadInput

OTHER = f"{SERIES}.5"
EXPECTED = np.stack([slice_pixels(index) for index in range(SLICES)]).astype(np.float32)


def in_file_order(scan, frame=0):
    """``(slice, row, column)`` as stored."""
    voxels = scan.axes.to_file(scan.image)
    return (voxels if voxels.ndim == 3 else voxels[..., frame]).transpose(2, 1, 0)


def test_a_folder_and_any_file_of_it_are_the_same_scan(tmp_path):
    paths = write_series(tmp_path / "head")
    for named in (tmp_path / "head", *paths):
        scan = load(named)
        np.testing.assert_array_equal(in_file_order(scan), EXPECTED)
        assert scan.origin is Origin.MAGNITUDE
        assert scan.path == named
        assert describe(scan)["format"] == "DICOM"


def test_siblings_of_other_series_and_other_files_are_left_alone(tmp_path):
    paths = write_series(tmp_path / "all")
    others = write_series(tmp_path / "all", series=OTHER, prefix="XX", indices=range(3), SeriesNumber=9)
    (tmp_path / "all" / "notes.txt").write_text("no image")
    (tmp_path / "all" / "DICOMDIR.bak").write_bytes(bytes(128) + b"DICM")
    np.testing.assert_array_equal(in_file_order(load(paths[0])), EXPECTED)
    assert load(others[0]).image.shape[1] == 3


def test_several_series_are_listed_and_one_is_asked_for(tmp_path):
    write_series(tmp_path / "all", SeriesDescription="t1_mprage_sag MILLER")
    write_series(tmp_path / "all", series=OTHER, prefix="XX", indices=range(3), SeriesNumber=12)
    with pytest.raises(SeriesChoice) as caught:
        load(tmp_path / "all")
    first, second = caught.value.candidates
    assert (first.label, first.n_files, first.size) == ("3", 5, (ROWS, COLUMNS))
    assert first.description == "t1 mprage sag magnitude TE 12.5 ms"
    assert (second.label, second.n_files) == ("12", 3)
    assert second.n_bytes == sum(path.stat().st_size for path in (tmp_path / "all").glob("XX*"))
    assert "holds 2 series" in str(caught.value)
    assert "MILLER" not in str(caught.value)
    assert load(tmp_path / "all", series="12").image.shape[1] == 3
    np.testing.assert_array_equal(in_file_order(load(tmp_path / "all", series="3")), EXPECTED)
    with pytest.raises(SeriesChoice, match="no series '4'"):
        load(tmp_path / "all", series="4")


def test_series_with_one_number_get_labels_of_their_own(tmp_path):
    write_series(tmp_path / "all")
    write_series(tmp_path / "all", series=OTHER, prefix="XX", indices=range(3))
    with pytest.raises(SeriesChoice) as caught:
        load(tmp_path / "all")
    assert [(one.label, one.n_files) for one in caught.value.candidates] == [("3.1", 5), ("3.2", 3)]
    assert load(tmp_path / "all", series="3.2").image.shape[1] == 3


def test_a_localiser_of_three_planes_is_three_scans(tmp_path):
    """One series, but no stack: each direction can be chosen, and a file names its own."""
    axes = np.eye(3)
    for number, (row, column) in enumerate(((0, 1), (1, 2), (0, 2))):
        data = classic(slice_pixels(0), np.zeros(3), instance=number + 1, directions=(axes[row], -axes[column]))
        written(data, tmp_path / f"{number}.dcm")
    with pytest.raises(SeriesChoice) as caught:
        load(tmp_path)
    assert [one.label for one in caught.value.candidates] == ["3.1", "3.2", "3.3"]
    assert {load(tmp_path / f"{number}.dcm").orientation for number in range(3)} == {"axial", "sagittal", "coronal"}


def test_magnitude_and_phase_of_one_series_are_kept_apart(tmp_path):
    write_series(tmp_path / "head")
    kind = ["ORIGINAL", "PRIMARY", "P", "ND"]
    paths = write_series(tmp_path / "head", prefix="PH", first_instance=50, ImageType=kind)
    with pytest.raises(SeriesChoice, match=r"3\.1 \(magnitude.*3\.2 \(phase"):
        load(tmp_path / "head")
    assert any("call these images phase" in note for note in load(paths[0]).notes)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_kinds_that_ge_tells_apart_in_a_tag_of_its_own(tmp_path, syntax):
    """Real and imaginary part at the same place, at the same echo time: never two repetitions."""
    for number, kind in enumerate((2, 3)):

        def change(data, index, kind=kind):
            data.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
            data.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", kind)

        write_series(
            tmp_path / "head", prefix=f"K{kind}", first_instance=1 + 50 * number, change=change, syntax=syntax
        )
    with pytest.raises(SeriesChoice, match=r"3\.1 \(real part.*3\.2 \(imaginary part"):
        load(tmp_path / "head")


def test_series_in_folders_of_an_export_are_found(tmp_path):
    write_series(tmp_path / "a").copy()
    write_series(tmp_path / "b", series=OTHER, SeriesNumber=4)
    (tmp_path / "export").mkdir()
    for name in "ab":
        shutil.move(tmp_path / name, tmp_path / "export" / name)
    assert holds_dicom(tmp_path / "export")
    np.testing.assert_array_equal(in_file_order(load(tmp_path / "export", series="4")), EXPECTED)


@pytest.mark.parametrize("name", ["head.dcm", "head.IMA", "IM0001", "1.2.840.113619", "MR.1.2.3"])
def test_the_content_tells_whatever_the_name(tmp_path, name):
    scan = load(written(classic(slice_pixels(0), place(0), instance=1), tmp_path / name))
    np.testing.assert_array_equal(in_file_order(scan)[0], EXPECTED[0])


def without_preamble(path):
    """As very old scanners and some archives store them."""
    data = pydicom.dcmread(path)
    data.preamble = None
    del data.file_meta
    pydicom.dcmwrite(path, data, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert path.read_bytes()[128:132] != b"DICM"


def test_files_without_a_preamble_are_tried_where_they_are_named(tmp_path):
    paths = write_series(tmp_path / "head")
    for path in paths:
        without_preamble(path)
    for named in (tmp_path / "head", paths[2]):
        np.testing.assert_array_equal(in_file_order(load(named)), EXPECTED)
    assert not holds_dicom(tmp_path / "head")
    written(classic(slice_pixels(0), place(0), instance=1), tmp_path / "head" / "real.dcm")
    assert load(tmp_path / "head").image.shape[1] == 1


def test_a_folder_without_dicom_and_dicom_without_images(tmp_path):
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "notes.txt").write_text("no image")
    with pytest.raises(UnreadableScan, match="folder without DICOM files"):
        load(tmp_path / "head")
    report = classic(slice_pixels(0), place(0), instance=1, Rows=None, Columns=None, PixelData=None,
                     SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")  # fmt: skip
    path = written(report, tmp_path / "head" / "report.dcm")
    with pytest.raises(UnreadableScan, match="without DICOM images"):
        load(tmp_path / "head")
    with pytest.raises(UnreadableScan, match="without an image"):
        load(path)


def test_a_series_of_something_else_is_refused(tmp_path):
    np.save(tmp_path / "head.npy", np.zeros((4, 8, 8)))
    with pytest.raises(BadInput, match="no DICOM"):
        load(tmp_path / "head.npy", series="3")
    paths = write_series(tmp_path / "head")
    with pytest.raises(BadInput, match="leave out"):
        load(paths[0], axes="slice,y,x")


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
def test_transfer_syntaxes_that_need_no_other_package(tmp_path, syntax, dtype):
    pixels = (slice_pixels(0) % 251 - (100 if dtype == np.int16 else 0)).astype(dtype)
    data = classic(pixels, place(0), instance=1)
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian and dtype != np.uint8:
        data.PixelData = pixels.astype(np.dtype(dtype).newbyteorder(">")).tobytes()
    data.file_meta.TransferSyntaxUID = syntax
    scan = load(written(data, tmp_path / "head.dcm"))
    np.testing.assert_array_equal(in_file_order(scan)[0], pixels)
    assert any("8 bits" in note for note in scan.notes) == (dtype == np.uint8)


@pytest.mark.parametrize(
    ("syntax", "said"),
    [
        (JPEGLosslessSV1, r"compressed as JPEG Lossless.*no decoder.*pylibjpeg-libjpeg"),
        (JPEGLSLossless, r"compressed as JPEG-LS.*no decoder.*pylibjpeg-libjpeg"),
        (MPEG2MPML, r"compressed as MPEG2.*not read here; decompress"),
    ],
)
def test_missing_decoders_are_named_with_what_to_do(tmp_path, monkeypatch, syntax, said):
    monkeypatch.setattr(pydicom.pixels.common.CoderBase, "is_available", property(lambda self: False))
    data = classic(slice_pixels(0), place(0), instance=1)
    data.PixelData = encapsulate([b"\xff\xd8 no image \xff\xd9"])
    data["PixelData"].is_undefined_length = True
    path = written_as(data, syntax, tmp_path / "head.dcm")
    with pytest.raises(UnreadableScan, match=said):
        load(path)


def test_a_syntax_that_nobody_knows_is_not_quoted(tmp_path):
    data = classic(slice_pixels(0), place(0), instance=1)
    path = written_as(data, ExplicitVRLittleEndian, tmp_path / "head.dcm")
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1", b"1.2.3.4.5.6.7.8.900", 1))
    with pytest.raises(UnreadableScan, match="compressed in a way that is not in the standard"):
        load(path)


def written_as(data, syntax, path):
    data.file_meta.TransferSyntaxUID = syntax
    return written(data, path)


def test_a_damaged_codestream_is_one_sentence(tmp_path):
    data = classic(slice_pixels(0), place(0), instance=1)
    data.PixelData = encapsulate([b"\xff\xd8 no image \xff\xd9"])
    data["PixelData"].is_undefined_length = True
    written_as(data, JPEG2000Lossless, tmp_path / "head.dcm")
    with pytest.raises(UnreadableScan, match="damaged DICOM file"):
        load(tmp_path / "head.dcm")


def test_every_slice_is_scaled_by_its_own_slope(tmp_path):
    def change(data, index):
        data.RescaleSlope, data.RescaleIntercept = 0.5 * (index + 1), -20 + index
        data.PixelData = slice_pixels(index, slope=0.5 * (index + 1), inter=-20 + index).tobytes()

    write_series(tmp_path / "head", change=change)
    np.testing.assert_allclose(in_file_order(load(tmp_path / "head")), EXPECTED, atol=0.5 * SLICES)
    halves = np.stack([
        slice_pixels(index, slope=0.5 * (index + 1), inter=-20 + index) * 0.5 * (index + 1) - 20 + index
        for index in range(SLICES)
    ])  # fmt: skip
    np.testing.assert_allclose(in_file_order(load(tmp_path / "head")), halves, rtol=1e-6)


def test_monochrome1_is_said_and_not_inverted(tmp_path):
    write_series(tmp_path / "head", PhotometricInterpretation="MONOCHROME1")
    scan = load(tmp_path / "head")
    np.testing.assert_array_equal(in_file_order(scan), EXPECTED)
    assert any("MONOCHROME1" in note for note in scan.notes)


@pytest.mark.parametrize("colours", ["RGB", "PALETTE COLOR", "YBR_FULL"])
def test_colours_are_refused_by_name(tmp_path, colours):
    n_samples = 1 if colours == "PALETTE COLOR" else 3
    data = classic(slice_pixels(0, factor=0.1, dtype=np.uint8), place(0), instance=1)
    data.PhotometricInterpretation, data.SamplesPerPixel, data.PlanarConfiguration = colours, n_samples, 0
    data.PixelData = bytes(ROWS * COLUMNS * n_samples)
    with pytest.raises(UnreadableScan, match=f"colour images \\({colours}\\)"):
        load(written(data, tmp_path / "head.dcm"))


def test_mosaics_are_refused_by_name(tmp_path):
    paths = write_series(tmp_path / "head", ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    with pytest.raises(UnreadableScan, match=r"mosaic.*dcm2niix"):
        load(paths[0])


def test_copies_are_left_out_and_damaged_neighbours_counted(tmp_path):
    paths = write_series(tmp_path / "head")
    shutil.copy(paths[1], tmp_path / "head" / "copy")
    (tmp_path / "head" / "cut").write_bytes(paths[0].read_bytes()[:600])  # before it says how large its image is
    scan = load(tmp_path / "head")
    np.testing.assert_array_equal(in_file_order(scan), EXPECTED)
    assert any("Copies" in note and "1 file" in note for note in scan.notes)
    assert any("Damaged" in note and "1 file" in note for note in scan.notes)
    assert load(paths[0]).notes == scan.notes


@pytest.mark.parametrize(("code", "axis"), [("ROW", "x"), ("COL", "y"), (None, None)])
def test_the_phase_encode_is_taken_over(tmp_path, code, axis):
    write_series(tmp_path / "head", **({"InPlanePhaseEncodingDirection": code} if code else {}))
    assert load(tmp_path / "head").phase_encode == axis


def test_how_it_was_acquired_is_told_in_one_note(tmp_path):
    write_series(
        tmp_path / "head", Manufacturer="SIEMENS", ManufacturerModelName="Prisma_fit", ScanningSequence=["GR", "IR"],
        MRAcquisitionType="3D", ProtocolName="t1_mpr_sag_iso",
    )  # fmt: skip
    assert load(tmp_path / "head").notes[0] == (
        "DICOM series 3: t1 mpr sag iso, magnitude, 3D gradient echo, inversion recovery, TR 2000 ms, TE 12.5 ms, flip "
        "angle 90°, 3 T Siemens Prisma."
    )
