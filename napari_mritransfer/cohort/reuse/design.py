"""Whether folds, sites and learning curves can work with the scans that are left; no torch here."""

from collections.abc import Iterator
from dataclasses import replace

from napari_mritransfer.cohort.checks import CheckedCohort, Problem, Severity
from napari_mritransfer.cohort.problem import in_reading_order
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.narrowed import without
from napari_mritransfer.cohort.reuse.plan import outer_folds, plan
from napari_mritransfer.io.errors import BadInput


def with_design_checked(checked: CheckedCohort, config: ReuseConfig) -> CheckedCohort:
    """The cohort, and what the comparison that is planned cannot do with it.

    Scans of no known site are left out where sites are; whatever else `plan` refuses stops, and so does a fold that
    leaves one class only to learn from.
    """
    nowhere = list(_of_no_site(checked, config))
    if nowhere:
        checked = without(checked, nowhere, config)
    if not checked.may_train:
        return checked
    try:
        plan(checked, config)
        found = list(_one_sided(checked, config))
    except BadInput as error:
        found = [Problem("design", Severity.STOPS, str(error))]
    return replace(checked, problems=in_reading_order([*found, *checked.problems])) if found else checked


def _of_no_site(checked: CheckedCohort, config: ReuseConfig) -> Iterator[Problem]:
    try:
        column = checked.cohort.column(config.site) if config.site else ""
    except BadInput:  # that there is none, `plan` says
        return
    for scan in checked.scans if column else ():
        if not scan.values[column]:
            sentence = f"{scan.name} has nothing in column '{column}', so nobody knows its site; fill it in."
            yield Problem.leaving_out(scan, "site missing", sentence)


def _one_sided(checked: CheckedCohort, config: ReuseConfig) -> Iterator[Problem]:
    """Folds with one class to learn from, and classes that some folds do not test."""
    if checked.task == "regression":
        return
    never_tested: dict[str, int] = {}
    parts = outer_folds(checked, config)
    for part in parts:
        learned = {checked.labels[checked.scans[row]] for row in part.train}
        tested = {checked.labels[checked.scans[row]] for row in part.test}
        where = f"Without site '{part.site}'" if part.site else f"In fold {part.number + 1}"
        if len(learned) < 2:
            sentence = (
                f"{where}, everybody who is left to learn from is '{learned.pop()}' in column '{checked.label}'; "
                + ("leave 'site' empty." if part.site else "choose fewer folds, or join classes.")
            )
            yield Problem("one class in a fold", Severity.STOPS, sentence)
            return
        for name in checked.classes:
            if name not in tested:
                never_tested[name] = never_tested.get(name, 0) + 1
    for name, count in never_tested.items():
        sentence = f"{count} of {len(parts)} folds test nobody who is '{name}', because there are so few."
        yield Problem("class missing from folds", Severity.REMARK, sentence)
