"""File > Open Sample: three contrasts of one head, and a simulated one."""

from pathlib import Path

from napari_mritransfer.widgets.layers import LayerTuple
from napari_mritransfer.widgets.reader import read_scans

SAMPLES = Path(__file__).parent.parent / "resources" / "samples"


def t1() -> list[LayerTuple]:
    """The T1-weighted slab."""
    return _sample("T1W")


def t2() -> list[LayerTuple]:
    """The T2-weighted slab."""
    return _sample("T2W")


def flair() -> list[LayerTuple]:
    """The FLAIR slab."""
    return _sample("FLAIR")


def simulated_head() -> list[LayerTuple]:
    """A real head that a program deformed: its age and disease are simulated, and known."""
    return read_scans(str(SAMPLES / "simulated_head.nii.gz"))


def _sample(contrast: str) -> list[LayerTuple]:
    return read_scans(str(SAMPLES / f"patient12_study1_{contrast}.nii.gz"))
