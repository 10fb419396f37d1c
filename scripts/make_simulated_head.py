"""Make the sample "simulated head": patient 12, on whom nobody trains, at 1 x 1 x 2 mm, diseased and of known age.

    python scripts/make_simulated_head.py DATA

DATA is the folder that holds ``brain_ms/``. The original is aligned at 1 x 1 x 2 mm (see ``make_heads.py``) and goes
through the simulator like the subjects of a cohort; what the sidecar says about slices is counted on the common 2 mm
grid, on which networks see it.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from make_heads import ALIGNMENTS, head_of, read_original, to_common

from napari_mritransfer.cohort.simulation.geometry import Geometry
from napari_mritransfer.cohort.simulation.heads import load_head
from napari_mritransfer.cohort.simulation.nifti_file import write_simulated
from napari_mritransfer.cohort.simulation.settings import CLEAR
from napari_mritransfer.cohort.simulation.subject import simulate_subject
from napari_mritransfer.io.atomic import replacing, write_text

OUT = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "samples" / "simulated_head.nii.gz"
NAME, AGE, SEED = "patient12", 72.0, 12
WHITE_MATTER = 94  # of 255: fat is twice as bright


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    affine = np.diag([-1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = (90, -126, -72)
    geometry = Geometry((182, 218, 91), affine)
    shipped = load_head(NAME)
    voxels = to_common(read_original(parser.parse_args().data, NAME), ALIGNMENTS[NAME], geometry=geometry)
    fine = head_of(NAME, voxels, geometry, shipped.ventricle_offset_mm)
    # effects as the shipped networks know them
    asked = {"age": AGE, "diseased": True, "seed": SEED, "site": "A", "effects": CLEAR}
    image, _ = simulate_subject(fine, geometry=geometry, **asked)
    _, truth = simulate_subject(shipped, **asked)
    scale = WHITE_MATTER / truth.scanner["white_matter"]
    truth = replace(truth, scanner=dict(truth.scanner) | {"white_matter": WHITE_MATTER})
    with replacing(OUT) as partial:
        write_simulated(image * np.float32(scale), geometry.affine, partial, stored="uint8", level=9)
    write_text(OUT.with_name("simulated_head.json"), truth.as_json())
    size = OUT.stat().st_size / 1e6
    print(f"{size:.2f} MB; age {truth.age:g}, ventricles as at {truth.biological_age:.1f}; {truth.changed['disease']}")


if __name__ == "__main__":
    main()
