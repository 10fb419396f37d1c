"""Walk through docs/tutorial-cohort.md in a real viewer and save the pictures that it shows.

    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/reuse_screenshots.py [--out docs/images] [--check FOLDER]

Nothing is staged: a cohort is simulated, three lines of its table are spoiled as the text says, and the worker process
checks it and re-uses the shipped network on it, for some minutes.
"""

import argparse
from pathlib import Path
from typing import Any

from make_screenshots import ROOT, Tour, a_home_for_now

DOCK = "Cohort"
SUBJECTS, SPACING_MM = 40, 3.0
HEADS = ("patient03",)  # the shipped network has not learned from it
METHODS = ("direct", "features-ridge", "features-svm", "final-layer", "full", "lft", "scratch", "classical")
SIZES = "10, 20"


class CohortTour(Tour):
    """The steps of the tutorial; each leaves the viewer as the next one finds it."""

    def open_table(self, table: Path) -> None:
        dock = self.dock(DOCK)
        dock.open_table(table, "age")
        self.wait_for(lambda: dock.table.path is not None, 30)
        self.save("cohort-1-table")

    def check(self, model: str) -> None:
        dock = self.dock(DOCK)
        dock.networks.choose(model)
        dock.check.click()
        self.wait_until_over()
        self.top(dock, dock.check)
        dock.subjects.problems.setCurrentRow(1)
        self.save("cohort-2-checks")

    def choose(self) -> None:
        dock = self.dock(DOCK)
        dock.methods.tick(*METHODS)
        dock.settings.sizes.setText(SIZES)
        self.top(dock, dock.methods)
        self.save("cohort-3-methods")

    def run_and_stop(self) -> None:
        """Stop in the middle of it, and go on."""
        dock = self.dock(DOCK)
        dock.run.click()
        self.wait_for(lambda: dock.reusing.done.get("lft", 0) > 0 or not dock.reusing.is_busy, 1800)
        self.top(dock, dock.methods)
        self.save("cohort-4-progress")
        dock.stop.click()
        self.wait_for(lambda: not dock.reusing.is_busy, 60)
        if not dock.reusing.may_go_on:
            raise SystemExit(dock.status.text())
        dock.go_on.click()
        self.wait_until_over(1800)
        self.top(dock, dock.panel)
        self.save("cohort-5-results")

    def look_at_plots(self) -> None:
        dock = self.dock(DOCK)
        for number, name in ((6, "comparison"), (7, "curve")):
            plot = dock.panel.plot
            plot.choice.setCurrentIndex(plot.choice.findData(name))
            self.top(dock, plot)
            self.save(f"cohort-{number}-{name}")
        plot.choice.setCurrentIndex(plot.choice.findData("predicted"))

    def click_a_point(self) -> None:
        """The subject that the first method was most wrong about."""
        dock = self.dock(DOCK)
        dock.panel.choose("full")
        data = dock.reusing.data
        lines = data.lines_of(dock.panel.result)
        true, predicted = data.true_and_predicted(lines)
        worst = int(abs(predicted - true).argmax())
        plot = dock.panel.plot
        plot.dots.sigClicked.emit(plot.dots, [plot.dots.points()[worst]], None)
        self.wait_until_over()
        self.top(dock, plot)
        self.save("cohort-8-scan")

    def wait_until_over(self, seconds: float = 600) -> None:
        dock = self.dock(DOCK)
        self.wait_for(lambda: not dock.reusing.is_busy, seconds)
        if str(dock.reusing.state) == "failed":
            raise SystemExit(dock.status.text())
        self.settle()

    def top(self, dock: Any, widget: Any) -> None:
        """Scroll so that a widget is the first thing in view."""
        self.settle()
        place = widget.mapTo(dock.area.widget(), widget.rect().topLeft()).y()
        dock.area.verticalScrollBar().setValue(place - 4)
        self.settle()


def spoiled_cohort(folder: Path) -> Path:
    """A simulated cohort in whose table three things are wrong, as in other people's tables."""
    from napari_mritransfer.cohort.simulation import CLEAR, simulate_cohort

    table = simulate_cohort(
        folder, subjects=SUBJECTS, seed=5, heads=HEADS, spacing_mm=SPACING_MM, effects=CLEAR
    )
    lines = table.read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    for image in (folder / lines[7].split("\t")[0]).rglob("*.nii.gz"):
        image.unlink()  # a subject without a file
    cells = lines[12].split("\t")
    cells[names.index("age")] = "n/a"  # one without a label
    lines[12] = "\t".join(cells)
    lines.append(lines[20])  # and one that stands there twice
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="every page of every dock, for people to look at")
    parser.add_argument("--model", default="sim-sfcn-age", help="the network to re-use")
    arguments = parser.parse_args()
    out = (arguments.check or arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with a_home_for_now():
        table = spoiled_cohort(Path("cohort").resolve())
        with CohortTour(out) as tour:
            tour.open_table(table)
            tour.check(arguments.model)
            tour.choose()
            tour.run_and_stop()
            tour.look_at_plots()
            tour.click_a_point()
            if arguments.check:
                tour.show_everything(out)


if __name__ == "__main__":
    main()
