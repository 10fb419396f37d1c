"""Whether the coils are still apart."""

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.io.scan import Origin, Scan

CHECK = "coil-combined"


def coil_combined(scan: Scan) -> Finding:
    """Whether coils were combined before the file was written."""
    coils = 1 if scan.kspace is None else scan.kspace.n_coils
    if coils > 1:
        return Finding(CHECK, Verdict.FINE, f"The {coils} coils are still apart.", float(coils))
    if scan.kspace is not None and scan.origin is Origin.RAW:
        return Finding(
            CHECK, Verdict.UNKNOWN,
            "There is one coil: whether the scanner had more and combined them, the file does not say.", 1.0,
        )  # fmt: skip
    return Finding(
        CHECK, Verdict.CONCERN,
        "The coils are combined already: parallel imaging cannot be judged on this, and undersampling it is not what a "
        "scanner does.",
        1.0,
    )  # fmt: skip
