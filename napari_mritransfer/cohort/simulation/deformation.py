"""The maps of one subject put together: where every voxel of its image takes its signal from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.simulation.draws import Anatomy
from napari_mritransfer.cohort.simulation.focal import FocalWarp
from napari_mritransfer.cohort.simulation.geometry import Box, Geometry
from napari_mritransfer.cohort.simulation.widening import LineWidening, velocity, widen

# what the smooth warp and the focal warps may move beside the pose, so that no voxel is missed
_SMOOTH_REACH, _FOCAL_MARGIN_MM = 4.5, 5.0


@dataclass(frozen=True)
class Deformation:
    """Where voxels come from, and how far each cause moved them.

    Attributes
    ----------
    positions
        ``(3, i, j, k)`` float32: world coordinates in the head that the subject is made of, mm.
    age_mm, focal_mm
        ``(i, j, k)`` float32: length of what ventricles and focal warps displace; exactly 0 where they do nothing.
    disease_reach_mm
        ``(i, j, k)`` float32: what the disease displaces or would displace in this subject.
    age_reach
        ``(i, j, k)`` float32: the same for ventricles that widen by 1 mm.
    """

    positions: NDArray[np.float32]
    age_mm: NDArray[np.float32]
    focal_mm: NDArray[np.float32]
    disease_reach_mm: NDArray[np.float32]
    age_reach: NDArray[np.float32]


def deform(anatomy: Anatomy, geometry: Geometry) -> Deformation:
    """Compose voxel → smooth warp → pose → focal warps → ventricles → head."""
    positions = geometry.positions()
    positions += anatomy.smooth.on_grid(geometry.distances_mm())
    positions = anatomy.pose(positions.reshape(3, -1)).reshape(positions.shape)
    finder = _Finder(anatomy, geometry)
    is_diseased = anatomy.disease[0] in anatomy.focal
    disease_reach, focal = np.zeros((2, *geometry.shape), dtype=np.float32)
    for warp in anatomy.disease:
        _focal(positions, warp, finder, disease_reach, move=is_diseased)
    if is_diseased:
        focal += disease_reach
    for warp in anatomy.focal:
        if warp not in anatomy.disease:
            _focal(positions, warp, finder, focal, move=True)
    age, age_reach = _ventricles(positions, anatomy.ventricles, finder)
    return Deformation(positions, age, focal, disease_reach, age_reach)


@dataclass(frozen=True)
class _Finder:
    """Finds the voxels that something in the head can reach, so that only they are looked at."""

    anatomy: Anatomy
    geometry: Geometry

    def box(self, points_mm: NDArray[np.float64], margin_mm: float) -> Box:
        there = np.stack([self.anatomy.pose.inverse(point) for point in points_mm])
        stretch = float(np.linalg.norm(np.linalg.inv(self.anatomy.pose.matrix), 2))
        return self.geometry.box_about(there, margin_mm * stretch + _SMOOTH_REACH * self.anatomy.smooth.rms_mm)


def _focal(
    positions: NDArray[np.float32], warp: FocalWarp, finder: _Finder, displaced: NDArray[np.float32], *, move: bool
) -> None:
    """Add the length of what the warp does to `displaced`, and do it to `positions` if it is to `move` them."""
    box = finder.box(np.array([warp.centre_mm]), warp.radius_mm + _FOCAL_MARGIN_MM)
    here = positions[:, *box]
    before = here.reshape(3, -1)
    after = before.copy()
    warp.displace(after)
    displaced[box] += np.linalg.norm(after - before, axis=0).reshape(here.shape[1:])
    if move:
        positions[:, *box] = after.reshape(here.shape)


def _ventricles(
    positions: NDArray[np.float32], ventricles: tuple[LineWidening, LineWidening], finder: _Finder
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    radius = ventricles[0].radius_mm
    box = finder.box(np.concatenate([one.line_mm for one in ventricles]), radius + _FOCAL_MARGIN_MM)
    here = positions[:, *box]
    before = here.reshape(3, -1)
    after = before.copy()
    widen(after, ventricles)
    moved, reach = np.zeros(positions.shape[1:], np.float32), np.zeros(positions.shape[1:], np.float32)
    moved[box] = np.linalg.norm(after - before, axis=0).reshape(here.shape[1:])
    by_a_millimetre = tuple(LineWidening(one.line_mm, 1.0, radius) for one in ventricles)
    reach[box] = np.linalg.norm(velocity(before, by_a_millimetre), axis=0).reshape(here.shape[1:])
    positions[:, *box] = after.reshape(here.shape)
    return moved, reach
