"""Stands for an order to the worker: it tells and ends what the test says."""

from qtpy.QtCore import QObject, Signal


class FakeRequest(QObject):
    told = Signal(object)
    ended = Signal(object)

    def __init__(self, command, title):
        super().__init__()
        self.command, self.title = command, title
        self.has_crashed = self.was_stopped = self.was_killed = False
        self.shown = (0, 0)
        self.order = self

    def stop(self):
        self.was_stopped = True

    def end_process(self):
        self.was_killed = True

    def show_progress(self, done, total):
        self.shown = (done, total)
