"""What people typed into a DICOM file never comes out of it: not printed, not logged, not in files that are written."""

import gzip
import json
import logging
import warnings

import numpy as np
import pydicom
import pytest
from dicom_files import SLICES, classic, enhanced, place, slice_pixels, written
from pydicom import Dataset
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataelem import DataElement
from typer.testing import CliRunner

from napari_mritransfer.cli.app import app
from napari_mritransfer.io import UnreadableScan, dicom_header, load

SECRET = "ZQXV"  # short enough for any type of text, and nowhere by chance
TEXTS = {"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "DA", "DT", "TM", "UI", "DS", "IS"}
READ = sorted({*dicom_header._TOP, *dicom_header._OF_PLANE} - {"Rows", "Columns"})
NEEDED = {
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept",
    "PhotometricInterpretation", "NumberOfFrames", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID",
}  # fmt: skip
COMMANDS = ("inspect", "inspect --json", "convert", "undersample", "undersample --json", "reconstruct")


def planted(data, keywords, value=SECRET):
    """Put the secret into tags as text, whatever type they should have."""
    for keyword in keywords:
        tag = pydicom.datadict.tag_for_keyword(keyword)
        raw = DataElement(tag, "LT", value, validation_mode=pydicom.config.IGNORE)
        data[tag] = raw
    return data


def quietly_written(data, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return written(data, path)


def everything_said(path, folder, caplog, *options):
    """Output, logs, and the bytes of files that were written, of all commands."""
    told = []
    caplog.clear()  # of what writing the files made pydicom say
    for command in COMMANDS:
        name, *flags = command.split()
        arguments = [name, str(path), *flags, *options]
        if name not in ("inspect",):
            arguments += ["--out", str(folder / f"{name}.nii.gz")]
        if name == "reconstruct":
            arguments += ["--model", "zero-filled"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code in (0, 2), result.output
        told.append(result.output)
        told.append(result.stderr)
    for file in folder.glob("*.nii.gz"):
        told.append(gzip.decompress(file.read_bytes()).decode("latin-1"))
        file.unlink()
    told += [record.getMessage() for record in caplog.records]
    caplog.clear()
    return "\n".join(told)


@pytest.fixture
def places(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "in", tmp_path / "out"


def big(index):
    """Large enough for masks."""
    return np.tile(slice_pixels(index), (4, 4))


def test_every_text_of_the_dictionary_at_once(places, caplog):
    """2,000 tags: names, addresses, comments, descriptions; also private ones, and those in sequences."""
    folder, out = places
    texts = [
        keyword_for_tag(tag) for tag, row in DicomDictionary.items()
        if row[0].split(" ")[0] in TEXTS and row[4] and 0x0008 <= tag >> 16 < 0x7FE0 and row[4] not in NEEDED
    ]  # fmt: skip
    assert len(texts) > 2000
    assert {"PatientName", "PatientID", "PatientBirthDate", "SeriesDescription", "ProtocolName"} <= set(texts)
    for index in range(SLICES):
        data = planted(classic(big(index), place(index), instance=index + 1), texts)
        item = Dataset()
        planted(item, ["RequestedProcedureDescription", "ScheduledProcedureStepID", "PatientName"])
        data.RequestAttributesSequence = data.ReferencedImageSequence = [item]
        block = data.private_block(0x0009, SECRET, create=True)
        block.add_new(1, "LO", SECRET)
        quietly_written(data, folder / f"IM{index}")
    content = (folder / "IM0").read_bytes()
    assert content.count(SECRET.encode()) > 2000
    said = everything_said(folder, out, caplog)
    assert "simulated" in said  # the commands did their work
    assert SECRET not in said


@pytest.mark.parametrize("keyword", READ)
def test_each_tag_that_is_read(places, caplog, keyword):
    """One at a time, because one that is not understood may end in an error before another is reached."""
    folder, out = places
    for index in range(3):
        data = planted(classic(big(index), place(index), instance=index + 1), [keyword])
        quietly_written(data, folder / f"IM{index}")
    assert SECRET not in everything_said(folder, out, caplog)
    assert SECRET not in everything_said(folder / "IM1", out, caplog)


def test_each_functional_group(places, caplog):
    folder, out = places
    data = enhanced()
    for group in [data.SharedFunctionalGroupsSequence[0], *data.PerFrameFunctionalGroupsSequence]:
        for element in group:
            planted(element.value[0], ["StackID", "FrameComments", "FrameType", "FrameAcquisitionDateTime"])
    planted(data, ["SeriesDescription", "PatientName", "ImageType", "StackID"])
    quietly_written(data, folder / "IM")
    assert SECRET not in everything_said(folder / "IM", out, caplog)


def test_a_choice_between_series(places, caplog):
    folder, out = places
    for number in range(3):
        data = classic(big(0), place(0), instance=1, series=f"1.2.3.{number}", SeriesNumber=number)
        planted(data, ["SeriesDescription", "ProtocolName", "Manufacturer", "ManufacturerModelName", "PatientName"])
        quietly_written(data, folder / f"IM{number}")
    said = everything_said(folder, out, caplog)
    assert "holds 3 series" in said
    assert SECRET not in said
    assert SECRET not in everything_said(folder, out, caplog, "--series", "1")


@pytest.mark.parametrize("keyword", ["TransferSyntaxUID", "MediaStorageSOPClassUID", "SourceApplicationEntityTitle"])
def test_tags_of_the_file_itself(places, caplog, keyword):
    folder, out = places
    path = written(classic(big(0), place(0), instance=1), folder / "IM")
    data = pydicom.dcmread(path)
    old = data.file_meta.get(keyword) or "1.2.826.0.1.3680043.8.498.1"
    content = path.read_bytes()
    path.write_bytes(content.replace(old.encode(), SECRET.encode().ljust(len(old), b"1"), 1))
    assert SECRET in path.read_bytes()[:400].decode("latin-1")
    assert SECRET not in everything_said(path, out, caplog)


def test_nothing_of_it_stays_in_the_scan(places):
    folder, _ = places
    names = ["PatientName", "PatientID", "PatientBirthDate", "SeriesDescription", "SeriesInstanceUID"]
    path = quietly_written(planted(classic(big(0), place(0), instance=1), names), folder / "IM")
    scan = load(path)
    kept = json.dumps([scan.name, scan.notes, scan.header.decode("latin-1"), repr(scan)])
    assert SECRET not in kept
    assert scan.name == "series 3"


def test_errors_do_not_carry_pydicoms_words_along(places):
    """Not in a chain either: a traceback in a bug report shows every link of it."""
    folder, _ = places
    data = planted(classic(big(0), place(0), instance=1), ["PhotometricInterpretation"])
    quietly_written(data, folder / "IM")
    with pytest.raises(UnreadableScan) as caught:
        load(folder / "IM")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
