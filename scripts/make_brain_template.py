"""Makes resources/brain/brain.nii.gz: where a brain lies in MNI152 space, from one person's skull-stripped scans.

Call it as ``python scripts/make_brain_template.py FOLDER`` with the folder of T1W, T2W and FLAIR.nii.gz on the 1 mm grid.
"""

import sys
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from napari_mritransfer.cohort.brain import SPACING_MM
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation, prepare

OUT = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "brain" / "brain.nii.gz"


def main() -> None:
    fine = [prepare(Path(sys.argv[1]) / f"{name}.nii.gz", Preparation(1.0)).tissue for name in ("T1W", "T2W", "FLAIR")]
    share = np.mean(fine, axis=0)
    both_sides = (share + share[::-1]) / 2  # nobody's left is everybody's left
    smooth = ndimage.gaussian_filter(both_sides, SPACING_MM / 2.355)
    step = round(SPACING_MM)
    coarse = np.rint(255 * smooth[::step, ::step, ::step]).astype(np.uint8)
    assert coarse.shape == Grid(SPACING_MM).shape
    image = nibabel.Nifti1Image(coarse, Grid(SPACING_MM).affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"share of a brain, 255 is all; CC-BY"
    OUT.parent.mkdir(exist_ok=True)
    nibabel.save(image, OUT)
    print(f"{OUT}: {OUT.stat().st_size} bytes, {(coarse > 127).sum() * SPACING_MM**3 / 1000:.0f} ml")


if __name__ == "__main__":
    main()
