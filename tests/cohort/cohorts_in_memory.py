"""Checked cohorts without any files, for what only asks who is who."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from napari_mritransfer.cohort.checks import CheckedCohort
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.table import Cohort, CohortScan

CLASSES = ("healthy", "diseased", "other")


def cohort(
    labels: Sequence[float | str], *, subjects: Sequence[str] = (), groups: Sequence[str] = (),
    sites: Sequence[str] = (), classes: Sequence[str] = (),
) -> CheckedCohort:  # fmt: skip
    """One scan for each label, each of another subject unless told."""
    names = subjects or [f"sub-{row:02d}" for row in range(len(labels))]
    where = sites or [""] * len(names)
    scans = tuple(
        CohortScan(name, f"s{row}", Path(f"{row}.nii"), {"site": site}, row + 2)
        for row, (name, site) in enumerate(zip(names, where, strict=True))
    )
    table = Cohort(Path("table.tsv"), ("participant_id", "site", "label"), scans, False, ("site", "label"))
    task = "regression" if not classes else "binary" if len(classes) == 2 else "classes"
    return CheckedCohort(
        table, "label", task, tuple(classes), scans, dict(zip(scans, labels, strict=True)), "family" if groups else "",
        dict(zip(scans, groups or names, strict=True)), (),
    )  # fmt: skip


def ages(count: int, seed: int = 0) -> CheckedCohort:
    """Subjects of 45 to 85."""
    return cohort(np.random.default_rng(seed).uniform(45, 85, count).tolist())


def patients(count: int, diseased: float = 0.4, seed: int = 0) -> CheckedCohort:
    """Subjects of two classes."""
    ill = np.random.default_rng(seed).permutation(np.arange(count) < diseased * count)
    return cohort([CLASSES[int(one)] for one in ill], classes=CLASSES[:2])


@st.composite
def cohorts(draw: st.DrawFn) -> CheckedCohort:
    """Subjects with one to three scans, in families or not, some of them in two; numbers, two or three classes."""
    classes = draw(st.sampled_from([(), CLASSES[:2], CLASSES]))
    families = draw(st.sampled_from([0, 6, 15]))
    labels, subjects, groups, sites = [], [], [], []
    for number in range(draw(st.integers(8, 30))):
        family = draw(st.integers(0, max(families - 1, 0)))
        for scan in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            labels.append(draw(st.sampled_from(classes) if classes else st.floats(0, 100)))
            subjects.append(f"sub-{number}")
            moved = scan > 0 and draw(st.integers(0, 9)) == 0
            groups.append(f"family-{draw(st.integers(0, families - 1)) if moved else family}" if families else "")
            sites.append(draw(st.sampled_from("ABC")))
    return cohort(labels, subjects=subjects, groups=groups if families else (), sites=sites, classes=classes)


def config(*methods: str, **changes: object) -> ReuseConfig:
    """A comparison of some methods."""
    return ReuseConfig("table.tsv", "label", "sfcn-age", methods or ("features-ridge",), **changes)
