import csv
import json
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import write_image, write_table

from napari_mritransfer.cohort.cells import class_of, number_of
from napari_mritransfer.cohort.checks import check_cohort
from napari_mritransfer.cohort.rows import read_rows
from napari_mritransfer.cohort.table import read_cohort
from napari_mritransfer.io.errors import BadInput

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12).map(str.strip)
MISSING = {"", "n/a", "na", "nan", "#n/a"}


def written(path, text):
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "participant_id\tpath\tage\n01\ta.nii\t63.5\n02\tb.nii\tn/a\n"),
        ("a.csv", "participant_id,path,age\r\n01,a.nii,63.5\r\n02,b.nii,\r\n"),
        ("a.csv", "\ufeffparticipant_id;path;age;;\n01;a.nii;63.5;;\n02;b.nii;NaN;;\n;;;;\n"),
        ("a.csv", 'sep=;\nparticipant_id;path;age\n"01";"a.nii";"63.5"\n02;b.nii\n'),
        ("a.txt", "participant_id\tpath\tage\n\n01\t a.nii \t63.5\n02\tb.nii\tNA"),
    ],
)
def test_the_usual_ways_to_write_a_table_say_the_same(tmp_path, name, text):
    cohort = read_cohort(written(tmp_path / name, text))
    assert cohort.columns == ("participant_id", "path", "age")
    assert cohort.label_columns == ("age",)
    assert [(one.subject, one.path, one.values["age"]) for one in cohort.scans] == [
        ("01", tmp_path / "a.nii", "63.5"), ("02", tmp_path / "b.nii", "")
    ]  # fmt: skip
    assert not cohort.simulated


@settings(max_examples=50)
@given(cells=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6), delimiter=st.sampled_from(",;\t"))
def test_every_cell_that_a_writer_quotes_comes_back(tmp_path_factory, cells, delimiter):
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([["number", "name", "a", "b"], *(["1", *row] for row in cells)])
    rows = read_rows(path)
    expected = [("1", *("" if text.lower() in MISSING else text for text in row)) for row in cells]
    assert list(rows.values) == expected
    assert rows.lines == tuple(range(2, 2 + len(cells)))


@settings(max_examples=150)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)),
       name=st.sampled_from(["a.tsv", "a.csv", "a.xlsx", "participants.tsv"]),
       header=st.sampled_from([b"", b"id\tpath\n", b"path,age\n", b"participant_id\n"]))  # fmt: skip
def test_any_bytes_become_a_cohort_or_one_sentence(tmp_path_factory, content, name, header):
    path = tmp_path_factory.getbasetemp() / "any" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(header + content)
    try:
        cohort = read_cohort(path)
    except BadInput as error:
        (sentence,) = error.args
        assert "\n" not in sentence
    else:
        assert all(scan.subject for scan in cohort.scans)


@pytest.mark.parametrize("text", ["~nobody/x.nii", "a" * 5000 + ".nii", "\\" * 3 + "a" * 300 + ".nii", "//x.nii", "."])
def test_paths_that_no_file_can_have_are_missing_files(tmp_path, text):
    checked = check_cohort(read_cohort(write_table(tmp_path / "a.tsv", [{"id": "1", "path": text, "age": 3}])), "age")
    assert "image missing" in {problem.kind for problem in checked.problems}


def test_lines_are_counted_as_an_editor_shows_them(tmp_path):
    path = written(tmp_path / "a.csv", 'id,path,note\n1,a.nii,"two\nlines"\n\n2,b.nii,one\n')
    assert [one.line for one in read_cohort(path).scans] == [2, 5]


