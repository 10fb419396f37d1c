"""What a reviewer would ask: concerns in full, the rest behind a line, and never in anybody's way."""

import threading

import numpy as np
import pytest
from raw_files import raw_samples, write_raw

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.widgets import examining
from napari_mritransfer.widgets.findings_view import FindingsView

SOON = 10_000  # ms; the machine may be busy
CONCERN = Finding("masked air", Verdict.CONCERN, "Half of the air is exactly zero.", 0.5, 0.1)
FINE = Finding("centre", Verdict.FINE, "DC is in the centre.")
UNKNOWN = Finding("symmetry", Verdict.UNKNOWN, "Too few samples to tell.")


@pytest.fixture
def shown(qtbot):
    widget = FindingsView()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def texts(labels) -> list[str]:
    return [label.text() for label in labels if not label.isHidden()]


def test_concerns_stand_first_and_the_rest_is_folded_away(shown):
    shown.show_findings((FINE, UNKNOWN, FINE, CONCERN))
    assert texts(shown.concerns) == [CONCERN.sentence]
    assert texts(shown.rest) == []
    assert shown.fold.text() == "2 checks passed, 1 undecided"
    shown.fold.click()
    assert texts(shown.rest) == [UNKNOWN.sentence, FINE.sentence, FINE.sentence]


def test_the_numbers_are_in_the_tooltip(shown):
    shown.show_findings((CONCERN, FINE))
    assert shown.concerns[0].toolTip() == "Check: masked air, value 0.5, threshold 0.1"
    assert shown.rest[0].toolTip() == "Check: centre"


def test_it_says_that_it_looks_and_takes_no_room_without_a_scan(shown):
    shown.show_findings(None)
    assert not shown.pending.isHidden()
    shown.show_findings(())
    assert shown.isHidden()


def test_concerns_have_the_colour_of_the_theme(shown):
    shown.paint_concerns("#123456")
    shown.show_findings((CONCERN, FINE))
    assert "#123456" in shown.concerns[0].styleSheet()
    assert shown.rest[0].styleSheet() == ""


def test_real_checks_judge_real_kspace_in_the_dock(qtbot, opened, opened_dock, tmp_path, orders):
    padded = np.pad(raw_samples((1, 3, 3, 24, 28)), [(0, 0)] * 3 + [(16, 16), (0, 0)])
    opened(write_raw(tmp_path / "padded.cfl", padded))
    dock = opened_dock()
    qtbot.waitUntil(lambda: bool(dock.findings.concerns), timeout=SOON)
    assert any("24 of 56" in text for text in texts(dock.findings.concerns))
    assert "passed" in dock.findings.fold.text()


def test_plain_images_are_judged_too(qtbot, viewer, opened_dock, orders):
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (3, 64, 64)).astype(np.uint8), name="eight bits")
    dock = opened_dock()
    qtbot.waitUntil(lambda: not dock.findings.fold.isHidden(), timeout=SOON)


def test_the_form_is_ready_while_the_checks_still_run(qtbot, opened, opened_dock, tmp_path, orders, monkeypatch):
    may_end = threading.Event()

    def slow(_scan):
        assert may_end.wait(SOON / 1000)
        return (CONCERN,)

    monkeypatch.setattr(examining, "judge", slow)
    opened(write_raw(tmp_path / "head.cfl"))
    dock = opened_dock()
    qtbot.waitUntil(dock.undersample.isEnabled, timeout=SOON)
    assert not dock.findings.pending.isHidden()
    may_end.set()
    qtbot.waitUntil(lambda: texts(dock.findings.concerns) == [CONCERN.sentence], timeout=SOON)


def test_a_file_that_breaks_while_it_is_judged_is_told_among_the_findings(
    qtbot, opened, opened_dock, tmp_path, orders, monkeypatch
):
    def broken(_scan):
        raise UnreadableScan("head.cfl is cut off; copy it again.")

    monkeypatch.setattr(examining, "judge", broken)
    opened(write_raw(tmp_path / "head.cfl"))
    dock = opened_dock()
    qtbot.waitUntil(lambda: dock.findings.fold.text() == "0 checks passed, 1 undecided", timeout=SOON)
    assert dock.findings.rest[0].text().startswith("head.cfl is cut off")
