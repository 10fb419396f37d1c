"""A cohort without some of its scans, its labels looked at anew; no torch here."""

from collections.abc import Sequence
from dataclasses import replace

from napari_mritransfer.cohort.checks import CheckedCohort, Problem, Severity, check_cohort
from napari_mritransfer.cohort.problem import in_reading_order
from napari_mritransfer.cohort.reuse.config import ReuseConfig

_FROM_FILES = ("several frames", "sides unknown")  # remarks that only come of opening the files


def without(checked: CheckedCohort, found: Sequence[Problem], config: ReuseConfig) -> CheckedCohort:
    """The cohort without the scans that problems leave out; everything that was found before is still named.

    Labels are checked among those who are left: a class may have lost its last member, or a fold its subjects.

    Parameters
    ----------
    found
        Each of one scan.
    config
        As the cohort was checked with.
    """
    out = {(one.line, one.session) for one in found}
    left = tuple(scan for scan in checked.scans if (scan.line, scan.session) not in out)
    lost = [one for one in checked.problems if one.severity is Severity.LEAVES_OUT]
    if not left:
        sentence = f"No scan of {checked.cohort.source.name} can be used, for example: {found[0].sentence}"
        problems = [Problem("no usable scan", Severity.STOPS, sentence), *found, *lost]
        return replace(checked, scans=(), labels={}, groups={}, problems=in_reading_order(problems))
    again = check_cohort(
        # the task was told by all labels: of few, numbers would look like classes
        replace(checked.cohort, scans=left), config.label, task=config.task or checked.task,
        group=config.group or None, folds=0 if config.site else config.folds, open_files=False,
    )  # fmt: skip
    of_files = [one for one in checked.problems if one.kind in _FROM_FILES]
    problems = [*found, *lost, *of_files, *again.problems]
    return replace(again, cohort=checked.cohort, problems=in_reading_order(dict.fromkeys(problems)))
