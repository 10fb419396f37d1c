"""Walk through docs/tutorial-napari.md in a real viewer and save the pictures that it shows.

    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/make_screenshots.py [--out docs/images]
    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/make_screenshots.py --check FOLDER

Nothing is staged: the shipped scans are undersampled, fine-tuned on and compared by the worker process, for a few
minutes. Settings and runs go to a temporary folder, which is the home folder for as long as it lasts.

With ``--check``, after the same walk: every dock, page by page, 320 pixels wide, in a window of 1280 x 800 and of
1920 x 1080, in the dark and in the light theme. For people who look for text that is cut off; not for the docs.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "napari_mritransfer" / "resources" / "samples"
PLUGIN = "napari-mritransfer"
LEARN_FROM, JUDGE = "patient03_study1_T2W", "patient03_study2_T2W"
BASE = "multiscale-contrast"  # has never seen patient 03 or 12 but in validation; see its card
EPOCHS, STEPS_PER_EPOCH = 4, 20  # of the default's many more: enough for curves, short enough to wait for
SIZE, PREFERENCES_SIZE = (1280, 800), (1000, 480)
CHECK_SIZES = (SIZE, (1920, 1080))
NARROW, USUAL = 320, 360  # pixels
COMMON, RARE = 64, 64  # colours of a saved picture beside its greys: of the theme, and of its edges and plots
DOCKS = ("Load scan", "Fine-tune", "Compare reconstructions", "Slice attention", "Cohort")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    out = (arguments.check or arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with a_home_for_now(), Tour(None if arguments.check else out) as tour:
        tour.open_sample()
        tour.undersample()
        tour.fine_tune()
        tour.compare()
        if arguments.check:
            tour.show_everything(out)


@contextmanager
def a_home_for_now() -> Iterator[None]:
    """No settings of this machine in the pictures, and no path of it either."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["HOME"] = folder
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


