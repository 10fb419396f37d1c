"""Cut the shipped sample slabs out of the full volumes: central slices, voxels and orientation untouched.

    python scripts/make_samples.py DATA

DATA is the folder that holds ``brain_ms/``. The slab's affine is the file's, moved to its first slice.
"""

import argparse
from pathlib import Path

import nibabel
import numpy as np

OUT = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "samples"
# source file, first slice, one past the last: from the cerebellum to above the ventricles
SLABS = {
    "patient03_study1_T2W": ("patient03/study1_T2W.nii.gz", 12, 28),
    "patient03_study2_T2W": ("patient03/study2_T2W.nii.gz", 14, 30),
    "patient12_study1_T2W": ("patient12/study1_T2W.nii.gz", 14, 30),
    "patient12_study1_T1W": ("patient12/study1_T1W.nii.gz", 16, 32),
    "patient12_study1_FLAIR": ("patient12/study1_FLAIR.nii.gz", 16, 32),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data / "brain_ms"
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (source, first, last) in SLABS.items():
        full = nibabel.load(folder / source)
        slab = full.slicer[:, :, first:last]
        voxels = np.asarray(slab.dataobj, dtype=full.get_data_dtype())
        slab = nibabel.Nifti1Image(voxels, slab.affine, slab.header)
        slab.header["descrip"] = b"slices %d-%d of the full volume" % (first, last - 1)
        nibabel.save(slab, OUT / f"{name}.nii.gz")
        print(name, slab.shape, f"{(OUT / f'{name}.nii.gz').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
