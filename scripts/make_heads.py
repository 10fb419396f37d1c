"""Make the heads that simulated cohorts are warped from: real T1-weighted volumes on the common 2 mm grid.

    python scripts/make_heads.py DATA

DATA is the folder that holds ``brain_ms/`` and ``brain_t1_studyforrest/``. Each volume is smoothed where its voxels are
smaller than the grid's, interpolated once (cubic splines), scaled so that white matter is 150 of 255, and set to 0
in air. Alignments come from ``align_heads.py``; centre lines of the ventricles and the hippocampi were read off
axial and coronal slices at 1 mm. Last, all heads' ventricles are measured, and what each has to be widened by to hold
the same volume is stored beside it.
"""

import argparse
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.simulation.geometry import Geometry
from napari_mritransfer.cohort.simulation.heads import TEST_ONLY, TRAINING, VALIDATION, Head
from napari_mritransfer.cohort.simulation.pose import rotation
from napari_mritransfer.cohort.simulation.subject import interpolate
from napari_mritransfer.cohort.simulation.widening import LineWidening, along, widen
from napari_mritransfer.io.atomic import write_bytes, write_text

OUT = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "heads"
FILES = {
    "patient01": "brain_ms/patient01/study2_T1W.nii.gz",
    "patient03": "brain_ms/patient03/study2_T1W.nii.gz",
    "patient04": "brain_ms/patient04/study1_T1W.nii.gz",
    "patient12": "brain_ms/patient12/study1_T1W.nii.gz",
    "studyforrest": "brain_t1_studyforrest/dicoms.tar.xz",
}
ROLES = dict.fromkeys(FILES, TRAINING) | {"patient03": VALIDATION, "patient12": TEST_ONLY}
LESJAK = ("Lesjak et al., Neuroinformatics 2016 (open_ms_data)", "CC-BY")
HANKE = ("studyforrest, Hanke et al., Scientific Data 2014 (example-dicom-structural), defaced", "PDDL-1.0")

# shift (mm), rotations (hundredths of a radian), logarithms of scales (hundredths): MNI152 to the scanner's world
ALIGNMENTS = {
    "patient01": (-0.7, 1.7, -15.8, 30.2, -3.2, -0.9, -2.4, 0.9, 1.2),
    "patient03": (11.0, 2.9, -33.9, 43.0, -6.4, -11.9, 0.8, 4.3, 7.5),
    "patient04": (-7.1, 17.7, 13.4, 33.9, 4.1, 5.5, 9.4, 1.0, 5.4),
    "patient12": (-1.8, 3.0, 26.2, 25.3, -0.4, -1.0, -1.4, 7.9, 3.5),
    "studyforrest": (-2.7, 25.4, -0.8, 36.2, -2.0, 2.3, 9.6, 15.7, 15.5),
}
# Centre lines of the right (x > 0) and the left lateral ventricle in MNI152 mm, from the frontal horn back
VENTRICLES = {
    "patient01": (
        [(12, 23, 8), (7, 12, 13), (8, 2, 18), (11, -10, 22), (15, -22, 22), (20, -35, 17), (25, -43, 10)],
        [(-12, 23, 8), (-7, 12, 13), (-8, 2, 18), (-11, -10, 22), (-15, -22, 22), (-21, -33, 17), (-27, -43, 9)],
    ),
    "patient03": (
        [(11, 22, 6), (7, 12, 12), (7, 3, 18), (12, -8, 23), (17, -20, 23), (22, -34, 19), (25, -44, 13),
         (24, -56, 11)],
        [(-11, 22, 6), (-7, 12, 12), (-8, 3, 18), (-12, -8, 23), (-17, -20, 23), (-19, -34, 19), (-25, -44, 13),
         (-22, -58, 11)],
    ),
    "patient04": (
        [(12, 24, 6), (7, 12, 11), (8, 2, 17), (12, -9, 23), (16, -20, 23), (20, -34, 19), (25, -42, 13),
         (25, -52, 11)],
        [(-12, 24, 6), (-7, 12, 11), (-8, 2, 17), (-11, -9, 23), (-15, -20, 23), (-20, -34, 20), (-26, -45, 14),
         (-27, -50, 11)],
    ),
    "patient12": (
        [(13, 23, 9), (7, 11, 13), (7, 2, 19), (10, -8, 24), (14, -20, 24), (19, -32, 20), (25, -38, 13), (27, -46, 9)],
        [(-13, 23, 9), (-7, 11, 13), (-7, 2, 19), (-10, -8, 24), (-14, -20, 24), (-20, -33, 20), (-24, -40, 13),
         (-26, -46, 9)],
    ),
    "studyforrest": (
        [(12, 20, 8), (9, 12, 13), (9, 2, 18), (11, -8, 21), (15, -18, 22), (19, -30, 18), (24, -37, 11), (26, -42, 6)],
        [(-13, 20, 9), (-10, 10, 15), (-11, 2, 20), (-13, -10, 23), (-17, -24, 22), (-22, -37, 18), (-27, -47, 11),
         (-23, -62, 10)],
    ),
}  # fmt: skip
# The hippocampi lie alike in all of them once aligned, to within the 3 mm of a slice
FOCI = ((26, -20, -15), (-26, -20, -15))
WHITE_MATTER = 150
AIR = 0.04  # of white matter; the vendors' own masks lie below
NEAR_MM = 10.0  # of a centre line: all of the ventricle, and little of the third one and the cisterns
FWHM = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class Original:
    """A volume as it came: ``(i, j, k)`` float32 and its ``(4, 4)`` voxel-to-world affine, RAS+ mm."""

    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]


