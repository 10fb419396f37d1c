"""The list of published weights, against a server of this machine."""

import hashlib
import http.server
import threading
import time
from dataclasses import replace

import pytest
from qtpy.QtCore import Qt

from napari_mritransfer.widgets import published_dialog
from napari_mritransfer.widgets.published_dialog import PublishedDialog, fetched_models
from napari_mritransfer.zoo.download import DownloadStopped
from napari_mritransfer.zoo.published import PUBLISHED

CONTENT = bytes(range(256)) * 4096


class Slowly(http.server.BaseHTTPRequestHandler):
    """Serves `CONTENT`; waits half-way for `go_on`."""

    go_on = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = len(CONTENT) // 2
        self.wfile.write(CONTENT[:half])
        self.wfile.flush()
        if self.go_on.wait(20):
            self.wfile.write(CONTENT[half:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    Slowly.go_on = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slowly) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}/weights.pt"
        Slowly.go_on.set()
        found.shutdown()
        thread.join()


@pytest.fixture
def dialog(server, qtbot, tmp_path, monkeypatch):
    """With one entry, which lies on the server."""
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path / "cache"))
    entry = replace(PUBLISHED[0], url=server, sha256=hashlib.sha256(CONTENT).hexdigest(), size_bytes=len(CONTENT))
    monkeypatch.setattr(published_dialog, "PUBLISHED", (entry,))
    dialog = PublishedDialog()
    qtbot.addWidget(dialog)
    return dialog


def test_it_says_what_they_are_before_anything_is_downloaded(dialog, tmp_path):
    assert "Licence: MIT" in dialog.facts.text()
    assert dialog.entry.url in dialog.facts.text()
    assert "Download" in dialog.take.text()
    assert not (tmp_path / "cache").exists()


def test_encoders_are_no_networks_to_choose(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    encoder = next(entry for entry in PUBLISHED if entry.kind == "encoder")
    (tmp_path / encoder.file_name).touch()
    (tmp_path / PUBLISHED[0].file_name).touch()
    assert [name for name, _, _ in fetched_models()] == [PUBLISHED[0].name]
    dialog = PublishedDialog()
    qtbot.addWidget(dialog)
    assert dialog.list.count() == sum(entry.kind == "reconstruction" for entry in PUBLISHED)


def test_what_is_told_is_seen(dialog):
    dialog.show()
    assert dialog.facts.isVisible()
    assert dialog.status.isHidden()
    dialog.take.click()
    assert dialog.status.isVisible()


def test_escape_stops_the_download(dialog, qtbot, monkeypatch):
    def fetch(_entry, _tell, should_stop):
        while not should_stop():
            time.sleep(0.01)
        raise DownloadStopped("stopped")

    monkeypatch.setattr(published_dialog, "fetch", fetch)
    dialog.show()
    dialog.take.click()
    assert dialog.stop.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "goes on from here" in dialog.status.text(), timeout=10_000)


def test_downloading_moves_the_bar_and_ends_with_a_name_to_choose(dialog, qtbot):
    dialog.take.click()
    qtbot.waitUntil(lambda: dialog.bar.value() > 300, timeout=10_000)
    assert not dialog.take.isEnabled()
    with qtbot.waitSignal(dialog.chosen, timeout=10_000) as chosen:
        Slowly.go_on.set()
    assert chosen.args == [dialog.entry.name]
    assert dialog.take.text() == "Use"
    assert "on this computer" in dialog.list.item(0).text()


def test_stopping_keeps_the_dialog_usable(dialog, qtbot):
    dialog.take.click()
    qtbot.waitUntil(lambda: dialog.bar.value() > 300, timeout=10_000)
    dialog.stop.click()
    Slowly.go_on.set()
    qtbot.waitUntil(lambda: dialog.take.isEnabled(), timeout=10_000)
    assert "Stopped" in dialog.status.text() or "on this computer" in dialog.status.text()


def test_without_a_server_there_is_one_sentence(dialog, qtbot, monkeypatch):
    gone = replace(dialog.entry, url="http://127.0.0.1:9/weights.pt")
    monkeypatch.setattr(PublishedDialog, "entry", gone)
    dialog.take.click()
    qtbot.waitUntil(lambda: dialog.take.isEnabled() and "Connecting" not in dialog.status.text(), timeout=20_000)
    assert "http://127.0.0.1:9" in dialog.status.text()
