"""What is this data: the checks a serious reviewer would make, before any number is made from a scan."""

from napari_mritransfer.honesty.checks import examine
from napari_mritransfer.honesty.finding import Finding, Verdict, in_reading_order
from napari_mritransfer.honesty.sampling import examine_sampling
from napari_mritransfer.honesty.subjects import examine_split

__all__ = ["Finding", "Verdict", "examine", "examine_sampling", "examine_split", "in_reading_order"]
