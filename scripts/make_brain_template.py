"""Makes resources/brain/brain.nii.gz: where a brain lies in MNI152 space, from one person's skull-stripped scans.

Call it as ``python scripts/make_brain_template.py FOLDER`` with the folder of T1W, T2W and FLAIR.nii.gz on the 1 mm
grid. That brain lies in MNI152 space unscaled, with 60 % of the template's volume: it is stretched along each axis to
the template's centre and spread.
"""

import sys
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from napari_mritransfer.cohort.brain_template import MNI_CENTRE_MM, MNI_SPREAD_MM, SPACING_MM
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation, prepare
from napari_mritransfer.cohort.resampling import voxel_map

OUT = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "brain" / "brain.nii.gz"


def main() -> None:
    fine = [prepare(Path(sys.argv[1]) / f"{name}.nii.gz", Preparation(1.0)).tissue for name in ("T1W", "T2W", "FLAIR")]
    share = np.mean(fine, axis=0)
    both_sides = (share + share[::-1]) / 2  # nobody's left is everybody's left
    smooth = ndimage.gaussian_filter(both_sides, SPACING_MM / 2.355)
    world = np.argwhere(both_sides > 0.5) @ Grid(1.0).affine[:3, :3].T + Grid(1.0).affine[:3, 3]
    stretch = np.eye(4)
    stretch[:3, :3] = np.diag(np.array(MNI_SPREAD_MM) / world.std(axis=0))
    stretch[:3, 3] = MNI_CENTRE_MM - stretch[:3, :3] @ world.mean(axis=0)
    mapping = voxel_map(stretch @ Grid(1.0).affine, Grid(SPACING_MM).affine)
    moved = ndimage.affine_transform(smooth, mapping[:3, :3], mapping[:3, 3], Grid(SPACING_MM).shape, order=1)
    coarse = np.rint(255 * moved).astype(np.uint8)
    image = nibabel.Nifti1Image(coarse, Grid(SPACING_MM).affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"share of a brain, 255 is all; CC-BY"
    OUT.parent.mkdir(exist_ok=True)
    nibabel.save(image, OUT)
    print(f"{OUT}: {OUT.stat().st_size} bytes, {(coarse > 127).sum() * SPACING_MM**3 / 1000:.0f} ml")


if __name__ == "__main__":
    main()
