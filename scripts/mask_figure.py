"""The picture of docs/sampling.md: every kind of mask at one rate, on one matrix.

python scripts/mask_figure.py [OUT.png]
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from napari_mritransfer.physics.masks import MaskKind, SamplingPattern, make_on_plane

SHAPE = (192, 160)
OUT = Path(__file__).parent.parent / "docs" / "images" / "masks.png"


def main() -> None:
    figure, axes = plt.subplots(2, 4, figsize=(11, 6.4))
    axes.flat[-1].set_axis_off()
    for kind, ax in zip(MaskKind, axes.flat, strict=False):
        mask = make_on_plane(SamplingPattern(kind), SHAPE, "y")
        ax.imshow(np.broadcast_to(mask.on_plane("y"), SHAPE), cmap="gray", interpolation="nearest")
        needs = ", 3-D only" if mask.is_plane else ""
        ax.set_title(f"{kind}{needs}\n{mask.achieved_rate:.1%} of the {mask.unit}", fontsize=10)
        ax.set_xticks([])
        ax.set_yticks([])
    figure.tight_layout()
    figure.savefig(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT, dpi=80)


if __name__ == "__main__":
    main()
