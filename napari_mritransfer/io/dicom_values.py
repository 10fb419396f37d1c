"""Values of DICOM tags as plain numbers and texts, whatever type a file gave them."""

import math
from typing import Any

_LONGEST_TEXT = 64

Numbers = tuple[float, ...]


def words_of(value: Any) -> list[str]:
    """All texts of a tag, each cut to a length that no code exceeds."""
    several = [] if value is None else [value] if isinstance(value, str) else list(value)
    return [str(one).strip()[:_LONGEST_TEXT] for one in several]


def text_of(value: Any) -> str:
    """All texts of a tag in one, empty where there are none."""
    return " ".join(words_of(value))


def whole_of(value: Any) -> int:
    """The first of a tag's numbers without its fraction; 0 where there is none."""
    number = number_of(value)
    return 0 if number is None else int(number)


def number_of(value: Any) -> float | None:
    """The first of a tag's numbers; None where there is none, or none that is finite."""
    numbers = numbers_of(value, None)
    return numbers[0] if numbers else None


def numbers_of(value: Any, count: int | None) -> Numbers | None:
    """A tag's numbers; None where one is not finite, or there are not as many as there should be."""
    if value is None or value == "":
        return None
    several = [value] if isinstance(value, str | int | float) else list(value)
    try:
        found = tuple(float(one) for one in several)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(math.isfinite(one) for one in found) or (count is not None and len(found) != count):
        return None
    return found
