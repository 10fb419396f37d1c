"""``python -m napari_mritransfer.widgets.demo_viewer FOLDER``: napari with the demonstration's board and all docks."""

import sys
from pathlib import Path
from typing import Any

from napari_mritransfer.widgets.commands import opened
from napari_mritransfer.widgets.samples import t2
from napari_mritransfer.widgets.session import session_of
from napari_mritransfer.widgets.view import attach

_STRATEGIES = ("ft", "lft")


def show_demo(viewer: Any, folder: Path) -> None:
    """Open the test scan, the three docks and the board of a demonstration in a viewer.

    Parameters
    ----------
    folder
        What ``mritransfer demo`` wrote.
    """
    from napari.layers import Layer

    attach(viewer)
    for layer in t2():
        viewer.add_layer(Layer.create(*layer))
    scan = viewer.layers[-1]
    loading, tuning = opened(viewer, "Load scan"), opened(viewer, "Fine-tune")
    loading.choose_layer(scan)
    tuning.show_runs([folder / "runs" / f"{strategy}-seed0" for strategy in _STRATEGIES])
    comparing = opened(viewer, "Compare reconstructions")
    comparing.show_folder(folder, session_of(viewer).path_of(scan))


def main() -> None:
    """Show it until the window is closed."""
    import napari

    viewer = napari.Viewer(title="MRI Transfer: demonstration")
    viewer.window.resize(1400, 900)
    show_demo(viewer, Path(sys.argv[1]))
    napari.run()


if __name__ == "__main__":
    main()
