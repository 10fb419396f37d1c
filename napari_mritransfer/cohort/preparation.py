"""A scan on its way to a network: onto the common grid, normalised, and everything that was done said."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.grid import CODES, Grid
from napari_mritransfer.cohort.placement import Placement, place, voxels_of
from napari_mritransfer.cohort.resampling import as_copy, resample, smoothing
from napari_mritransfer.cohort.tissue import background_of, tissue_of
from napari_mritransfer.io import Axes, Origin, Scan, load
from napari_mritransfer.io.errors import BadInput

Normalisation = Literal["z-score", "z-score-tissue", "percentile", "mean"]
Mask = Literal["none", "air"]

_MOST_BELOW_ZERO = 0.1  # of what is above: sharpening and noise leave less, standardised images more
_COARSE = 1.5  # voxels so many times coarser than the grid are worth a word
_CHOICES = {"normalisation": get_args(Normalisation), "mask": get_args(Mask), "placement": get_args(Placement)}


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to every scan of a cohort.

    Attributes
    ----------
    spacing_mm
        Of the common grid, see `Grid`.
    normalisation
        "z-score": mean and population standard deviation of all voxels, background included, as published;
        "z-score-tissue": those of the tissue; "percentile": the smallest value to 0 and the 99.9th percentile to 1;
        "mean": divided by the mean of all voxels of the whole grid, as published for SFCN.
    mask
        "air" sets what is no tissue to the background's value before normalising; "none", as published, does not.
    placement
        "world" trusts the file's affine to be aligned to the template; "centre" takes its directions only, and moves
        the middle of the tissue to the middle of the grid unless the file says that it is in a template's space.
    """

    spacing_mm: float = 2.0
    normalisation: Normalisation = "z-score"
    mask: Mask = "none"
    placement: Placement = "world"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        Grid(self.spacing_mm)
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise BadInput(f"There is no {name} '{getattr(self, name)}'; choose one of: {', '.join(known)}.")

    @property
    def grid(self) -> Grid:
        """The common grid."""
        return Grid(self.spacing_mm)

    def as_record(self) -> dict[str, Any]:
        """All fields as JSON takes them; ``Preparation(**record)`` reads them."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A scan as the network sees it, and the way back.

    Attributes
    ----------
    array
        ``(i, j, k)`` float32 on the common grid, normalised.
    raw
        The same before normalisation, in the scan's unit.
    tissue
        ``(i, j, k)`` bool, where `raw` shows tissue.
    grid
        The common grid.
    said
        What was done, one sentence each.
    name
        The scan's.
    simulated
        Whether the file says that its numbers are simulated.
    scan_shape
        Voxels of the scan's file along its i, j, k.
    scan_axes
        From the file's order to the scan's.
    to_grid
        ``(4, 4)`` from the file's voxel indices to the grid's.
    """

    array: NDArray[np.float32]
    raw: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    grid: Grid
    said: tuple[str, ...]
    name: str
    simulated: bool
    scan_shape: tuple[int, int, int]
    scan_axes: Axes
    to_grid: NDArray[np.float64]

    @property
    def affine(self) -> NDArray[np.float64]:
        """``(4, 4)`` voxel-to-world of the common grid, RAS+ mm."""
        return self.grid.affine


def prepare(source: str | Path | Scan, preparation: Preparation = Preparation()) -> Prepared:
    """Bring one scan to the common grid and normalise it.

    The affine alone decides where a voxel goes: no registration, nothing reoriented beyond that. A scan that lies on
    the grid already, in whatever order and direction its axes are stored, is copied bit for bit; any other is
    interpolated once, linearly, behind a Gaussian along axes that are finer than the grid.

    Parameters
    ----------
    source
        A scan, or the path of anything that `io.load` reads.
    preparation
        What to do.

    Raises
    ------
    BadInput
        In one sentence, if the file cannot be read, does not say how it lies in the patient, lies outside the grid,
        or holds one value only.
    """
    scan = source if isinstance(source, Scan) else load(source)
    grid = preparation.grid
    said: list[str] = []
    volume = _one_volume(scan, said)
    if volume.min() == volume.max():
        raise BadInput(f"{_name(scan)} holds one value everywhere, so there is nothing to see; choose another image.")
    mapping = place(scan, volume, grid, preparation.placement, said)
    raw = _on_grid(scan, volume, mapping, grid, said)
    tissue = tissue_of(raw)
    if not tissue.any():
        raise BadInput(f"Nothing of {_name(scan)} lies within the common grid; align it, or use placement 'centre'.")
    if preparation.mask == "air":
        raw = np.where(tissue, raw, np.float32(background_of(raw)))
        said.append(f"What is no tissue ({1 - tissue.mean():.0%} of the grid) was set to the background's value.")
    array = _normalised(raw, tissue, preparation.normalisation, _name(scan), said)
    i, j, k = volume.shape
    return Prepared(
        array, raw, tissue, grid, tuple(said), _name(scan), scan.origin is Origin.SIMULATED, (i, j, k), scan.axes,
        np.asarray(np.linalg.inv(mapping), dtype=np.float64),
    )  # fmt: skip