class Tour:
    """The steps of the tutorial; each leaves the viewer as the next one finds it.

    Parameters
    ----------
    out
        Where the pictures go; None takes none.
    """

    def __init__(self, out: Path | None) -> None:
        import napari

        self.out = out
        self.viewer: Any = napari.Viewer()
        self.resize(SIZE)

    def __enter__(self) -> "Tour":
        return self

    def __exit__(self, *_: object) -> None:
        from napari_mritransfer.widgets.session import session_of

        session_of(self.viewer).close()
        self.viewer.close()

    # ------------------------------------------------------------------ the steps

    def open_sample(self) -> None:
        self.save_menu("01-menu", "File", "Open Sample", "MRI Transfer")
        self.viewer.open_sample(PLUGIN, "t2")
        self.viewer.dims.set_current_step(0, 8)
        self.save("02-sample")
        self.save_preferences("13-reader", "Plugins")
        self.save_preferences("14-preferences", "MRI Transfer")

    def undersample(self) -> None:
        dock = self.dock("Load scan")
        dock.choose_layer(self.viewer.layers[0])
        dock.form.fields["direction"].value = "x"
        self.wait_for(dock.undersample.isEnabled, 30)
        self.save("03-load-scan")
        dock.undersample.click()
        self.wait_for(lambda: len(self.viewer.layers) == 2, 120)
        self.settle()
        self.save("04-zero-filled")

    def fine_tune(self) -> None:
        self.viewer.open([str(SAMPLES / f"{name}.nii.gz") for name in (LEARN_FROM, JUDGE)], plugin=PLUGIN)
        dock = self.dock("Fine-tune")
        dock.model.list.setCurrentIndex(dock.model.list.findData(BASE))
        layers = self.viewer.layers
        dock.choose_scans([layers[LEARN_FROM]], layers[JUDGE])
        dock.advanced.epochs.value, dock.advanced.steps_per_epoch.value = EPOCHS, STEPS_PER_EPOCH
        self.wait_for(lambda: "about" in dock.estimate.text(), 120)
        self.save("05-fine-tune")
        dock.start.click()
        self.wait_for(lambda: dock.tuning.current is not None, 60)
        second = dock.tuning.runs[1]
        self.wait_for(lambda: len(second.curve) >= 3 or not dock.tuning.is_busy, 600)
        self.scroll_to(dock, dock.bar, dock.preview)
        self.save("06-live-plot")
        self.wait_for(lambda: not dock.tuning.is_busy, 600)
        if str(dock.tuning.state) != "done":
            raise SystemExit(dock.tuning.message)
        dock.runs.select(second.folder)
        self.scroll_to(dock, dock.runs)
        self.save("07-runs")

    def compare(self) -> None:
        dock = self.dock("Compare reconstructions")
        self.save("08-compare")
        dock.build.click()
        self.wait_for(lambda: dock.session.board is not None or not dock.comparing.is_busy, 600)
        self.wait_for(lambda: not dock.comparing.is_busy, 60)
        if dock.session.board is None:
            raise SystemExit(dock.comparing.message)
        self.settle()
        self.scroll_to(dock, dock.board.leave, dock.board.plot)
        self.save("09-board")
        dock.board.errors.click()
        self.scroll_to(dock, dock.board.plot.worst)
        self.save("10-errors")
        dock.board.plot.worst.click()
        self.viewer.scene.camera.zoom *= 1.6
        dock.session.board.window = (0.0, 0.7)
        self.settle()
        self.save("11-worst-slice")
        dock.export_to(Path("T2-comparison"))
        self.wait_for(lambda: not dock.comparing.is_busy, 120)
        self.scroll_to(dock, dock.build, dock.status)
        self.save("12-export")

    def show_everything(self, folder: Path) -> None:
        """Every dock in every size and theme, one picture for each page that it can be scrolled to."""
        for theme in ("dark", "light"):
            self.viewer.theme = theme
            for size in CHECK_SIZES:
                self.resize(size)
                for name in DOCKS:
                    dock = self.dock(name, NARROW)
                    bar = dock.area.verticalScrollBar()
                    tops = [*range(0, bar.maximum(), max(1, bar.pageStep())), bar.maximum()]
                    for page, top in enumerate(tops, start=1):
                        bar.setValue(top)
                        self.settle()
                        path = folder / f"{name.split()[0].lower()}-{theme}-{size[0]}-{page}.png"
                        written(self.viewer.screenshot(canvas_only=False, flash=False), path)

    # ------------------------------------------------------------------ the window

    def dock(self, name: str, width: int = USUAL) -> Any:
        """One dock alone, this wide."""
        from qtpy.QtCore import Qt

        from napari_mritransfer.widgets.commands import opened

        wanted = opened(self.viewer, name)
        for other in self.viewer.window.dock_widgets.values():
            if other is not wanted and type(other).__name__.endswith("Dock"):
                other.parent().hide()
        frame = wanted.parent()
        frame.window().resizeDocks([frame], [width], Qt.Orientation.Horizontal)
        self.settle()
        return wanted

    def resize(self, size: tuple[int, int]) -> None:
        self.viewer.window.resize(*size)
        self.settle()

    def scroll_to(self, dock: Any, *widgets: Any) -> None:
        """Bring widgets into view, the first one above all."""
        for _ in range(2):  # again when texts that were still on their way have moved everything
            self.settle()
            for widget in reversed(widgets):
                dock.area.ensureWidgetVisible(widget, 0, 4)
        self.settle()

    def save(self, name: str) -> None:
        self.settle()
        if self.out is not None:
            self.write(self.viewer.screenshot(canvas_only=False, flash=False), name)

    def save_menu(self, name: str, *path: str) -> None:
        """The window with a menu opened as far as `path`. Menus are windows of their own: the screen is the picture."""
        if self.out is None:
            return
        window = self.main_window()
        menu, opened = window.menuBar(), []
        for title in path:
            action = next(one for one in menu.actions() if one.text().replace("&", "") == title)
            if opened:
                menu.setActiveAction(action)
            else:
                action.menu().popup(window.mapToGlobal(menu.geometry().bottomLeft()))
            menu = action.menu()
            opened.append(menu)
            self.settle()
        place = window.geometry()
        picture = window.screen().grabWindow(0, place.x(), place.y(), place.width(), place.height())
        for menu in reversed(opened):
            menu.hide()
        self.write(pixels(picture), name)

    def save_preferences(self, name: str, page: str) -> None:
        """One page of napari's Preferences."""
        from qtpy.QtWidgets import QApplication, QListWidget

        if self.out is None:
            return
        bar = self.main_window().menuBar()
        file = next(one.menu() for one in bar.actions() if one.text().replace("&", "") == "File")
        next(one for one in file.actions() if one.text() == "Preferences").trigger()
        self.settle()
        dialog = next(one for one in QApplication.topLevelWidgets() if one.windowTitle() == "Preferences")
        dialog.resize(*PREFERENCES_SIZE)
        pages = dialog.findChild(QListWidget)
        titles = [pages.item(row).text() for row in range(pages.count())]
        pages.setCurrentRow(titles.index(page))
        self.settle()
        picture = dialog.grab()
        dialog.close()
        self.write(pixels(picture), name)

    def main_window(self) -> Any:
        from qtpy.QtWidgets import QApplication, QMainWindow

        return next(one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow) and one.isVisible())

    def write(self, picture: "np.ndarray[Any, Any]", name: str) -> None:
        assert self.out is not None
        path = self.out / f"napari-{name}.png"
        written(picture, path)
        print(f"{path.name}  {path.stat().st_size / 1000:.0f} kB", flush=True)

    def settle(self, seconds: float = 0.6) -> None:
        """Let layouts, timers and drawing come to rest."""
        end = time.monotonic() + seconds
        self.wait_for(lambda: time.monotonic() > end, seconds + 30)

    def wait_for(self, is_so: Callable[[], bool], seconds: float) -> None:
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise TimeoutError(f"Nothing came of it within {seconds:g} s.")
            QApplication.processEvents()
            time.sleep(0.005)


def pixels(picture: Any) -> "np.ndarray[Any, Any]":
    """``(y, x, 4)`` of a Qt pixmap."""
    image = picture.toImage().convertToFormat(picture.toImage().Format.Format_RGBA8888)
    flat = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), dtype=np.uint8)
    return flat.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()]


def written(picture: "np.ndarray[Any, Any]", path: Path) -> None:
    """As a PNG with a palette, a third of the size: greys as they are but for the last bit, common colours exactly."""
    rgb = np.ascontiguousarray(picture[..., :3])
    flat = rgb.reshape(-1, 3)
    colours, counts = np.unique(flat[np.ptp(flat, axis=1) > 0], axis=0, return_counts=True)
    ordered = colours[np.argsort(-counts)]
    rest = Image.fromarray(ordered[COMMON:][None] if len(ordered) > COMMON else np.zeros((1, 1, 3), dtype=np.uint8))
    mixed = np.array(rest.quantize(RARE, kmeans=2).getpalette()[: 3 * RARE], dtype=np.uint8).reshape(-1, 3)
    greys = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[:, None], 3, axis=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([greys, ordered[:COMMON], mixed])[:256].tobytes())
    Image.fromarray(rgb).quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
