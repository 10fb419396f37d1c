"""What one cell of a table says: nothing, a number or a word."""

import math
import re

_MISSING = frozenset({"", "n/a", "na", "nan", "#n/a"})  # of BIDS, R, Python and Excel, in any case
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# 63,5 as most of Europe writes it; three digits behind the comma could also be thousands
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,(\d{1,2}|\d{4,})")


def is_missing(text: str) -> bool:
    """Whether a cell says, in the words of the usual programs, that there is no value."""
    return text.strip().lower() in _MISSING


def number_of(text: str) -> float | None:
    """The finite number that a cell holds, with a decimal point or comma; None for anything else.

    ``1,234`` is none: nobody can tell whether it is one or a thousand.
    """
    text = text.strip()
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def class_of(text: str) -> str:
    """The class that a cell names: ``1`` and ``1.0`` are the same one, as spreadsheets write them."""
    number = number_of(text)
    return text.strip() if number is None else f"{number:.12g}"
