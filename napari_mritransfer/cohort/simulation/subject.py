"""One simulated subject: a head, deformed and interpolated once, seen through a scanner."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.simulation.deformation import deform
from napari_mritransfer.cohort.simulation.draws import Stream, draw_anatomy, stream
from napari_mritransfer.cohort.simulation.geometry import Geometry
from napari_mritransfer.cohort.simulation.heads import Head, load_head
from napari_mritransfer.cohort.simulation.scanner import draw_scanner, scan
from napari_mritransfer.cohort.simulation.settings import USUAL, Effects, checked_age
from napari_mritransfer.cohort.simulation.truth import Truth, gather


def simulate_subject(
    head: Head | str,
    *,
    age: float,
    diseased: bool,
    seed: int,
    site: str,
    number: int = 0,
    spacing_mm: float = 2.0,
    effects: Effects = USUAL,
    geometry: Geometry | None = None,
    with_scanner: bool = True,
) -> tuple[NDArray[np.float32], Truth]:
    """Simulate a T1-weighted scan of somebody of a known age, healthy or diseased.

    Parameters
    ----------
    head
        Whose head, or the name of a shipped one.
    age
        Years.
    diseased
        Whether both hippocampal regions are shrunken.
    seed, number
        What all chance depends on; subjects of a cohort share the seed and differ in number.
    site
        Simulated scanner: A, B or C.
    spacing_mm
        Of the common grid.
    effects
        How large everything is.
    geometry
        Another grid than the common one.
    with_scanner
        Without, the deformed head itself: white matter about 1, no noise.

    Returns
    -------
    image
        ``(i, j, k)`` float32, not negative.
    truth
        What was done, and the slices that it changed.

    Raises
    ------
    BadInput
        If there is no such head or site, or an age or a size cannot be simulated.
    """
    one = load_head(head) if isinstance(head, str) else head
    where = Geometry.of(Grid(spacing_mm)) if geometry is None else geometry
    age = checked_age(age)
    scanner = draw_scanner(site, stream(Stream.SCANNER, seed, number))
    anatomy = draw_anatomy(one, age=age, diseased=diseased, seed=seed, number=number, effects=effects)
    deformation = deform(anatomy, where)
    image = interpolate(one, deformation.positions)
    if with_scanner:
        image = scan(image, scanner, where.spacing_mm, stream(Stream.NOISE, seed, number))
    truth = gather(
        anatomy, deformation, scanner, where,
        head=one.name, head_role=one.role, age=age, diseased=diseased, seed=seed, number=number,
    )  # fmt: skip
    return image, truth


def interpolate(head: Head, positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The head's signal at world positions, by cubic splines; the one interpolation of a simulated image.

    Parameters
    ----------
    head
        Whose signal.
    positions
        ``(3, i, j, k)`` mm.

    Returns
    -------
    image
        ``(i, j, k)`` float32, not negative; exactly 0 in air.
    """
    matrix = head.to_voxels.astype(np.float32)
    places = matrix[:3, :3] @ positions.reshape(3, -1) + matrix[:3, 3:]
    nearest = np.rint(places).astype(np.int32)
    inside = np.all((nearest >= 0) & (nearest < np.array(head.voxels.shape)[:, None]), axis=0)
    reached = np.flatnonzero(inside)
    reached = reached[head.within_reach[tuple(nearest[:, reached])]]
    image = np.zeros(places.shape[1], dtype=np.float32)
    values = ndimage.map_coordinates(head.spline, places[:, reached], order=3, prefilter=False, output=np.float32)
    image[reached] = np.maximum(values, 0)  # splines undershoot beside bright fat
    return image.reshape(positions.shape[1:])
