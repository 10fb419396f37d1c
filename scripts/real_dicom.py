"""What is found in two real DICOM series, and whether every voxel lies where nibabel says it does.

    python scripts/real_dicom.py DATA_FOLDER [--out FOLDER]

DATA_FOLDER holds, in any folders, the unpacked series: 384 files of a head (studyforrest, public domain) and 192 of a
knee, 24 slices with 8 echoes each (pymskt, MIT). Prints the Markdown table of docs/formats.md; with --out it also
writes a picture of each series' middle slices with the letters of the patient's sides.

nibabel reads one file at a time, with an affine of its own, and knows nothing of the others: for every voxel of every
file the scan has to hold nibabel's value at nibabel's place.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from napari_mritransfer.evaluation.canvas import add_axes, add_text, dark_figure, save_png
from napari_mritransfer.io import Scan, load
from napari_mritransfer.io.dicom_series import found_at

OPPOSITE = dict(zip("LRPASI", "RLAPIS", strict=True))
LPS_TO_RAS = np.diag([-1, -1, 1, 1])
SAME_MM = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    groups, _ = found_at(arguments.folder)
    print("| series | files | frames | (slice, y, x) | mm | slices, y, x run to | oblique | nibabel |")
    print("|---|---|---|---|---|---|---|---|")
    scans = {group.label: load(arguments.folder, series=group.label) for group in groups}
    for group in groups:
        scan = scans[group.label]
        print(row(scan, agreement(scan), group.described().description))
    print()
    for group in groups:
        print(f"{group.label}: {' '.join(scans[group.label].notes)}")
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
            draw(scans[group.label], arguments.out / f"dicom-{group.label}.png")


def row(scan: Scan, agrees: str, description: str) -> str:
    frames, *shape = scan.image.shape
    spacing = " × ".join(f"{length:.4g}" for length in scan.spacing_mm)
    return (
        f"| {scan.name.removeprefix('series ')}: {description} | {len(scan.files)} | {frames} | "
        f"{' × '.join(map(str, shape))} | {spacing} | {scan.orientation}: {', '.join(scan.axes.directions)} | "
        f"{scan.axes.obliquity_deg:.1f}° | {agrees} |"
    )


def agreement(scan: Scan) -> str:
    """Of all voxels of all files: how far from nibabel's place, and how many hold another value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel calls its readers experimental
        from nibabel.nicom import dicomwrappers

        voxels = scan.axes.to_file(scan.image)
        volumes = voxels[..., np.newaxis] if voxels.ndim == 3 else voxels
        to_index = np.linalg.inv(scan.affine)
        worst, n_other = 0.0, 0
        for path in scan.files:
            wrapper = dicomwrappers.wrapper_from_file(path)
            values = wrapper.get_data()
            rows, columns = np.indices(values.shape)
            theirs = np.stack([rows, columns, 0 * rows, 0 * rows + 1], axis=-1) @ (LPS_TO_RAS @ wrapper.affine).T
            index = np.rint(theirs @ to_index.T).astype(int)
            ours = index @ scan.affine.T
            worst = max(worst, float(np.linalg.norm((ours - theirs)[..., :3], axis=-1).max()))
            there = volumes[index[..., 0], index[..., 1], index[..., 2]]
            # which of the echoes a file is nibabel does not say: one frame has to have all its values
            n_other += int((there != values[..., np.newaxis]).sum(axis=(0, 1)).min())
    place = f"places to {worst:.1e} mm"
    return f"{place}, all values" if n_other == 0 else f"{place}, {n_other} values differ"


def draw(scan: Scan, path: Path) -> None:
    """The middle of the slices, and the two cuts across them, with letters where the axes run to."""
    _, n_slices, n_rows, n_columns = scan.image.shape
    mm = scan.spacing_mm
    volume = scan.image[0]
    slice_to, y_to, x_to = scan.axes.directions
    views = [
        (volume[n_slices // 2], (mm[1], mm[2]), (y_to, x_to)),
        (volume[:, n_rows // 2], (mm[0], mm[2]), (slice_to, x_to)),
        (volume[:, :, n_columns // 2], (mm[0], mm[1]), (slice_to, y_to)),
    ]
    side, gap = 380, 24
    figure = dark_figure(len(views) * (side + 2 * gap), side + 2 * gap)
    white = float(np.percentile(volume, 99.5))
    for place, (image, (down_mm, right_mm), (down, right)) in enumerate(views):
        left = place * (side + 2 * gap) + gap
        if down in "SLA":  # as films hang: head, right and front are up
            image, down = image[::-1], OPPOSITE[down]
        axes = add_axes(figure, left, gap, side, side)
        axes.imshow(image, cmap="gray", vmin=0, vmax=white, aspect=down_mm / right_mm)
        axes.axis("off")
        middle = side // 2 - 5
        add_text(figure, left + middle, 2, OPPOSITE[down])
        add_text(figure, left + middle, side + gap + 2, down)
        add_text(figure, left - 16, gap + middle, OPPOSITE[right])
        add_text(figure, left + side + 5, gap + middle, right)
    save_png(figure, path)


if __name__ == "__main__":
    main()