def test_excel_is_read_like_text(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "empty"
    sheet = book.create_sheet("scans")
    for row in (["ID", "file", "age", "when", "ill"], [7, "a.nii.gz", 63.0, None, True], ["x", "b.nii", 1.5, "#N/A"]):
        sheet.append(row)
    book.create_sheet("notes").append(["more"])
    book.save(tmp_path / "a.xlsx")
    cohort = read_cohort(tmp_path / "a.xlsx")
    assert [(one.subject, one.path.name, one.line) for one in cohort.scans] == [("7", "a.nii.gz", 2), ("x", "b.nii", 3)]
    assert [dict(one.values) for one in cohort.scans] == [
        {"ID": "7", "file": "a.nii.gz", "age": "63", "when": "", "ill": "true"},
        {"ID": "x", "file": "b.nii", "age": "1.5", "when": "", "ill": ""},
    ]
    assert cohort.notes == ("The sheet 'scans' of a.xlsx was read, not the others (notes).",)


def test_a_formula_that_was_never_computed_is_refused(tmp_path):
    book = openpyxl.Workbook()
    for row in (["id", "path", "age"], ["1", "a.nii", "=60+3"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(BadInput, match=r"Row 2, column 3 of a\.xlsx holds a formula whose value was never saved; open"):
        read_cohort(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.tsv", None, "does not exist or cannot be read; check the path"),
        ("a.ods", b"", "is no table that is read here; save it as one of .tsv, .csv"),
        ("a.tsv", b"", "is empty; give a table whose first line"),
        ("a.tsv", b"\n \n\t\t\n", "is empty"),
        ("a.tsv", b"id\tpath\n", r"names its columns \(id, path\) but lists nobody"),
        ("a.tsv", b"id\tpath\tid\n1\ta.nii\t2\n", "more than one column 'id'"),
        ("a.tsv", b"id\t\tpath\n1\t2\ta.nii\n", "Column 2 of a.tsv has no name"),
        ("a.tsv", b"sub-01\ta.nii\t63\nsub-02\tb.nii\t64\n", "holds values, not the names of columns"),
        ("a.csv", b"1,x,63\n2,y,64\n", "holds values, not the names of columns"),
        ("a.csv", b"id,path\n1,a.nii,63\n", "Line 2 of a.csv has 3 values for 2 columns"),
        ("a.csv", b'id,path,note\n1,a.nii,x\n2,b.nii,"open\n3,c.nii,\n', "from line 3 on .*quotation mark"),
        ("a.tsv", b"id\tage\n1\t63\n", "no column of image files .looked for path, image, .*no images lie beside it"),
        ("a.tsv", b"id\ta\tb\n1\tx.nii\ty.nii\n", r"several columns of image files \(a, b\)"),
        ("a.tsv", b"id\tpath\n1\ta.nii\n\tb.nii\n", "Line 3 of a.tsv has nothing in column 'id'"),
        ("a.tsv", b"path\tage\na.nii\t1\n\t2\n", "Line 3 of a.tsv names neither a subject nor an image"),
        ("a.tsv", bytes(range(256)) * 9, "is not text in UTF-8; save the table"),
        ("a.csv", "id;größe\n1;2\n".encode("latin1"), "is not text in UTF-8; save the table"),
        ("a.csv", "id,path\n1,a.nii\n".encode("utf-16"), "is not text in UTF-8; save the table"),
        ("a.xlsx", b"PK\x03\x04 cut off", "is damaged, protected by a password or in Excel's old format"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0 old", "is damaged, protected by a password or in Excel's old format"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=sentence) as caught:
        read_cohort(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_files_too_large_for_a_table_are_refused_unread(tmp_path):
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(60_000_000)
    with pytest.raises(BadInput, match="has 60 MB, more than the 50 MB of any table"):
        read_cohort(tmp_path / "a.csv")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x", "w") as part:
        for _ in range(51):
            part.write(bytes(10_000_000))
    with pytest.raises(BadInput, match="unpacks to 510 MB, more than any table"):
        read_cohort(tmp_path / "a.xlsx")


@pytest.mark.parametrize("part", ["junk", "sheet"])
def test_a_damaged_workbook_is_refused_in_one_sentence(tmp_path, part):
    openpyxl.Workbook().save(tmp_path / "good.xlsx")
    with zipfile.ZipFile(tmp_path / "good.xlsx") as good, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as bad:
        for name in good.namelist() if part == "sheet" else []:
            bad.writestr(name, b"<x" if "sheet1" in name else good.read(name))
        bad.writestr("junk", b"x")
    with pytest.raises(BadInput, match="is no workbook that can be read"):
        read_cohort(tmp_path / "a.xlsx")


def test_columns_are_found_in_any_case_or_named(tmp_path):
    path = write_table(tmp_path / "a.tsv", [{"Patient": "p", "who": "w", "Image": "a.nii", "other": "b.nii", "Age": 1}])
    cohort = read_cohort(path)
    assert (cohort.scans[0].subject, cohort.scans[0].path.name) == ("p", "a.nii")
    assert cohort.column("age") == "Age"
    cohort = read_cohort(path, image_column="other", subject_column="WHO")
    assert (cohort.scans[0].subject, cohort.scans[0].path.name) == ("w", "b.nii")
    with pytest.raises(BadInput, match=r"has no column 'nose'; it has: Patient, who"):
        read_cohort(path, image_column="nose")
    with pytest.raises(BadInput, match=r"has no column 'nose'; choose one of: Patient, Image, Age\."):
        cohort.column("nose")


def test_absolute_and_windows_paths(tmp_path):
    write_image(tmp_path / "scans" / "b.nii")
    rows = [{"id": 1, "path": tmp_path / "far.nii"}, {"id": 2, "path": "scans\\b.nii"}]
    first, second = read_cohort(write_table(tmp_path / "table" / ".." / "a.tsv", rows)).scans
    assert first.path == tmp_path / "far.nii"
    assert second.path.is_file()


def test_subjects_are_taken_from_file_names_only_where_no_column_names_them(tmp_path):
    files = ("s/sub-01_a.nii", "s/sub-01_b.nii", "s/x.nii")
    cohort = read_cohort(write_table(tmp_path / "a.tsv", [{"path": file} for file in files]))
    assert [one.subject for one in cohort.scans] == ["sub-01", "sub-01", "s/x.nii"]
    assert len(cohort.notes) == 1
    assert "of which 2 of 3 name one" in cohort.notes[0]


def bids(folder, *images):
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).touch()


def test_a_bids_folder_finds_its_images_and_sessions(tmp_path):
    rows = [{"participant_id": name, "sex": "F", "age": 60} for name in ("sub-01", "02", "sub-03")]
    write_table(tmp_path / "participants.tsv", rows)
    bids(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz", "sub-09/anat/sub-09_T1w.nii")
    bids(tmp_path, *(f"sub-02/ses-{n}/anat/sub-02_ses-{n}_T1w.nii" for n in (1, 2)))
    sessions = [{"session_id": "ses-1", "age": 61, "mood": "n/a"}, {"session_id": "2", "age": "n/a", "mood": "good"}]
    write_table(tmp_path / "sub-02" / "sub-02_sessions.tsv", sessions)
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "x", "simulated": True}))
    cohort = read_cohort(tmp_path)
    assert [(one.name, one.path and one.path.name, one.values["age"], one.values["mood"]) for one in cohort.scans] == [
        ("sub-01", "sub-01_T1w.nii.gz", "60", ""),
        ("02 ses-1", "sub-02_ses-1_T1w.nii", "61", ""),
        ("02 ses-2", "sub-02_ses-2_T1w.nii", "60", "good"),
        ("sub-03", None, "60", ""),
    ]
    assert cohort.simulated
    assert cohort.subjects == ("sub-01", "02", "sub-03")
    assert cohort.label_columns == ("sex", "age", "mood")
    assert cohort.notes == ("1 subject(s) have images but no line in the table: sub-09.",)


def test_several_images_without_a_session_are_named(tmp_path):
    write_table(tmp_path / "participants.tsv", [{"participant_id": "sub-01"}])
    bids(tmp_path, *(f"sub-01/anat/sub-01_run-{n}_T1w.nii.gz" for n in (1, 2)))
    with pytest.raises(BadInput, match=r"sub-01 has 2 T1-weighted images \(sub-01_run-1_T1w\.nii\.gz, sub-01_run-2"):
        read_cohort(tmp_path)


def test_a_subject_never_leads_out_of_the_folder(tmp_path):
    write_table(tmp_path / "data" / "participants.tsv", [{"participant_id": "../sub-01"}, {"participant_id": "sub-02"}])
    bids(tmp_path, "sub-01/anat/sub-01_T1w.nii", "data/sub-02/anat/sub-02_T1w.nii")
    assert [one.path and one.path.name for one in read_cohort(tmp_path / "data").scans] == [None, "sub-02_T1w.nii"]


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"holds no participants\.tsv; choose the table itself"):
        read_cohort(tmp_path)


@pytest.mark.parametrize(
    ("text", "number"),
    [("63", 63), (" 63.5 ", 63.5), ("63,5", 63.5), ("-1e3", -1000), (".5", 0.5), ("1,234", None), ("63y", None),
     ("inf", None), ("nan", None), ("", None), ("1_000", None), ("0x1f", None), ("1e999", None), ("٣", 3)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text, number):
    assert number_of(text) == number


def test_classes_do_not_depend_on_the_program_that_wrote_them():
    assert class_of("1") == class_of("1.0") == class_of(" 1 ") == "1"
    assert class_of(" AD") == "AD"
