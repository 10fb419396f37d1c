"""Tables as people keep them, TSV, CSV or Excel, read to rows of text."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_mritransfer.cohort import spreadsheet
from napari_mritransfer.cohort.cells import is_missing, number_of
from napari_mritransfer.io.endings import READABLE
from napari_mritransfer.io.errors import BadInput

_LARGEST_BYTES = 50_000_000  # a million subjects fit; what is larger was chosen by mistake
_TEXT = (".tsv", ".csv", ".txt")
_DELIMITERS = "\t;,"
_DECLARED = tuple(f"sep={delimiter}" for delimiter in _DELIMITERS)


@dataclass(frozen=True, slots=True)
class Rows:
    """A table as it stands in its file.

    Attributes
    ----------
    source
        The file.
    columns
        Their names, all different.
    lines
        The file's line or sheet row of each row, counted from 1.
    values
        Per row one text for each column; what is missing, however the file says so, is empty.
    notes
        One-sentence remarks on how the file was read.
    """

    source: Path
    columns: tuple[str, ...]
    lines: tuple[int, ...]
    values: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def read_rows(path: Path) -> Rows:
    """Read a table whose first line names its columns.

    Parameters
    ----------
    path
        .tsv (tabs), .csv or .txt (tabs, semicolons or commas, whichever the first line holds most of), .xlsx or .xlsm.

    Raises
    ------
    BadInput
        In one sentence, for whatever is no such table.
    """
    ending = path.suffix.lower()
    if ending not in (*_TEXT, *spreadsheet.ENDINGS):
        raise BadInput(
            f"{path.name or path} is no table that is read here; save it as one of "
            f"{', '.join((*_TEXT, *spreadsheet.ENDINGS))}."
        )
    try:
        size = path.stat().st_size
    except OSError:
        raise BadInput(f"The table {path} does not exist or cannot be read; check the path.") from None
    if size > _LARGEST_BYTES:
        raise BadInput(
            f"{path.name} has {size / 1e6:.0f} MB, more than the {_LARGEST_BYTES / 1e6:.0f} MB of any table of "
            "subjects; choose the table itself, or keep only the columns that are needed."
        )
    notes: tuple[str, ...] = ()
    if ending in spreadsheet.ENDINGS:
        numbered, notes = spreadsheet.read(path)
    else:
        numbered = list(_numbered(path))
    return _as_rows(path, numbered, notes)


def _numbered(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line of a text file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}); check its permissions.") from None
    except UnicodeDecodeError:
        text = "\0"
    if any(character < " " and character not in "\t\r\n\f" for character in set(text)):
        raise BadInput(
            f"{path.name} is not text in UTF-8; save the table as 'CSV UTF-8' or .xlsx, or choose the file that holds "
            "the table."
        )
    first = text.splitlines()[0] if text else ""
    line = 1
    if first.lower() in _DECLARED:  # Excel's own line on what delimits, for Excel
        delimiter, text, line = first[-1], text.partition("\n")[2], 2
    else:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = line - 1
    try:
        for cells in reader:
            yield line, cells
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise BadInput(
            f"{path.name} cannot be read from line {line} on ({error}); look for a quotation mark that is not closed."
        ) from None


def _as_rows(path: Path, numbered: Iterable[tuple[int, list[str]]], notes: tuple[str, ...]) -> Rows:
    filled = [(line, [cell.strip() for cell in cells]) for line, cells in numbered if any(map(str.strip, cells))]
    if not filled:
        raise BadInput(f"{path.name} is empty; give a table whose first line names its columns.")
    (first, names), *body = filled
    header = [" ".join(name.split()) for name in names]  # spreadsheets break long ones into lines
    while header and not header[-1]:
        header.pop()
    _check_header(path, first, header)
    for line, cells in body:
        if any(cells[len(header) :]):
            raise BadInput(
                f"Line {line} of {path.name} has {len(cells)} values for {len(header)} columns; put values that hold "
                "the delimiter in quotation marks, or name the missing column."
            )
    if not body:
        raise BadInput(f"{path.name} names its columns ({', '.join(header)}) but lists nobody; add a line per scan.")
    padded = ([*cells, *[""] * len(header)][: len(header)] for _, cells in body)
    values = tuple(tuple("" if is_missing(cell) else cell for cell in cells) for cells in padded)
    return Rows(path, tuple(header), tuple(line for line, _ in body), values, notes)


def _check_header(path: Path, line: int, header: list[str]) -> None:
    paths = [name for name in header if name.lower().endswith(READABLE)]
    numbers = [name for name in header if number_of(name) is not None]
    if paths or len(numbers) * 2 > len(header) or header[0].lower().startswith("sub-"):
        raise BadInput(
            f"Line {line} of {path.name} ({', '.join(header)[:80]}) holds values, not the names of columns; put the "
            "names into a first line, such as: participant_id, path, age."
        )
    if "" in header:
        raise BadInput(f"Column {header.index('') + 1} of {path.name} has no name; name it or remove it.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadInput(f"{path.name} has more than one column '{twice[0]}'; give every column a name of its own.")
