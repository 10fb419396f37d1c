"""Classical reconstructions of three real 8-coil brains, side by side, and their agreement with BART's reference.

    python scripts/classical_on_raw.py DATA_FOLDER --out FOLDER

DATA_FOLDER holds sigpy_cartesian_ksp.npy, bart_pics_brain_ksp.cfl, bart_pics_brain_img.cfl and brain_alias_8ch.mat.
Nobody knows the truth behind undersampled data: the numbers say how far two reconstructions agree, not how right either
is.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.coils import root_sum_of_squares
from napari_mritransfer.physics.espirit import espirit, wrapped_share
from napari_mritransfer.physics.fourier import inverse_fourier
from napari_mritransfer.physics.noise import noise_sigma
from napari_mritransfer.physics.sensitivity import calibration_region
from napari_mritransfer.recon.classical import reconstruct_classical
from napari_mritransfer.recon.classical_menu import CLASSICAL
from napari_mritransfer.recon.regularisation import array_noise

_CFL_SHAPES = {"bart_pics_brain_ksp": (8, 230, 180), "bart_pics_brain_img": (2, 230, 180)}


@dataclass(frozen=True)
class Raw:
    """One slice ``(coil, ky, kx)``, and a magnitude image ``(y, x)`` to compare with, where there is one."""

    name: str
    kspace: NDArray[np.complex64]
    reference: NDArray[np.float32] | None = None
    reference_name: str = ""

    @property
    def mask(self) -> NDArray[np.bool_]:
        return np.any(self.kspace != 0, axis=0)


def read_cfl(folder: Path, name: str) -> NDArray[np.complex64]:
    return np.fromfile(folder / f"{name}.cfl", np.complex64).reshape(_CFL_SHAPES[name])


def real_scans(folder: Path) -> list[Raw]:
    bart = np.linalg.norm(read_cfl(folder, "bart_pics_brain_img"), axis=0)
    wrapped = scipy.io.loadmat(folder / "brain_alias_8ch.mat")["DATA"].astype(np.complex64).transpose(2, 0, 1)
    everything = root_sum_of_squares(inverse_fourier(torch.from_numpy(wrapped.copy()))).numpy()
    fewer = wrapped.copy()
    columns = np.arange(256)
    fewer[..., (np.abs(columns - 128) > 12) & (columns % 2 == 1)] = 0
    return [
        # the same head, stored with ky the other way round
        Raw("sigpy", np.load(folder / "sigpy_cartesian_ksp.npy"), np.roll(bart, -1, axis=0)[::-1], "BART, other mask"),
        Raw("bart", read_cfl(folder, "bart_pics_brain_ksp"), bart, "BART"),
        Raw("alias-all", wrapped),
        Raw("alias-half", fewer, everything, "RSS of all lines"),
    ]


def agreement(image: NDArray[np.float32], reference: NDArray[np.float32]) -> tuple[float, float]:
    """NRMSE after the best scale, and correlation, of two magnitude images."""
    scale = np.vdot(image, reference) / np.vdot(image, image)
    nrmse = np.linalg.norm(scale * image - reference) / np.linalg.norm(reference)
    return float(nrmse), float(np.corrcoef(image.ravel(), reference.ravel())[0, 1])


def compare(scan: Raw, out: Path) -> None:
    kspace = torch.from_numpy(np.ascontiguousarray(scan.kspace))
    region = calibration_region(scan.mask, scan.mask.shape)
    sigma = array_noise(noise_sigma(scan.kspace, scan.mask))
    share = wrapped_share(espirit(kspace, region, n_sets=2, sigma=sigma))
    images = {"RSS": root_sum_of_squares(inverse_fourier(kspace)).numpy()}
    brightest = float(images["RSS"].max())
    print(
        f"{scan.name}: {scan.mask.mean():.1%} measured, ACS {region[0]} x {region[1]}, noise 1/{brightest / sigma:.0f} "
        f"of the brightest voxel, {share:.2%} of the object lies on itself"
    )
    for method in CLASSICAL:
        started = time.perf_counter()
        try:
            image = reconstruct_classical(method.name, kspace[None, None], scan.mask)[0, 0]
        except BadInput as refusal:
            print(f"  {method.label}: refused. {refusal}")
            continue
        images[method.label] = image.abs().numpy()
        print(f"  {method.label}: {time.perf_counter() - started:.1f} s")
    if scan.reference is not None:
        for label, magnitude in images.items():
            nrmse, correlation = agreement(magnitude, scan.reference)
            print(f"  {label} and {scan.reference_name}: NRMSE {nrmse:.3f}, correlation {correlation:.4f}")
        images[scan.reference_name] = scan.reference
    draw(images, out / f"classical-{scan.name}.png")


def draw(images: dict[str, NDArray[np.float32]], path: Path) -> None:
    figure, axes = plt.subplots(1, len(images), figsize=(4 * len(images), 5), layout="constrained", squeeze=False)
    for axis, (label, image) in zip(axes[0], images.items(), strict=True):
        axis.imshow(image, cmap="gray", vmin=0, vmax=np.quantile(image, 0.995))
        axis.set_title(label)
        axis.axis("off")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for scan in real_scans(arguments.folder):
        compare(scan, arguments.out)


if __name__ == "__main__":
    main()