def read_original(data: Path, name: str) -> Original:
    path = data / FILES[name]
    if path.suffix == ".xz":
        return _read_dicoms(path)
    file = nibabel.load(path)
    return Original(np.asarray(file.dataobj, dtype=np.float32), file.affine)


def _read_dicoms(path: Path) -> Original:
    with tarfile.open(path) as archive:
        slices = [
            pydicom.dcmread(io.BytesIO(archive.extractfile(member).read())) for member in archive if member.isfile()
        ]
    along_row, along_column = np.array(slices[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(along_row, along_column)
    slices.sort(key=lambda one: float(normal @ np.array(one.ImagePositionPatient, dtype=float)))
    first, last = (np.array(one.ImagePositionPatient, dtype=float) for one in (slices[0], slices[-1]))
    between_rows, between_columns = (float(value) for value in slices[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0] = along_row * between_columns
    affine[:3, 1] = along_column * between_rows
    affine[:3, 2] = (last - first) / (len(slices) - 1)
    affine[:3, 3] = first
    voxels = np.stack([one.pixel_array.T for one in slices], axis=-1).astype(np.float32)
    return Original(voxels, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)  # DICOM counts to the left and back, NIfTI not


def to_original(numbers: NDArray[np.float64] | tuple[float, ...]) -> NDArray[np.float64]:
    """``(4, 4)`` from MNI152 to the scanner's world, of the nine numbers in `ALIGNMENTS`."""
    shift, angles, scales = np.array(numbers, dtype=float).reshape(3, 3)
    x, y, z = np.rad2deg(angles / 100)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation((x, y, z)) @ np.diag(np.exp(scales / 100))
    matrix[:3, 3] = shift
    return matrix


def to_common(
    original: Original, numbers: NDArray[np.float64] | tuple[float, ...], *, geometry: Geometry
) -> NDArray[np.float32]:
    """The volume on a grid in MNI152, white matter about 1, air 0; interpolated once."""
    spacing = np.linalg.norm(original.affine[:3, :3], axis=0)
    # what finer voxels hold beyond the grid's resolution would fold back into it
    step = _spacing_along(original, geometry)
    sigma = np.sqrt(np.maximum(step**2 - spacing**2, 0)) / FWHM / spacing
    smooth = ndimage.gaussian_filter(original.voxels, sigma)
    matrix = np.linalg.inv(original.affine) @ to_original(numbers) @ geometry.affine
    head = ndimage.affine_transform(smooth, matrix[:3, :3], matrix[:3, 3], output_shape=geometry.shape, order=3)
    head /= white_matter(head, geometry)
    solid, _ = ndimage.label(head > AIR)
    largest = solid == np.bincount(solid.ravel())[1:].argmax() + 1
    return np.where(ndimage.binary_fill_holes(largest), np.maximum(head, 0), 0).astype(np.float32)


def _spacing_along(original: Original, geometry: Geometry) -> NDArray[np.float64]:
    """The grid's spacing along each axis of the volume, which lies obliquely in it."""
    directions = original.affine[:3, :3] / np.linalg.norm(original.affine[:3, :3], axis=0)
    return np.sqrt((directions.T**2) @ np.array(geometry.spacing_mm) ** 2)


def white_matter(head: NDArray[np.float32], geometry: Geometry) -> float:
    """The most frequent value in the middle of the brain, well above fluid's."""
    middle = head[geometry.box_about(np.array([(-35, -60, 25), (35, 30, 40)]), 0)]
    counts, edges = np.histogram(middle, bins=128, range=(0.3 * middle.max(), middle.max()))
    return float(edges[np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 2)) + 1])


def ventricle_volume(head: Head, widening_mm: float, radius_mm: float) -> float:
    """Millilitres of fluid about the centre lines once they are widened."""
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (50, -86, -20)
    positions = Geometry((51, 70, 36), affine).positions()  # all that the ventricles can reach
    flat = positions.reshape(3, -1)
    lines = tuple(LineWidening(line, widening_mm, radius_mm) for line in head.ventricles)
    near = cKDTree(np.concatenate([along(line)[0] for line in head.ventricles])).query(flat.T)[0] < NEAR_MM
    widen(flat, lines)
    image = interpolate(head, positions).ravel()[near]
    fluid = np.percentile(image, 0.5)
    return float(np.count_nonzero(image < fluid + 0.4 * (1 - fluid)) * 8e-3)  # grey matter is brighter in all of them


def offsets(heads: list[Head], radius_mm: float) -> Iterator[float]:
    """Widening at which each head's ventricles hold the median volume of all as they are."""
    widenings = np.array([-6, -4, -3, -2, -1, 0, 1, 2, 3])
    volumes = np.array([[ventricle_volume(head, widening, radius_mm) for widening in widenings] for head in heads])
    volumes -= volumes[:, :1]  # what narrowing by 6 mm does not close is no ventricle
    common = float(np.median(volumes[:, widenings == 0]))
    for head, volume in zip(heads, volumes, strict=True):
        offset = float(np.interp(common, volume, widenings))
        print(f"{head.name}: {np.interp(0, widenings, volume):.1f} ml as it is, {common:.1f} ml at {offset:+.2f} mm")
        yield round(offset, 2)


def head_of(name: str, voxels: NDArray[np.float32], geometry: Geometry, offset: float = 0.0) -> Head:
    right, left = (np.array(line, dtype=float) for line in VENTRICLES[name])
    return Head(name, voxels, geometry.affine, ROLES[name], (right, left), np.array(FOCI, dtype=float), offset)


def write_voxels(voxels: NDArray[np.uint8], geometry: Geometry, path: Path, description: bytes) -> int:
    image = nibabel.Nifti1Image(voxels, geometry.affine)
    image.header["descrip"] = description
    image.header.set_xyzt_units("mm")
    write_bytes(path, gzip.compress(image.to_bytes(), 9, mtime=0))
    return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    OUT.mkdir(parents=True, exist_ok=True)
    geometry, heads = Geometry.of(Grid(2.0)), []
    for name, numbers in ALIGNMENTS.items():
        head = to_common(read_original(data, name), numbers, geometry=geometry)
        stored = np.minimum(np.rint(head * WHITE_MATTER), 255).astype(np.uint8)
        size = write_voxels(stored, geometry, OUT / f"{name}.nii.gz", b"real head on the MNI152 2 mm grid")
        print(f"{name}: {size / 1e6:.2f} MB, {100 * np.mean(stored == 255):.2f} % of the voxels at the ceiling")
        heads.append(head_of(name, stored.astype(np.float32) / WHITE_MATTER, geometry))
    entries = {}
    for head, offset in zip(heads, offsets(heads, radius_mm=22.0), strict=True):
        source, licence = HANKE if head.name == "studyforrest" else LESJAK
        entries[head.name] = {
            "file": f"{head.name}.nii.gz",
            "role": head.role,
            "source": f"{source}: {FILES[head.name]}",
            "licence": licence,
            "white_matter": WHITE_MATTER,
            "ventricles": {side: line.tolist() for side, line in zip(("right", "left"), head.ventricles, strict=True)},
            "foci": {side: focus.tolist() for side, focus in zip(("right", "left"), head.foci, strict=True)},
            "ventricle_offset_mm": offset,
        }
    record = {"made_by": "scripts/make_heads.py", "space": "MNI152, mm", "heads": entries}
    write_text(OUT / "heads.json", json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
