"""Everything that can be known of a cohort before a network sees it: problems, pictures, labels. No torch here."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_mritransfer.cohort.brain import BrainFinding, check_brain
from napari_mritransfer.cohort.checks import CheckedCohort, Problem, Severity, as_rows, check_cohort
from napari_mritransfer.cohort.preparation import Preparation, prepare
from napari_mritransfer.cohort.problem import in_reading_order
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.design import with_design_checked
from napari_mritransfer.cohort.reuse.narrowed import without
from napari_mritransfer.cohort.reuse.thumbnail import save_picture, thumbnail
from napari_mritransfer.cohort.table import CohortScan, read_cohort
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.stopped import ReconstructionStopped

CHECKS = "checks.json"
THUMBNAILS = "thumbnails"
SMALL, LARGE = ".png", "-large.png"

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
    picture
        A larger one that shows what is wrong with how it lies; None where nothing is.
    """

    subject: str
    session: str
    image: str
    label: str
    usable: bool
    problem: str
    thumbnail: Path | None
    picture: Path | None = None


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
    """Check table, files and labels; then examine every scan that is left, and whether the folds work with those.

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
        Scans that cannot be used are left out of it, and named among its problems; the others are in the order of their
        names.

    Raises
    ------
    BadInput
        If there is no such table or column; whatever else is wrong is among the problems.
    ReconstructionStopped
        If `should_stop` said so.
    """

    def stop_if_asked() -> None:
        if should_stop():
            raise ReconstructionStopped

    cohort = read_cohort(
        Path(config.table), image_column=config.image_column or None, subject_column=config.subject_column or None
    )
    checked = check_cohort(
        cohort, config.label, task=config.task, group=config.group or None, folds=0 if config.site else config.folds,
        placement=preparation.placement, on_progress=lambda done, total: stop_if_asked(),
    )  # fmt: skip
    found = []
    for done, scan in enumerate(checked.scans):
        stop_if_asked()
        on_progress(f"Looking at {scan.name}", done, len(checked.scans))
        assert scan.path is not None  # the checks left such scans out
        problem = examine(scan, scan.path)
        if problem is not None:
            found.append(problem)
    found_usable = with_design_checked(without(checked, found, config) if found else checked, config)
    # by name, so that the order of a table's lines decides nothing
    in_order = sorted(found_usable.scans, key=lambda scan: (scan.subject, scan.session, str(scan.path)))
    return replace(found_usable, scans=tuple(in_order))


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
    from napari_mritransfer.cohort.brain_picture import brain_picture  # draws with matplotlib, which takes a second

    folder = out / THUMBNAILS
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("line-*.png"):
        earlier.unlink(missing_ok=True)
    sizes: list[float | None] = []

    def examine(scan: CohortScan, image: Path) -> Problem | None:
        try:
            prepared = prepare(image, preparation)
        except BadInput as error:
            return cannot_be_prepared(scan, error)
        save_picture(thumbnail(prepared, outline=brain_only), folder / (_file_name(scan) + SMALL))
        if not (brain_only and config.check_brains):
            return None
        finding = check_brain(prepared)
        if finding.is_fine:
            sizes.append(small_size(finding))
            return None
        save_picture(brain_picture(prepared, finding), folder / (_file_name(scan) + LARGE))
        return _of_finding(scan, finding)

    checked = check_for_reuse(config, preparation, examine, on_progress=on_progress, should_stop=should_stop)
    write_look(with_sizes(checked, sizes), out)
    return read_look(out)


def cannot_be_prepared(scan: CohortScan, error: BadInput) -> Problem:
    """Why a scan is left out that did not reach the common grid."""
    return Problem.leaving_out(scan, "cannot be prepared", str(error))


def small_size(finding: BrainFinding) -> float | None:
    """Of a brain that seems not to be scaled to the template, relative to it; None of others."""
    return finding.measures.mean_size if finding.is_small and finding.measures is not None else None


def with_sizes(checked: CheckedCohort, sizes: Sequence[float | None]) -> CheckedCohort:
    """With a remark on brains that seem not to be scaled to the template, as the published networks' were.

    Parameters
    ----------
    sizes
        Of every brain that is fine, see `small_size`.
    """
    small = sorted(size for size in sizes if size is not None)
    if not small:
        return checked
    low, high = f"{small[0]:.0%}", f"{small[-1]:.0%}"
    between = low if low == high else f"{low} to {high}"
    sentence = (
        f"{len(small)} of {len(sizes)} brains have {between} of the template's size: they seem registered without "
        "scaling, and a network that learned from scaled ones has seen none so small."
    )
    remark = Problem("brains not scaled", Severity.REMARK, sentence)
    return replace(checked, problems=in_reading_order([*checked.problems, remark]))


def _of_finding(scan: CohortScan, finding: BrainFinding) -> Problem:
    return Problem.leaving_out(scan, finding.kind, finding.sentence)


def _file_name(scan: CohortScan) -> str:
    """Good on any disk, whatever session and image are called; another image's is another."""
    return f"line-{scan.line}-{hashlib.sha256(f'{scan.session}|{scan.path}'.encode()).hexdigest()[:8]}"


def write_look(checked: CheckedCohort, out: Path) -> None:
    """What was found, in one go; pictures of the same images that an earlier look left in the folder are kept."""

    def picture(scan: CohortScan, ending: str) -> str:
        name = _file_name(scan) + ending
        return name if (out / THUMBNAILS / name).is_file() else ""

    of_line = {(one.line, one.session): one.sentence for one in reversed(checked.problems) if one.line}
    usable = frozenset(checked.scans)
    record: dict[str, Any] = {
        "rows": [
            {
                "subject": scan.subject, "session": scan.session, "image": str(scan.path or ""),
                "label": scan.values[checked.label], "usable": scan in usable,
                "problem": of_line.get((scan.line, scan.session), ""),
                "thumbnail": picture(scan, SMALL), "picture": picture(scan, LARGE),
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
                str(row["problem"]), *(
                    folder / THUMBNAILS / str(row[which]) if row.get(which) else None
                    for which in ("thumbnail", "picture")
                ),
            )
            for row in record["rows"]
        )  # fmt: skip
        return Looked(
            rows, tuple(record["problems"]), str(record["label"]), str(record["task"]), str(record["sentence"]),
            bool(record["may_run"]), bool(record["simulated"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{folder} holds no checks of a cohort ({error}); look at the cohort again.") from error
