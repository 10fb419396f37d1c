"""Which reconstructions need no network, for menus and tables; imports no torch."""

from dataclasses import dataclass
from typing import Literal

MapsBy = Literal["espirit", "low-frequency"]


@dataclass(frozen=True, slots=True)
class ClassicalMethod:
    """A row of the menu.

    Attributes
    ----------
    name
        What is typed and stored.
    label
        What is read on boards and in tables.
    summary
        One sentence: what it assumes about the image.
    reference
        Where it comes from.
    """

    name: str
    label: str
    summary: str
    reference: str


CLASSICAL = (
    ClassicalMethod(
        "sense",
        "SENSE",
        "The image that agrees best with all coils, of least energy where they leave it open; needs several coils.",
        "Pruessmann et al., MRM 1999 and 2001",
    ),
    ClassicalMethod(
        "l1-wavelet",
        "L1-wavelet",
        "The image that agrees with the data and has few large wavelet coefficients; needs sigpy.",
        "Lustig, Donoho, Pauly, MRM 2007",
    ),
    ClassicalMethod(
        "total-variation",
        "Total variation",
        "The image that agrees with the data and has few edges; needs sigpy.",
        "Block, Uecker, Frahm, MRM 2007",
    ),
)


def classical_method(name: str) -> ClassicalMethod:
    """The row called `name`.

    Raises
    ------
    KeyError
        If there is none, with a sentence that lists them.
    """
    for method in CLASSICAL:
        if method.name == name:
            return method
    names = ", ".join(method.name for method in CLASSICAL)
    raise KeyError(f"There is no classical reconstruction called '{name}'; choose one of: {names}.")
