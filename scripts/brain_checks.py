"""What the brain check says of real brains and heads, and of the same spoiled in every way; and a sheet of pictures.

    python scripts/brain_checks.py DATA [--average FILE] [--quick] [--pictures FILE]

DATA is the folder that holds ``brain_ms/``. FILE is the skull-stripped average of ICBM 2009a, if at hand. Prints how
often each finding was made; ten minutes on one core, or two with ``--quick``, which only tries what is not spoiled.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.brain import check_brain
from napari_mritransfer.cohort.brain_picture import brain_picture
from napari_mritransfer.cohort.brain_template import MNI_CENTRE_MM
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation, Prepared, prepare
from napari_mritransfer.cohort.reuse.thumbnail import save_picture
from napari_mritransfer.io import Scan
from napari_mritransfer.io.errors import BadInput

HEADS = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "heads"
Volume = NDArray[np.float32]
Affine = NDArray[np.float64]


def read(path: Path) -> tuple[Volume, Affine]:
    file = nibabel.load(path)
    return np.asarray(file.dataobj, dtype=np.float32), file.affine


def prepared(volume: Volume, affine: Affine, spacing_mm: float = 2.0, name: str = "") -> Prepared:
    scan = Scan.from_file_order(np.ascontiguousarray(volume), affine, name=name)
    return prepare(scan, Preparation(spacing_mm, "mean"))


def brains(data: Path, average: Path | None) -> Iterator[tuple[str, Volume, Affine]]:
    """Registered brains, and those of the shipped heads: within somebody's mask, and by their own outline."""
    for contrast in ("T1W", "T2W", "FLAIR"):
        yield contrast, *read(data / "brain_ms" / "paired_mni" / f"{contrast}.nii.gz")
    if average is not None:
        yield "average", *read(average)
    registered, _ = read(data / "brain_ms" / "paired_mni" / "T1W.nii.gz")
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(registered > 0, iterations=2))
    for margin_mm in (0, 2, 4):
        mask = ndimage.binary_dilation(inside, iterations=margin_mm) if margin_mm else inside
        for path in sorted(HEADS.glob("*.nii.gz")):
            volume, affine = read(path)
            yield f"{path.name} within {margin_mm} mm", volume * mask[::2, ::2, ::2], affine
    wide = ndimage.binary_dilation(inside, iterations=10)[::2, ::2, ::2]
    for path in sorted(HEADS.glob("patient*.nii.gz")):
        volume, affine = read(path)
        yield f"{path.name} by its outline", volume * outline(volume * wide), affine


def outline(volume: Volume) -> NDArray[np.bool_]:
    """The largest bright lump, opened to part it from the scalp: good enough a brain extraction for these heads."""
    bright = volume > 0.5 * np.quantile(volume[volume > 0], 0.9)
    lumps, _ = ndimage.label(ndimage.distance_transform_edt(bright) * 2 > 4)
    core = lumps == np.bincount(lumps.ravel())[1:].argmax() + 1
    near = bright & (ndimage.distance_transform_edt(~core) * 2 <= 6)
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(near, iterations=3)))


def spoiled(volume: Volume, affine: Affine) -> Iterator[tuple[str, Volume, Affine]]:
    step = 2 if volume.shape[0] > 100 else 1
    volume, affine = volume[::step, ::step, ::step], affine @ np.diag([step, step, step, 1.0])
    for axis, millimetres in product(range(3), (-20, -12, 12, 20)):
        moved = affine.copy()
        moved[axis, 3] += millimetres
        yield f"moved by {abs(millimetres)} mm", volume, moved
    for size in (0.8, 1.3):
        change = np.diag([size, size, size, 1.0])
        change[:3, 3] = np.array(MNI_CENTRE_MM) * (1 - size)
        yield f"scaled by {size}", volume, change @ affine
    on_grid = prepared(volume, affine).raw
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        if order == (0, 1, 2) and signs[1:] == (1, 1):
            continue
        turned = on_grid.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
        about = np.diag([-2.0, 2.0, 2.0, 1.0])
        about[:3, 3] = MNI_CENTRE_MM - about[:3, :3] @ ndimage.center_of_mass(turned > 0.1 * turned.max())
        yield "axes in another order or direction", turned, about


def heads(data: Path) -> Iterator[tuple[str, Prepared]]:
    for path in sorted(HEADS.glob("*.nii.gz")):
        for spacing_mm in (1.0, 2.0, 3.0):
            yield "shipped heads", prepare(path, Preparation(spacing_mm, "mean"))
    for path in sorted((data / "brain_ms").glob("patient*/*.nii.gz")):
        for placement in ("world", "centre"):
            yield f"raw heads, placed by {placement}", prepare(path, Preparation(2.0, "mean", placement=placement))


def count(data: Path, average: Path | None, *, quick: bool) -> None:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for _, volume, affine in brains(data, average):
        for spacing_mm in (1.0, 2.0, 3.0):
            found["brains"][check_brain(prepared(volume, affine, spacing_mm)).kind] += 1
        for how, other, lies in () if quick else spoiled(volume, affine):
            try:
                found[how][check_brain(prepared(other, lies)).kind] += 1
            except BadInput:
                found[how]["cannot be prepared"] += 1
    for how, one in heads(data):
        found[how][check_brain(one).kind] += 1
    for how, kinds in found.items():
        print(f"| {how} | {', '.join(f'{number} {kind}' for kind, number in kinds.most_common())} |")


def draw(data: Path, path: Path) -> None:
    volume, affine = read(HEADS / "patient04.nii.gz")
    registered, _ = read(data / "brain_ms" / "paired_mni" / "T1W.nii.gz")
    brain = volume * outline(volume * ndimage.binary_dilation(registered > 0, iterations=10)[::2, ::2, ::2])
    low = Grid(2.0).affine
    low[2, 3] -= 18
    ones = [
        prepared(brain, affine, name="sub-01"), prepared(volume, affine, name="sub-02"),
        prepared(brain[:, :, ::-1], affine, name="sub-03"), prepared(brain, low, name="sub-04"),
    ]  # fmt: skip
    pictures = [brain_picture(one, check_brain(one)) for one in ones]
    save_picture(np.concatenate([np.concatenate(pictures[row : row + 2], axis=1) for row in (0, 2)]), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--average", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    if arguments.pictures is not None:
        draw(arguments.data, arguments.pictures)
    else:
        count(arguments.data, arguments.average, quick=arguments.quick)


if __name__ == "__main__":
    main()
