"""How long the ticked strategies will take, said before they start."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel

from napari_mritransfer.training.client import Answer, Result
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.requests import Request
from napari_mritransfer.widgets.tuning import as_record

_QUIET_MS = 1200  # a user who is still changing numbers is not interrupted


class TimeEstimate(QLabel):
    """Asks the worker to take a few steps of each strategy, some time after the settings came to rest."""

    def __init__(self, request: Callable[[Mapping[str, Any], str], Request]) -> None:
        super().__init__()
        self.setWordWrap(True)
        self._send = request
        self._question: list[FinetuneConfig] = []
        self._configs: list[FinetuneConfig] = []
        self._seconds = 0.0
        self._asked: Request | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_QUIET_MS)
        self._rest.timeout.connect(self._on_rest)

    def ask(self, configs: Sequence[FinetuneConfig]) -> None:
        """Estimate these soon; an earlier question is dropped, unless it is the same. None of them: say nothing."""
        if self._question == [*configs] and self.text():
            return
        self.drop()
        self._question, self._configs, self._seconds = [*configs], [*configs], 0.0
        self.setText("Time needed: estimating…" if configs else "")
        if configs:
            self._rest.start()

    def drop(self) -> None:
        """Stop estimating, such as when the real thing starts."""
        self._rest.stop()
        self._question = []
        self.setText("")
        if self._asked is not None:
            self._asked.ended.disconnect(self._on_estimated)
            self._asked.stop()
            self._asked = None

    def _on_rest(self) -> None:
        """GUI thread."""
        config = self._configs.pop(0)
        self._asked = self._send({"command": "estimate", "config": as_record(config)}, "Estimating the time")
        self._asked.ended.connect(self._on_estimated)

    def _on_estimated(self, answer: Answer) -> None:
        """GUI thread."""
        self._asked = None
        if isinstance(answer, Result):
            self._seconds += answer.values["seconds"]
            if self._configs:
                self._on_rest()
            else:
                self.setText(f"Time needed: about {in_words(self._seconds)}.")
        elif isinstance(answer, Failed):
            self.setText(answer.reason)
        else:
            self.setText("")


def in_words(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2.5 h``: as exact as an estimate is."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
