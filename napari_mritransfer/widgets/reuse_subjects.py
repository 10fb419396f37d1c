"""Everybody in a cohort with a picture, and all that was found wrong, before anything is trained."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mritransfer.cohort.problem import Severity
from napari_mritransfer.cohort.reuse.look import Looked, LookedRow
from napari_mritransfer.widgets.dock import text_label
from napari_mritransfer.widgets.theme import colours_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

_PICTURE = QSize(150, 56)  # of a row; the file's is twice as large
_MOST_PROBLEMS_HEIGHT, _LIST_HEIGHT = 150, 210
_ROW = Qt.ItemDataRole.UserRole


class ReuseSubjects(QWidget):
    """Follows nobody: it shows what it is given, and is hidden until then.

    Signals
    -------
    scan_wanted
        A `LookedRow` whose scan is to be opened in the viewer.
    """

    scan_wanted = Signal(object)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._looked: Looked | None = None
        self.summary, self.sentence = text_label(), text_label()
        self.problems, self.scans = QListWidget(), QListWidget()
        self.problems.setWordWrap(True)
        self.scans.setIconSize(_PICTURE)
        self.scans.setFixedHeight(_LIST_HEIGHT)
        self.scans.setToolTip("Double-click to open the scan in the viewer")
        for one in (self.problems, self.scans):
            one.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            one.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.scans.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.picture = QLabel()
        self.picture.setMinimumWidth(1)  # or the dock could not become narrower than its picture
        self.picture.hide()
        self.show_scan = QPushButton("Open scan")
        self.show_scan.setToolTip("Open the selected scan in the viewer")
        row = QHBoxLayout()
        row.addWidget(self.sentence, 1)
        row.addWidget(self.show_scan)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        above: list[QWidget] = [self.summary, self.problems, self.scans]
        for widget in above:
            column.addWidget(widget)
        column.addLayout(row)
        column.addWidget(self.picture)
        self.problems.currentItemChanged.connect(self._on_problem_chosen)
        self.scans.currentItemChanged.connect(self._on_scan_chosen)
        self.scans.itemActivated.connect(self._on_scan_activated)
        self.scans.itemDoubleClicked.connect(self._on_scan_activated)
        self.show_scan.clicked.connect(self._on_scan_activated)
        self.hide()

    def show_looked(self, looked: Looked | None) -> None:
        """Show a cohort as it was found; nothing for None."""
        if looked is self._looked:
            return
        self._looked = looked
        self.setVisible(looked is not None)
        self.problems.clear()
        self.scans.clear()
        if looked is None:
            return
        n_usable = sum(row.usable for row in looked.rows)
        simulated = " Simulated: nobody was scanned." if looked.simulated else ""
        self.summary.setText(f"{n_usable} of {len(looked.rows)} scans can be used. {looked.sentence}{simulated}")
        self.summary.show()
        for problem in looked.problems:
            self.problems.addItem(_of_problem(problem))
        self.problems.setVisible(bool(looked.problems))
        has_pictures = any(row.thumbnail is not None for row in looked.rows)
        for row in looked.rows:
            self.scans.addItem(_of_scan(row, has_pictures=has_pictures))
        self.follow_theme()
        self._size_problems()
        self._on_scan_chosen()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """GUI thread; sentences break elsewhere."""
        super().resizeEvent(event)
        self._size_problems()
        self._on_scan_chosen()

    def _size_problems(self) -> None:
        listed: Any = self.problems  # PyQt's types do not know this
        listed.doItemsLayout()
        rows = (self.problems.visualItemRect(self.problems.item(row)) for row in range(self.problems.count()))
        height = sum(rect.height() for rect in rows) + 2 * self.problems.frameWidth() + 4
        self.problems.setFixedHeight(min(height, _MOST_PROBLEMS_HEIGHT))

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        colours = colours_of(self._viewer)
        of_severity = {Severity.STOPS: colours.error, Severity.LEAVES_OUT: colours.warning}
        for place in range(self.problems.count()):
            item = self.problems.item(place)
            assert item is not None
            severity = item.data(_ROW).get("severity", "")
            item.setForeground(QColor(of_severity.get(severity, colours.text)))
        for place in range(self.scans.count()):
            item = self.scans.item(place)
            assert item is not None
            item.setForeground(QColor(colours.text if item.data(_ROW).usable else colours.warning))

    @property
    def chosen(self) -> LookedRow | None:
        """The selected scan."""
        item = self.scans.currentItem()
        found: LookedRow | None = item.data(_ROW) if item is not None else None
        return found

    def _on_problem_chosen(self) -> None:
        """GUI thread. The scan that a problem is about is shown too."""
        item = self.problems.currentItem()
        whose = item.data(_ROW).get("subject", "") if item is not None else ""
        for place in range(self.scans.count()):
            scan = self.scans.item(place)
            assert scan is not None
            if whose and _name(scan.data(_ROW)) == whose:
                self.scans.setCurrentItem(scan)
                return

    def _on_scan_chosen(self) -> None:
        """GUI thread."""
        row = self.chosen
        self.show_scan.setEnabled(row is not None and bool(row.image))
        self.sentence.setText("" if row is None else row.problem)
        self.sentence.setVisible(bool(self.sentence.text()))
        self._show_picture(row.picture if row is not None else None)

    def _show_picture(self, path: Path | None) -> None:
        """What is wrong with how a scan lies, as wide as the dock; the tooltip has it as large as it is."""
        picture = QPixmap(str(path)) if path is not None else QPixmap()
        self.picture.setVisible(not picture.isNull())
        if not picture.isNull():
            width = min(self.scans.width(), picture.width())
            self.picture.setPixmap(picture.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation))
            self.picture.setToolTip(f'<img src="{escape(str(path))}">')

    def _on_scan_activated(self) -> None:
        """GUI thread."""
        row = self.chosen
        if row is not None and row.image:
            self.scan_wanted.emit(row)


def _of_problem(problem: Mapping[str, str]) -> QListWidgetItem:
    line = f"line {problem['line']}: " if problem.get("line") else ""
    item = QListWidgetItem(f"{line}{problem.get('sentence', '')}")
    item.setData(_ROW, dict(problem))
    item.setToolTip(f"{problem.get('problem', '')} ({problem.get('severity', '')})")
    return item


def _of_scan(row: LookedRow, *, has_pictures: bool) -> QListWidgetItem:
    state = "" if row.usable else "\nleft out"
    item = QListWidgetItem(f"{_name(row)}\n{row.label or 'no label'}{state}")
    item.setData(_ROW, row)
    item.setToolTip(row.problem or row.image)
    if not has_pictures:
        return item
    picture = QPixmap(str(row.thumbnail)) if row.thumbnail is not None else QPixmap()
    if picture.isNull():
        picture = QPixmap(_PICTURE)  # so that names stand below each other
        picture.fill(Qt.GlobalColor.black)
    item.setIcon(QIcon(picture))
    return item


def _name(row: LookedRow) -> str:
    return f"{row.subject} {row.session}".strip()
