"""A simulated cohort on disk: NIfTI files, what is known about each, and the table of participants."""

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.simulation import bids
from napari_mritransfer.cohort.simulation.heads import TRAINING, VALIDATION, head_names, load_head
from napari_mritransfer.cohort.simulation.nifti_file import write_simulated
from napari_mritransfer.cohort.simulation.plan import Plan
from napari_mritransfer.cohort.simulation.settings import USUAL, Effects
from napari_mritransfer.cohort.simulation.subject import simulate_subject
from napari_mritransfer.cohort.simulation.truth import Truth
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput

_MOST = 100_000
_SPACINGS_MM = (2.0, 4.0)  # the heads have 2 mm; coarser than 4 mm no ventricle can be told


class SimulationStopped(Exception):
    """The caller asked to stop between two subjects; nothing was left behind."""


def simulate_cohort(
    out: Path | str,
    *,
    subjects: int,
    seed: int,
    heads: Sequence[str] | None = None,
    spacing_mm: float = 2.0,
    diseased_share: float = 0.5,
    effects: Effects = USUAL,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Simulate a cohort into a folder, which appears when it is complete.

    Parameters
    ----------
    out
        A new or empty folder, or one with an earlier simulated cohort, which is replaced.
    subjects
        How many; the first ones of a larger cohort are those of a smaller one.
    seed
        Of all chance.
    heads
        Names of shipped heads to make subjects of; all but the test-only ones where left out.
    spacing_mm
        Of the common grid, from 2 to 4.
    diseased_share
        Share of the diseased in every head, to tenths.
    effects
        How large everything is.
    on_progress
        Told subjects done and all subjects.
    should_stop
        Asked before each subject.

    Returns
    -------
    participants
        Path of ``participants.tsv``.

    Raises
    ------
    BadInput
        If the folder holds other files, or a setting cannot work.
    SimulationStopped
        If `should_stop` said so.
    """
    target = Path(out)
    if not 1 <= subjects <= _MOST:
        raise BadInput(f"{subjects} subjects cannot be simulated; choose from 1 to {_MOST:,}.")
    if not _SPACINGS_MM[0] <= spacing_mm <= _SPACINGS_MM[1]:
        raise BadInput(f"A simulated cohort cannot have voxels of {spacing_mm:g} mm; choose from 2 to 4 mm, such as 2.")
    names = tuple(heads) if heads is not None else head_names(roles=(TRAINING, VALIDATION))
    plan = Plan(names, seed, diseased_share)
    for name in names:
        load_head(name)
    _refuse_foreign(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
    try:
        partial.mkdir()
        participants = [bids.participant(number, subjects) for number in range(subjects)]
        truths = []
        for number, participant in enumerate(participants):
            if should_stop():
                raise SimulationStopped
            truths.append(_simulate(plan, number, participant, partial, effects, spacing_mm))
            on_progress(number + 1, subjects)
        write_text(partial / bids.PARTICIPANTS, bids.participants_tsv(participants, truths))
        write_text(partial / "participants.json", bids.participants_json())
        says = bids.description(plan, effects, subjects=subjects, spacing_mm=spacing_mm)
        write_text(partial / bids.DESCRIPTION, says)
        _put_in_place(partial, target)
    except BaseException:  # KeyboardInterrupt too: a stopped job leaves no debris
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target / bids.PARTICIPANTS


def _simulate(
    plan: Plan, number: int, participant: str, folder: Path, effects: Effects, spacing_mm: float
) -> Truth:
    planned = plan.subject(number)
    image, truth = simulate_subject(
        planned.head,
        age=planned.age,
        diseased=planned.diseased,
        seed=plan.seed,
        site=planned.site,
        number=number,
        spacing_mm=spacing_mm,
        effects=effects,
    )
    anatomical = folder / participant / "anat"
    anatomical.mkdir(parents=True)
    write_simulated(image, Grid(spacing_mm).affine, anatomical / f"{participant}_T1w.nii.gz")
    (anatomical / f"{participant}_T1w.json").write_text(truth.as_json(), encoding="utf-8")
    return truth


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInput(f"{folder} is a file; choose a folder for the simulated cohort.")
    if any(folder.iterdir()) and not bids.is_ours(folder):
        raise BadInput(f"{folder} holds other files; choose a new folder for the simulated cohort.")


def _put_in_place(partial: Path, target: Path) -> None:
    """Renames only, so that the folder holds the old cohort or the new one, never some of each."""
    if not target.exists():
        os.replace(partial, target)
        return
    _refuse_foreign(target)  # something may have been put there in the meantime
    old = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
    os.replace(target, old)
    os.replace(partial, target)
    shutil.rmtree(old, ignore_errors=True)
