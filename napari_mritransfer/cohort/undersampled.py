"""From k-space to attention maps: what undersampling and reconstruction do to a prediction, and to where it looks."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_mritransfer.cohort.attend import attend
from napari_mritransfer.cohort.known_truth import sidecar_of
from napari_mritransfer.cohort.looked_at import of_comparison
from napari_mritransfer.cohort.model import CohortModel, open_cohort_model
from napari_mritransfer.cohort.record import AttentionRecord
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.study.board import write_board
from napari_mritransfer.study.comparison import compare
from napari_mritransfer.study.methods import REFERENCE, resolve_methods
from napari_mritransfer.study.sampling import Sampling

RECONSTRUCTIONS, ATTENTION = "reconstructions", "attention"


def undersample_and_attend(
    scan: str,
    methods: Sequence[str],
    sampling: Sampling,
    models: Sequence[str | CohortModel],
    out: Path,
    *,
    pretrained: str,
    with_map: bool = True,
    with_sanity: bool = False,
    slicing: str | None = None,
    device: str = "auto",
    seed: int = 0,
    on_progress: Callable[[str, int, int], None] = lambda text, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> AttentionRecord:
    """Measure a scan, reconstruct it by every method, and let networks look at all of them.

    Parameters
    ----------
    scan
        Fully sampled scan, or one that is taken as measured.
    methods
        ``zero-filled``, ``pretrained``, classical ones, zoo names, run folders; see `study.methods`.
    sampling
        How it is undersampled.
    models
        Of the networks that predict, see `attend`.
    out
        Folder: ``reconstructions`` and ``attention`` are written into it, replacing those of an earlier call.
    pretrained
        What ``pretrained`` means when no run says it.

    Returns
    -------
    record
        Of ``out/attention``. Differences are those from the reference where there is one, else from the first method.

    Raises
    ------
    BadInput
        If a scan, a method or a network does not work.
    ReconstructionStopped
        If `should_stop` said so.
    """
    folder = out / RECONSTRUCTIONS
    holds_scan = Path(scan).resolve().parent in (out.resolve(), folder.resolve())
    if out.is_file() or (out / "config.json").exists() or holds_scan:
        raise BadInput(f"{out} is a file, or holds a run or the scan itself; choose another folder for the results.")
    # before work that takes long
    opened = [open_cohort_model(model) if isinstance(model, str) else model for model in models]
    comparison = compare(
        scan, resolve_methods(list(methods), pretrained), sampling, device=device, should_stop=should_stop,
        on_progress=lambda name, done, total: on_progress(f"{name}: slice", done, total),
    )  # fmt: skip
    if should_stop():
        raise ReconstructionStopped
    rate = comparison.measurement.mask.achieved_rate
    write_board(comparison, folder, title=f"{comparison.scan.name} at {rate:.1%}")
    truth = sidecar_of(Path(scan))
    if truth.is_file():  # a simulated scan's truth holds for its reconstructions
        shutil.copyfile(truth, sidecar_of(folder / f"{REFERENCE}.nii.gz"))
    return attend(
        of_comparison(folder), opened, out / ATTENTION, with_map=with_map, with_sanity=with_sanity, slicing=slicing,
        device=device, seed=seed, warnings=comparison.warnings, on_progress=on_progress, should_stop=should_stop,
    )  # fmt: skip
