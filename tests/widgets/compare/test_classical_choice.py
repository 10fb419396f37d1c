"""Classical reconstructions in the list of methods: offered where they can be had, with the reason where not."""

from dataclasses import replace

import pytest
from docks import measurement
from qtpy.QtCore import Qt

from napari_mritransfer.recon.classical_menu import CLASSICAL
from napari_mritransfer.training.client import Progress
from napari_mritransfer.training.events import Stopped
from napari_mritransfer.widgets import compare_inputs
from napari_mritransfer.widgets.compare_inputs import unavailable_classical

NAMES = [method.name for method in CLASSICAL]


def rows(dock) -> dict:
    items = [dock.methods.item(index) for index in range(dock.methods.count())]
    return {item.data(Qt.ItemDataRole.UserRole): item for item in items}


@pytest.fixture
def sigpy(monkeypatch):
    """Whether sigpy is there."""

    def is_there(there: bool) -> None:
        monkeypatch.setattr(compare_inputs, "find_spec", lambda _name: object() if there else None)

    return is_there


def test_several_coils_can_be_reconstructed_by_all_of_them(dock, scan, orders, sigpy):
    sigpy(True)
    dock.session.add_measurement(replace(measurement(scan), n_coils=8))
    assert [rows(dock)[name].text() for name in NAMES] == [method.label for method in CLASSICAL]
    assert not set(NAMES) & set(dock.methods.ticked), "they take minutes: nobody gets one unasked"
    dock.methods.tick("zero-filled", *NAMES)
    dock.build.click()
    assert orders[0].command["methods"] == ["zero-filled", *NAMES]
    orders[0].told.emit(Progress("sense: slice 1 of 3", 1, 9))
    assert dock.status.text() == "sense: slice 1 of 3"
    orders[0].ended.emit(Stopped(0, 0, None))


def test_one_coil_is_nothing_for_sense_and_a_tick_does_not_stay(dock, scan, sigpy):
    sigpy(True)
    dock.session.add_measurement(replace(measurement(scan), n_coils=8))
    dock.methods.tick("sense", "l1-wavelet")
    dock.session.add_measurement(measurement(scan))
    row = rows(dock)["sense"]
    assert row.text() == "SENSE: needs several coils"
    assert not row.flags() & Qt.ItemFlag.ItemIsEnabled
    assert dock.methods.ticked == ("l1-wavelet",)


def test_without_sigpy_the_methods_that_need_it_say_so(sigpy):
    sigpy(False)
    assert unavailable_classical(8) == {"l1-wavelet": "needs sigpy", "total-variation": "needs sigpy"}
    assert unavailable_classical(1)["sense"] == "needs several coils"
