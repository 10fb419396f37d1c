"""Walk through docs/tutorial-attention.md in a real viewer and save the pictures that it shows.

    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/attention_screenshots.py [--out docs/images] [--check FOLDER]

Nothing is staged: the shipped networks look at the shipped simulated head, in the worker process.
"""

import argparse
from pathlib import Path

from make_screenshots import ROOT, Tour, a_home_for_now

DOCK = "Slice attention"


class AttentionTour(Tour):
    """The steps of the tutorial; each leaves the viewer as the next one finds it."""

    def one_click(self) -> None:
        from napari_mritransfer.widgets.commands import attend_to_layer

        self.viewer.open_sample("napari-mritransfer", "simulated_head")
        attend_to_layer(self.viewer)
        self.wait_for_maps()
        dock = self.dock(DOCK)
        self.scroll_to(dock, dock.panel)
        self.save("attention-1-one-click")

    def two_networks(self) -> None:
        dock = self.dock(DOCK)
        dock.networks.choose("sim-age", "sim-age-no-positions")
        dock.sanity.setChecked(True)
        self.scroll_to(dock, dock.source)
        dock.run.click()
        self.wait_for_maps()
        self.scroll_to(dock, dock.panel)
        self.save("attention-2-two-networks")

    def undersampled(self) -> None:
        dock = self.dock(DOCK)
        dock.attending.leave()
        loading = self.dock("Load scan")
        loading.choose_layer(self.viewer.layers[0])
        loading.form.fields["direction"].value = "x"
        self.wait_for(loading.undersample.isEnabled, 60)
        loading.undersample.click()
        self.wait_for(lambda: len(self.viewer.layers) == 2, 120)
        dock = self.dock(DOCK)
        dock.networks.choose("sim-age")
        dock.sanity.setChecked(False)
        dock.source.choose("measurement")
        self.save("attention-3-measurement")
        dock.run.click()
        self.wait_for_maps()
        self.scroll_to(dock, dock.panel)
        self.save("attention-4-undersampled")

    def on_the_scan(self) -> None:
        dock = self.dock(DOCK)
        dock.panel.on_scan.click()
        self.wait_for(lambda: not dock.attending.is_busy, 60)
        self.save("attention-5-on-the-scan")

    def wait_for_maps(self) -> None:
        from napari_mritransfer.widgets.session import session_of

        dock = self.dock(DOCK)
        self.wait_for(lambda: not dock.attending.is_busy, 600)
        if session_of(self.viewer).board is None:
            raise SystemExit(dock.status.text())
        self.settle()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="every page of every dock, for people to look at")
    arguments = parser.parse_args()
    out = (arguments.check or arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with a_home_for_now(), AttentionTour(out) as tour:
        tour.one_click()
        tour.two_networks()
        tour.undersampled()
        tour.on_the_scan()
        if arguments.check:
            tour.show_everything(out)


if __name__ == "__main__":
    main()
