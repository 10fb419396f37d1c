"""Networks that look at the same scans: on one grid, and cutting them as they are asked to."""

import copy
from collections.abc import Sequence
from dataclasses import replace

from napari_mritransfer.cohort.grid import SLICINGS, Grid, axis_of
from napari_mritransfer.cohort.model import CohortModel
from napari_mritransfer.io.errors import BadInput


def cut(model: CohortModel, slicing: str | None) -> CohortModel:
    """The model for slices of another direction; itself if `slicing` is None or its own.

    Raises
    ------
    BadInput
        If the network has position codes, which belong to its own slices, or there is no such slicing.
    """
    network = model.network
    if slicing is None or slicing == network.slicing:
        return model
    axis_of(slicing)  # refuses what is none
    if network.encoder_2d.position_encoder is not None:
        raise BadInput(
            f"{model.title} has a position code for each {network.slicing} slice, so it cannot look at {slicing} ones; "
            f"choose {network.slicing}, or a network without position codes."
        )
    turned = copy.deepcopy(network)
    turned.slicing = next(one for one in SLICINGS if one == slicing)
    turned.n_slices = network.grid[axis_of(slicing)]
    note = f"{model.title} learned from {network.slicing} slices; {slicing} ones are new to it."
    return replace(
        model, network=turned, notes=(*model.notes, note), facts=replace(model.facts, mean_attention=())
    )  # fmt: skip


def common_grid(models: Sequence[CohortModel]) -> Grid:
    """The grid that all of them take.

    Raises
    ------
    BadInput
        If there is none.
    """
    grid = models[0].facts.preparation.grid
    for model in models:
        own = model.facts.preparation.grid
        if own.shape != model.network.grid:
            sizes = " × ".join(map(str, model.network.grid))
            raise BadInput(
                f"{model.title} takes volumes of {sizes} voxels, which is no common grid of {own.spacing_mm:g} mm; it "
                "cannot be used here."
            )
        if own != grid:
            raise BadInput(
                f"{models[0].title} looks at a grid of {grid.spacing_mm:g} mm and {model.title} at one of "
                f"{own.spacing_mm:g} mm; let them look one after the other."
            )
    return grid
