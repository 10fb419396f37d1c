"""Maps over their scans in napari's grid, beside the plain scan: one slice, one zoom, one scale for all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer

from napari_mritransfer.widgets.board_layout import bring_first
from napari_mritransfer.widgets.grid_board import GridBoard
from napari_mritransfer.widgets.layers import KEY, LayerTuple
from napari_mritransfer.widgets.view_state import Stack

if TYPE_CHECKING:
    from napari.viewer import Viewer

VOLUME, MAP = "volume", "map"  # the roles of layers
_LAYERS_PER_CELL = 2


class PairedBoard(GridBoard):
    """Cells of a scan and, over it, a map. GUI thread only.

    A board adds its pairs between `come` and `stand`, and answers `texts`.

    Parameters
    ----------
    viewer
        Where to build it.
    stack
        The slices of its images.
    extent_mm
        Size of its images along slice, y, x.
    grey
        Lower and upper end of the scans' grey levels.
    opacity
        Of the maps; 0 hides them.
    """

    def __init__(
        self, viewer: "Viewer", stack: Stack, extent_mm: tuple[float, float, float], *, grey: tuple[float, float],
        opacity: float,
    ) -> None:  # fmt: skip
        super().__init__(viewer, stack, extent_mm, layers_per_cell=_LAYERS_PER_CELL)
        self._window = grey
        self._maps: dict[Image, Image] = {}
        self._opacity = opacity

    def texts(self, shown: Sequence[Image], width: float) -> tuple[list[str], int]:
        """What stands in these cells of that width in pixels, and in which type size."""
        raise NotImplementedError

    def add_pair(self, volume: LayerTuple, its_map: LayerTuple) -> Image:
        """Another cell, right of the others."""
        image = self._add(volume)
        self.captions.prepare(image)
        self._maps[image] = self._add(its_map)
        return image

    def stand(self, first: Image | None = None) -> None:
        """All cells are there."""
        self.window, self.opacity = self._window, self._opacity
        super().stand(first or next(iter(self._maps)))

    @property
    def cells(self) -> list[Image]:
        """All layers that are there, each scan before its map, from left to right."""
        there = self.in_order([*self._maps, *self._maps.values()])
        return [layer for volume in there if volume in self._maps for layer in (volume, self._maps[volume])]

    @property
    def window(self) -> tuple[float, float]:
        """Lower and upper end of the scans' grey levels."""
        return self._window

    @window.setter
    def window(self, limits: tuple[float, float]) -> None:
        self._window = (float(limits[0]), float(limits[1]))
        self._give(self._maps, "contrast_limits", self._window)

    @property
    def opacity(self) -> float:
        """Of the maps, from 0 (hidden) to 1."""
        return self._opacity

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        self._opacity = float(opacity)
        self._give(self._maps.values(), "opacity", self._opacity)

    @property
    def scale(self) -> tuple[float, float]:
        """Lower and upper end of the maps' colours."""
        limits = next(iter(self._maps.values())).contrast_limits
        return float(limits[0]), float(limits[1])

    def forget_cells(self) -> None:
        """The layers are gone."""
        self._maps.clear()

    # ------------------------------------------------------------------ what happens to the layers

    def settle(self, there: set[Any]) -> None:
        """GUI thread. A scan and its map go together, side by side in front of all other layers."""
        self.is_busy = True
        whole = {one: its_map for one, its_map in self._maps.items() if one in there and its_map in there}
        self.remove([layer for pair in self._maps.items() if pair[0] not in whole for layer in pair])
        self._maps = whole
        if self._maps:
            # napari counts all layers, hidden ones too, when it puts neighbours into a cell
            bring_first(self.viewer.layers, self.cells)
            shown = [volume for volume in self.in_order(self._maps) if volume.visible]
            self.layout.arrange(len(shown))
            self.captions.write(shown, *self.texts(shown, self.layout.cell_width))
        self.is_busy = False
        if self._maps:
            self.changed.emit()
        else:
            self.leave()

    def watched(self, cell: Image) -> list[tuple[Any, Any]]:
        """Its visibility and its looks."""
        events: Any = cell.events
        looks = ("contrast_limits", "colormap", "gamma", "opacity")
        return [(events.visible, self._on_visible_changed), *((events[name], self._on_look_changed) for name in looks)]

    def _on_visible_changed(self, event: Any) -> None:
        """GUI thread. A scan is hidden together with its map."""
        if self.is_busy:
            return
        self.is_busy = True
        for pair in self._maps.items():
            if event.source in pair:
                for layer in pair:
                    layer.visible = event.source.visible
        self.is_busy = False
        self.settle_soon()

    def _on_look_changed(self, event: Any) -> None:
        """GUI thread. What is done to one scan or one map is done to all: else they cannot be compared."""
        if self.is_busy:
            return
        name, value = event.type, getattr(event.source, event.type)
        is_map = event.source in self._maps.values()
        if name == "opacity" and is_map:
            self._opacity = float(value)
        if name == "contrast_limits" and not is_map:
            self._window = (float(value[0]), float(value[1]))
        self._give(self._maps.values() if is_map else self._maps, name, value)

    def _give(self, layers: Any, name: str, value: Any) -> None:
        was_busy, self.is_busy = self.is_busy, True
        for layer in layers:
            setattr(layer, name, value)
        self.is_busy = was_busy
        self.changed.emit()

    def _add(self, cell: LayerTuple) -> Image:
        image = Layer.create(*cell)
        if image.metadata[KEY]["role"] == MAP:  # a place may count many times more than the scale shows
            image.contrast_limits_range = (0.0, max(image.contrast_limits[1], float(image.data.max())))
        self.viewer.layers.insert(2 * len(self._maps) + (image.metadata[KEY]["role"] == MAP), image)
        self.follow(image)
        return image
