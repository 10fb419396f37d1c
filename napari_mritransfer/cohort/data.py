"""A cohort's scans and labels as tensors, and the batches that a training draws from them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_mritransfer.cohort.checks import CheckedCohort, check_cohort, refuse
from napari_mritransfer.cohort.config import Augmentation, CohortConfig
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation, prepare
from napari_mritransfer.cohort.problem import Severity
from napari_mritransfer.cohort.splits import Split, folds, make_split, read_split
from napari_mritransfer.cohort.table import CohortScan, read_cohort
from napari_mritransfer.training.config import BadConfig

_HALVED_FROM = 2 * 2**30  # bytes of volumes: above, they are kept in half precision
_MOST = 12 * 2**30
_NUMBERS = re.compile(r"-?\d[\d.,e+-]*")
_LARGEST_SHIFT = 2  # voxels, as Peng et al. (MedIA 2021) augment


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVolumes:
    """Prepared scans with what a network should say of them.

    Attributes
    ----------
    scans
        Whose they are.
    volumes
        ``(n, 1, i, j, k)`` float32 or float16.
    targets
        ``(n,)``: standardised values, or 0 and 1, as float32; indices of classes as int64.
    """

    scans: tuple[CohortScan, ...]
    volumes: Tensor
    targets: Tensor

    def __len__(self) -> int:
        """Number of scans."""
        return len(self.scans)


@dataclass(frozen=True, slots=True, eq=False)
class CohortData:
    """All that a training reads from disk.

    Attributes
    ----------
    training, validation
        Scans to learn from and to be judged on.
    label
        With the mean and standard deviation of the training scans.
    split
        Who is where; the test scans are not loaded.
    said
        What was done to the scans: a sentence of each kind, with how many scans it is true of but for its numbers.
    warnings
        Sentences on what the checks found.
    simulated
        Whether the cohort's description says so.
    """

    training: LabelledVolumes
    validation: LabelledVolumes
    label: Label
    split: Split
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    simulated: bool


def checked_and_split(config: CohortConfig, label: Label | None = None) -> tuple[CheckedCohort, Split, tuple[str, ...]]:
    """The cohort of a configuration with its checks; who learns, judges and is tested; and remarks on a saved split.

    Parameters
    ----------
    label
        That of the network to go on with.

    Raises
    ------
    BadInput
        If the table or its labels do not work.
    """
    cohort = read_cohort(
        Path(config.table), image_column=config.image_column or None, subject_column=config.subject_column or None
    )
    checked = check_cohort(
        cohort, config.label, task=config.task if label is None else label.task, group=config.group or None,
        classes=label.classes if label is not None and label.classes else None, folds=config.folds,
        placement=config.preparation.placement,
    )  # fmt: skip
    refuse(checked)
    if config.split:
        split = read_split(Path(config.split))
        return checked, split, split.check_against(checked)
    if config.folds:
        parts = folds(checked, config.folds, config.split_seed, validation=config.validation)
        return checked, parts[config.fold], ()
    return checked, make_split(checked, test=config.test, validation=config.validation, seed=config.split_seed), ()


def label_of(checked: CheckedCohort, training: Sequence[CohortScan]) -> Label:
    """What is predicted; of numbers with mean and standard deviation over the training scans."""
    if checked.task == "regression":
        return Label.of_numbers(checked.label, [float(checked.labels[scan]) for scan in training])
    return Label(checked.label, checked.task, "", checked.classes)


def load_cohort(config: CohortConfig, check_stop: Callable[[], None], label: Label | None = None) -> CohortData:
    """Read, check, split and prepare.

    Parameters
    ----------
    config
        The training.
    check_stop
        Called between scans; raises to stop.
    label
        That of the network to go on with, whose mean and standard deviation are kept.

    Raises
    ------
    BadInput
        If the table, its labels, an image or the memory do not suffice.
    """
    checked, split, remarks = checked_and_split(config, label)
    train, judge = split.scans(checked, "train"), split.scans(checked, "validation")
    if not judge:
        raise BadConfig("The split has nobody to validate on, so nobody could say which step is best; make a new one.")
    _check_memory(len(train) + len(judge), config.preparation)
    own = label_of(checked, train) if label is None else label
    said: dict[str, list[str]] = {}
    sets = [_volumes(part, checked, own, config, check_stop, said, len(train) + len(judge)) for part in (train, judge)]
    left_out = [problem.sentence for problem in checked.problems if problem.severity is Severity.LEAVES_OUT]
    warnings = tuple(dict.fromkeys([*remarks, *left_out]))
    return CohortData(
        sets[0], sets[1], own, split, _in_short(said, len(train) + len(judge)), warnings, checked.cohort.simulated
    )


def targets_of(checked: CheckedCohort, scans: Sequence[CohortScan], label: Label) -> Tensor:
    """``(n,)``, see `LabelledVolumes`."""
    values = [checked.labels[scan] for scan in scans]
    if label.task == "regression":
        return torch.tensor([(float(value) - label.mean) / label.std for value in values], dtype=torch.float32)
    indices = [label.classes.index(str(value)) for value in values]
    return torch.tensor(indices, dtype=torch.float32 if label.task == "binary" else torch.int64)


def _volumes(
    scans: Sequence[CohortScan], checked: CheckedCohort, label: Label, config: CohortConfig,
    check_stop: Callable[[], None], said: dict[str, list[str]], total: int,
) -> LabelledVolumes:  # fmt: skip
    shape = config.preparation.grid.shape
    is_large = total * int(np.prod(shape)) * 4 > _HALVED_FROM
    volumes = torch.empty(len(scans), 1, *shape, dtype=torch.float16 if is_large else torch.float32)
    for index, scan in enumerate(scans):
        check_stop()
        assert scan.path is not None  # the checks left such scans out
        prepared = prepare(scan.path, config.preparation)
        volumes[index, 0] = torch.from_numpy(prepared.array)
        for sentence in prepared.said:
            plain = sentence.replace(prepared.name, "A scan")
            said.setdefault(_NUMBERS.sub("#", plain), []).append(plain)
    return LabelledVolumes(tuple(scans), volumes, targets_of(checked, scans, label))


def _in_short(said: Mapping[str, Sequence[str]], total: int) -> tuple[str, ...]:
    """The first sentence of each kind; numbers differ from scan to scan."""
    return tuple(
        sentences[0] if len(set(sentences)) == 1 and len(sentences) == total
        else f"{sentences[0]} (This, but for numbers, of {len(sentences)} of {total} scans.)"
        for sentences in said.values()
    )  # fmt: skip


def _check_memory(count: int, preparation: Preparation) -> None:
    needed = count * int(np.prod(preparation.grid.shape)) * 2
    if needed > _MOST:
        raise BadConfig(
            f"{count} scans at {preparation.spacing_mm:g} mm take {needed / 2**30:.0f} GiB of memory; choose a coarser "
            "grid (spacing) or fewer scans."
        )


def draw(
    data: LabelledVolumes, *, batch: int, seed: int, step: int, augmentation: Augmentation, share: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """The batch of one step: volumes ``(n, 1, i, j, k)`` float32 and targets ``(n,)``.

    Every scan comes once before any comes again. The batch depends on nothing but data, seed and step.
    """
    whole = np.arange(step * batch, (step + 1) * batch)
    passes, places = np.divmod(whole, len(data))
    orders = {int(p): np.random.default_rng((seed, 0, int(p))).permutation(len(data)) for p in np.unique(passes)}
    chosen = [int(orders[int(p)][i]) for p, i in zip(passes, places, strict=True)][share]
    volumes = data.volumes[chosen].float()
    if augmentation != "none":
        augment(volumes, augmentation, np.random.default_rng((seed, 1, step)), batch, share)
    return volumes, data.targets[chosen]


def augment(
    volumes: Tensor, augmentation: Augmentation, rng: np.random.Generator, batch: int, share: slice = slice(None)
) -> None:
    """Shift every volume of ``(n, 1, i, j, k)`` by up to two voxels, and mirror half of them, in place.

    Parameters
    ----------
    batch, share
        All volumes that chance is drawn for, and which of them these are.
    """
    shifts = rng.integers(-_LARGEST_SHIFT, _LARGEST_SHIFT + 1, (batch, 3))[share]
    mirrored = (rng.random(batch) < 0.5)[share]
    for index, shift in enumerate(shifts):
        moved = _shifted(volumes[index], [int(s) for s in shift])
        is_mirrored = augmentation == "shift-mirror" and mirrored[index]
        volumes[index] = moved.flip(1) if is_mirrored else moved  # i runs from right to left


def _shifted(volume: Tensor, shift: Sequence[int]) -> Tensor:
    """``(1, i, j, k)`` moved by whole voxels; what comes in at the edges repeats the edge."""
    for axis, step in enumerate(shift, start=1):
        length = volume.shape[axis]
        places = (torch.arange(length) - step).clamp(0, length - 1)
        volume = volume.index_select(axis, places)
    return volume
