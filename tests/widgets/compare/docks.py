"""The "Compare reconstructions" dock with a worker that answers when the test says so."""

from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.rundir import BEST, RunDirectory
from napari_mritransfer.widgets.compare_dock import CompareDock
from napari_mritransfer.widgets.session import Undersampled
from napari_mritransfer.zoo.card import DEFAULT_MODEL


def opened_dock(viewer):
    made = CompareDock(viewer)
    viewer.window.add_dock_widget(made, name="Compare reconstructions", area="right")
    return made


def measurement(scan, *, has_reference=True):
    return Undersampled(
        "head 25 %", scan, Sampling(SamplingPattern(rate=0.25), phase_encode="x"), "layer", "source",
        "25 % of the lines.", (), has_reference,
    )  # fmt: skip


def write_run(folder, *, strategy="lft", psnr=31.2, model=DEFAULT_MODEL, finished=True):
    """A run as a list sees it: its configuration and its outcome."""
    run = RunDirectory(folder)
    run.begin(FinetuneConfig(model=model, train=("a.nii",), validation=("b.nii",), strategy=strategy))
    run.write_metrics({"best_psnr": psnr, "finished": finished, "step": 9})
    if psnr is not None:
        (folder / BEST).touch()
    return folder


def board_up(dock, qtbot):
    qtbot.waitUntil(lambda: dock.session.board is not None, timeout=10_000)
    return dock.session.board


def show(dock, folder, scan, qtbot):
    dock.show_folder(folder, scan)
    return board_up(dock, qtbot)
