"""Excel's workbooks, read to rows of text."""

import datetime
import math
import warnings
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from napari_mritransfer.io.errors import BadInput

ENDINGS = (".xlsx", ".xlsm")

_LARGEST_UNPACKED = 500_000_000  # bytes of all parts: real ones pack 5 to 20 times, hostile ones 1000 times


def read(path: Path) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    """Row number and cells of every row of a workbook's first visible sheet that holds anything.

    Cells hold what Excel last computed and saved. Whole numbers come without a decimal point, dates as ``2021-03-05``.

    Returns
    -------
    rows, notes
        The notes say which sheet was read where there are several.

    Raises
    ------
    BadInput
        If the file is no workbook, is empty, or holds formulas whose values were never saved.
    """
    import openpyxl  # takes a while, and most tables are text

    _check_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on drop-down lists and colours, which nobody asks for
            values = openpyxl.load_workbook(path, read_only=True, data_only=True)
            formulas = openpyxl.load_workbook(path, read_only=True, data_only=False)
            try:
                filled = [sheet.title for sheet in formulas if _is_filled(sheet)]
                if not filled:
                    raise BadInput(f"{path.name} shows no cells; give a sheet whose first row names its columns.")
                rows = list(_rows(values[filled[0]], formulas[filled[0]], path.name))
            finally:
                values.close()
                formulas.close()
    except BadInput:
        raise
    except Exception as error:  # a damaged workbook can break its reader in any way; none of them is a bug of ours
        raise BadInput(
            f"{path.name} is no workbook that can be read ({type(error).__name__}); open it in a spreadsheet program "
            "and save it again as .xlsx or as CSV."
        ) from error
    others = f"The sheet '{filled[0]}' of {path.name} was read, not the others ({', '.join(filled[1:])})."
    return rows, (others,) if len(filled) > 1 else ()


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        raise BadInput(
            f"{path.name} is damaged, protected by a password or in Excel's old format; save it as .xlsx without a "
            "password, or as CSV."
        ) from None
    if unpacked > _LARGEST_UNPACKED:
        raise BadInput(
            f"{path.name} unpacks to {unpacked / 1e6:.0f} MB, more than any table of subjects; keep only the rows and "
            "columns that are needed, or save it as CSV."
        )


def _is_filled(sheet: Any) -> bool:
    """Whether a person who opens the workbook sees cells there."""
    if sheet.sheet_state != "visible" or not hasattr(sheet, "iter_rows"):  # a chart has no rows
        return False
    sheet.reset_dimensions()  # what a file claims of its size is often wrong
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _rows(values: Any, formulas: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    values.reset_dimensions()
    pairs = zip_longest(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), fillvalue=())
    for number, (row, written) in enumerate(pairs, start=1):
        for column, (value, formula) in enumerate(zip_longest(row, written), start=1):
            if value is None and formula is not None:
                raise BadInput(
                    f"Row {number}, column {column} of {name} holds a formula whose value was never saved; open the "
                    "file in a spreadsheet program and save it, or save it as CSV."
                )
        yield number, [_text(value) for value in row]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)