def to_scan_grid(values: NDArray[np.floating[Any]], prepared: Prepared, *, outside: float = 0.0) -> NDArray[np.float32]:
    """A map on the common grid, seen on the scan's own voxels; for overlays and exports.

    Parameters
    ----------
    values
        ``(i, j, k)`` on the common grid.
    prepared
        The scan that the map belongs to.
    outside
        Value of the scan's voxels beyond the grid.

    Returns
    -------
    map
        ``(1, slice, y, x)``, as `Scan.with_image` takes it; copied where the scan lies on the grid, else linearly
        interpolated.

    Raises
    ------
    ValueError
        If the map is not on the grid.
    """
    if values.shape != prepared.grid.shape:
        raise ValueError(f"The map is {values.shape}, but the common grid {prepared.grid.shape}; give one on the grid.")
    mapped = resample(np.asarray(values, dtype=np.float32), prepared.to_grid, prepared.scan_shape, outside=outside)
    return np.ascontiguousarray(prepared.scan_axes.to_scan(mapped))


def _one_volume(scan: Scan, said: list[str]) -> NDArray[np.float32]:
    """The scan's first frame as a magnitude, in its file's (i, j, k)."""
    frames = scan.image.shape[0]
    image = np.asarray(scan.image[0])[np.newaxis]  # of raw data, one frame is computed here
    volume = scan.axes.to_file(image)
    sizes = " x ".join(f"{size:.3g}" for size in voxels_of(scan))
    said.append(
        f"{_name(scan)} has {' x '.join(str(size) for size in volume.shape)} voxels of {sizes} mm, stored "
        f"{'-'.join(scan.axes.codes)}."
    )
    if frames > 1:
        said.append(f"It has {frames} frames: the first one is used.")
    if np.iscomplexobj(volume):
        said.append("It is complex: its magnitude is used.")
        volume = np.abs(volume)
    return np.asarray(volume, dtype=np.float32)


def _on_grid(
    scan: Scan, volume: NDArray[np.float32], mapping: NDArray[np.float64], grid: Grid, said: list[str]
) -> NDArray[np.float32]:
    target = f"{' x '.join(str(size) for size in grid.shape)} voxels of {grid.spacing_mm:g} mm, {'-'.join(CODES)}"
    if as_copy(mapping, grid.shape) is not None:
        how = "" if scan.axes.codes == CODES else f" from {'-'.join(scan.axes.codes)} to {'-'.join(CODES)}"
        said.append(f"Its voxels lie on the common grid ({target}): they were copied{how}, none was interpolated.")
        return resample(volume, mapping, grid.shape, outside=background_of(volume))
    voxel_mm = voxels_of(scan)
    smooth = smoothing(voxel_mm, grid.spacing_mm)
    if smooth.any():
        widths = ", ".join(
            f"{np.sqrt(grid.spacing_mm**2 - size**2):.2g} mm along {axis}"
            for axis, size, sigma in zip("ijk", voxel_mm, smooth, strict=True)
            if sigma
        )
        said.append(
            f"Its voxels are finer than the grid's: a Gaussian (full width at half maximum {widths}) averaged them "
            "first, so that none is skipped."
        )
    said.append(f"It was interpolated once, linearly, by its affine to the common grid ({target}).")
    coarse = max(voxel_mm)
    if coarse > _COARSE * grid.spacing_mm:
        said.append(f"Its voxels of {coarse:.3g} mm are coarser than the grid's: what lies between was not measured.")
    if scan.axes.obliquity_deg >= 1:
        said.append(f"It is oblique by {scan.axes.obliquity_deg:.1f}°, and was turned to the grid's axes on the way.")
    return resample(volume, mapping, grid.shape, smooth=smooth, outside=background_of(volume))


def _normalised(
    raw: NDArray[np.float32], tissue: NDArray[np.bool_], how: Normalisation, name: str, said: list[str]
) -> NDArray[np.float32]:
    if how == "percentile":
        low, high = float(raw.min()), float(np.quantile(raw, 0.999))
        centre, width = low, high - low
        said.append(f"Normalised: {low:.4g} became 0 and the 99.9th percentile, {high:.4g}, became 1.")
    elif how == "mean":
        centre, width = 0.0, float(raw.mean(dtype=np.float64))
        below = -float(raw[raw < 0].sum(dtype=np.float64))
        if below > _MOST_BELOW_ZERO * float(raw[raw > 0].sum(dtype=np.float64)):
            raise BadInput(
                f"{name} has many negative values, so that dividing by its mean means nothing; choose the image before "
                "it was standardised."
            )
        said.append(f"Normalised: divided by the mean of all voxels of the whole grid ({width:.4g}).")
    else:
        values = raw if how == "z-score" else raw[tissue]
        centre, width = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
        where = "all voxels, background included," if how == "z-score" else "tissue voxels"
        said.append(f"Normalised: the mean of {where} ({centre:.4g}) became 0, the standard deviation ({width:.4g}) 1.")
    if not width > 0:
        raise BadInput(f"{name} holds one value wherever it would be normalised; choose another normalisation.")
    return np.asarray((raw - np.float32(centre)) / np.float32(width), dtype=np.float32)


def _name(scan: Scan) -> str:
    return scan.name or "The scan"
