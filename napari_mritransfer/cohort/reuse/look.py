"""Everything that can be known of a cohort before a network sees it: problems, pictures, labels. No torch here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_mritransfer.cohort.brain import check_brain
from napari_mritransfer.cohort.checks import CheckedCohort, Problem, Severity, as_rows, check_cohort
from napari_mritransfer.cohort.preparation import Preparation, Prepared, prepare
from napari_mritransfer.cohort.problem import in_reading_order
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.thumbnail import save_picture, thumbnail
from napari_mritransfer.cohort.table import CohortScan, read_cohort
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.stopped import ReconstructionStopped

CHECKS = "checks.json"
THUMBNAILS = "thumbnails"

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LookedRow:
    """One line of the table, for people.

    Attributes
    ----------
    subject, session
        Whose scan it is.
    image
        Path; empty where there is none.
    label
        What the table says; empty where nothing.
    usable
        Whether it takes part.
    problem
        Why it does not, or what to know of it; may be empty.
    thumbnail
        Its picture; None where the scan could not be read.
    """

    subject: str
    session: str
    image: str
    label: str
    usable: bool
    problem: str
    thumbnail: Path | None


@dataclass(frozen=True, slots=True)
class Looked:
    """A cohort as it was found.

    Attributes
    ----------
    rows
        One for every scan of the table, in its order.
    problems
        All that was found, as `checks.as_rows` writes it.
    label, task
        What is to be predicted, and which kind of label it is.
    sentence
        What the usable scans are labelled with.
    may_run
        Whether nothing stops.
    simulated
        Whether the cohort's description says so.
    """

    rows: tuple[LookedRow, ...]
    problems: tuple[Mapping[str, str], ...]
    label: str
    task: str
    sentence: str
    may_run: bool
    simulated: bool


def check_for_reuse(
    config: ReuseConfig,
    preparation: Preparation,
    examine: Callable[[CohortScan, Path], Problem | None],
    *,
    on_progress: OnProgress = lambda text, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CheckedCohort:
    """Check table, files and labels; then examine every scan that is left.

    Parameters
    ----------
    config
        Says which table and label.
    preparation
        Of the network.
    examine
        Given a scan and its image, tells why it cannot be used, if it cannot.
    on_progress, should_stop
        Told and asked for every scan.

    Returns
    -------
    checked
        Scans that cannot be used are left out of it, and named among its problems.

    Raises
    ------
    BadInput
        If there is no such table or column; whatever else is wrong is among the problems.
    ReconstructionStopped
        If `should_stop` said so.
    """
    cohort = read_cohort(
        Path(config.table), image_column=config.image_column or None, subject_column=config.subject_column or None
    )
    checked = check_cohort(
        cohort, config.label, task=config.task, group=config.group or None, folds=0 if config.site else config.folds,
        placement=preparation.placement,
    )  # fmt: skip
    found = []
    for done, scan in enumerate(checked.scans):
        if should_stop():
            raise ReconstructionStopped
        on_progress(f"Looking at {scan.name}", done, len(checked.scans))
        assert scan.path is not None  # the checks left such scans out
        problem = examine(scan, scan.path)
        if problem is not None:
            found.append(problem)
    return _without(checked, found, config) if found else checked


def look(
    config: ReuseConfig,
    preparation: Preparation,
    out: Path,
    *,
    brain_only: bool,
    on_progress: OnProgress = lambda text, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Looked:
    """Check a cohort with pictures, written into a folder that `read_look` reads.

    Parameters
    ----------
    out
        New, or of an earlier look.
    brain_only
        Whether the network expects a brain alone, in MNI152 space.
    """
    pictures = out / THUMBNAILS
    pictures.mkdir(parents=True, exist_ok=True)
    thumbnails: dict[CohortScan, Path] = {}

    def examine(scan: CohortScan, image: Path) -> Problem | None:
        try:
            prepared = prepare(image, preparation)
        except BadInput as error:
            return cannot_be_prepared(scan, error)
        thumbnails[scan] = pictures / f"line-{scan.line}{f'-{scan.session}' if scan.session else ''}.png"
        save_picture(thumbnail(prepared, outline=brain_only), thumbnails[scan])
        return brain_problem(scan, prepared) if brain_only and config.check_brains else None

    checked = check_for_reuse(config, preparation, examine, on_progress=on_progress, should_stop=should_stop)
    write_look(checked, thumbnails, out)
    return read_look(out)


def cannot_be_prepared(scan: CohortScan, error: BadInput) -> Problem:
    """Why a scan is left out that did not reach the common grid."""
    return Problem.leaving_out(scan, "cannot be prepared", str(error))


def brain_problem(scan: CohortScan, prepared: Prepared) -> Problem | None:
    """Why a scan is left out that shows no brain where one should be; None if it does."""
    finding = check_brain(prepared)
    return None if finding.is_fine else Problem.leaving_out(scan, finding.kind, f"{scan.name}: {finding.sentence}")


def write_look(checked: CheckedCohort, thumbnails: Mapping[CohortScan, Path], out: Path) -> None:
    """What was found, in one go."""
    of_line = {(one.line, one.session): one.sentence for one in reversed(checked.problems) if one.line}
    usable = frozenset(checked.scans)
    record: dict[str, Any] = {
        "rows": [
            {
                "subject": scan.subject, "session": scan.session, "image": str(scan.path or ""),
                "label": scan.values[checked.label], "usable": scan in usable,
                "problem": of_line.get((scan.line, scan.session), ""),
                "thumbnail": thumbnails[scan].name if scan in thumbnails else "",
            }
            for scan in checked.cohort.scans
        ],
        "problems": as_rows(checked.problems), "label": checked.label, "task": checked.task,
        "sentence": checked.describe_labels(), "may_run": checked.may_train, "simulated": checked.cohort.simulated,
    }  # fmt: skip
    write_text(out / CHECKS, json.dumps(record, indent=1))


def read_look(folder: Path) -> Looked:
    """Read what `look` wrote.

    Raises
    ------
    BadInput
        If there is nothing of the kind.
    """
    try:
        record = json.loads((folder / CHECKS).read_text(encoding="utf-8"))
        rows = tuple(
            LookedRow(
                str(row["subject"]), str(row["session"]), str(row["image"]), str(row["label"]), bool(row["usable"]),
                str(row["problem"]), folder / THUMBNAILS / str(row["thumbnail"]) if row["thumbnail"] else None,
            )
            for row in record["rows"]
        )  # fmt: skip
        return Looked(
            rows, tuple(record["problems"]), str(record["label"]), str(record["task"]), str(record["sentence"]),
            bool(record["may_run"]), bool(record["simulated"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{folder} holds no checks of a cohort ({error}); look at the cohort again.") from error


def _without(checked: CheckedCohort, found: list[Problem], config: ReuseConfig) -> CheckedCohort:
    """The cohort without the scans that these problems leave out, its labels checked anew."""
    out = {(one.line, one.session) for one in found}
    kept = tuple(scan for scan in checked.cohort.scans if (scan.line, scan.session) not in out)
    again = check_cohort(
        replace(checked.cohort, scans=kept), config.label, task=config.task, group=config.group or None,
        folds=0 if config.site else config.folds, open_files=False,
    )  # fmt: skip
    lost = [one for one in checked.problems if one.severity is Severity.LEAVES_OUT]
    usable = frozenset(checked.scans)
    scans = tuple(scan for scan in again.scans if scan in usable)
    problems = in_reading_order(dict.fromkeys([*found, *lost, *again.problems, *checked.problems]))
    if not scans:
        example = found[0].sentence
        problems = (Problem("no usable scan", Severity.STOPS, f"No scan can be used, for example: {example}"), *problems)
    return replace(
        again, cohort=checked.cohort, scans=scans, labels={scan: again.labels[scan] for scan in scans},
        groups={scan: checked.groups[scan] for scan in scans}, problems=problems,
    )  # fmt: skip


def label_numbers(looked: Looked) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """``(n,)`` labels of the usable rows, for a histogram; empty of classes."""
    from napari_mritransfer.cohort.cells import number_of

    if looked.task != "regression":
        return np.zeros(0)
    numbers = [number_of(row.label) for row in looked.rows if row.usable]
    return np.array([number for number in numbers if number is not None])
