"""How far the rules for the strength of regularisation are from the best strength, on simulated 8-coil scans.

    OMP_NUM_THREADS=1 python scripts/regularisation_grid.py

Prints the Markdown table of docs/coils.md. The middle slice of the shipped T1w sample and the Shepp-Logan phantom,
band-limited to 128 × 128 and given a smooth phase, are seen through eight simulated coils; noise is added; a third of
the lines, or a fifth of the samples of the plane, is kept. Maps (ESPIRiT) and the noise level are estimated from what
is left, as in `recon.classical`. The error is the NRMSE of the magnitude where the maps are not zero; of SENSE, which
makes images darker the stronger it is regularised, also after the best common scale.
"""

import importlib.resources
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.data import shepp_logan_phantom
from torch import Tensor

from napari_mritransfer.io import load
from napari_mritransfer.physics.coils import expand
from napari_mritransfer.physics.espirit import espirit
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import SamplingPattern, make
from napari_mritransfer.physics.noise import noise_sigma
from napari_mritransfer.physics.sensitivity import calibration_region
from napari_mritransfer.physics.simulated_coils import simulated_maps
from napari_mritransfer.recon.regularisation import array_noise, sparsity_weight, tikhonov_weight
from napari_mritransfer.recon.sense import cg_sense
from napari_mritransfer.recon.sparse import l1_wavelet, total_variation

SAMPLE = "patient12_study1_T1W.nii.gz"
SIZE, ACS = 128, 22
NOISE = (0.003, 0.01, 0.03, 0.08)  # in units of the image's 99th percentile
FACTORS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4)  # of the rule's λ
METHODS: dict[str, Callable[..., Tensor]] = {
    "SENSE": cg_sense,
    "L1-wavelet": l1_wavelet,
    "total variation": total_variation,
}
SCALED = "SENSE, scaled"


@dataclass(frozen=True)
class Case:
    """A scan whose truth is known: `image` ``(y, x)``, `kspace` ``(coil, ky, kx)`` with noise, zero outside `mask`."""

    name: str
    sigma: float
    image: Tensor
    kspace: Tensor
    mask: NDArray[np.bool_]


def main() -> None:
    print(f"| scan | σ | σ estimated / true | SENSE | {SCALED} | L1-wavelet | total variation |")
    print("|---|---|---|---|---|---|---|")
    for case in cases():
        estimate = array_noise(noise_sigma(case.kspace.numpy(), case.mask))
        cells = [told(found) for found in errors(case, estimate).values()]
        print(f"| {case.name} | {case.sigma:g} | {estimate / case.sigma:.1f} | {' | '.join(cells)} |", flush=True)


def cases() -> Iterator[Case]:
    maps = simulated_maps(8, (SIZE, SIZE), seed=3)
    for (what, image), (how, mask), sigma in itertools.product(objects().items(), masks().items(), NOISE):
        full = fourier(expand(image, maps))
        noise = torch.randn((*full.shape, 2), generator=torch.Generator().manual_seed(0))
        measured = torch.where(torch.from_numpy(mask), full + sigma * torch.view_as_complex(noise), 0)
        yield Case(f"{what}, {how}", sigma, image, measured, mask)


def objects() -> dict[str, Tensor]:
    """``(y, x)`` complex images whose 99th percentile is 1."""
    sample = importlib.resources.files("napari_mritransfer.resources.samples") / SAMPLE
    with importlib.resources.as_file(sample) as path:
        volume = np.asarray(load(path).image)[0]
    planes = {"brain": volume[len(volume) // 2], "Shepp-Logan": shepp_logan_phantom().astype(np.float32)}
    v, u = torch.meshgrid(*[torch.linspace(-1, 1, SIZE)] * 2, indexing="ij")
    phase = torch.polar(torch.ones_like(u), u - 0.7 * v + 0.8 * u * v)
    found = {}
    for name, plane in planes.items():
        kspace = centre_crop_or_pad(fourier(torch.from_numpy(plane.copy()).to(torch.complex64)), (SIZE, SIZE))
        magnitude = inverse_fourier(kspace).abs()
        found[name] = magnitude / magnitude.flatten().quantile(0.99) * phase
    return found


def masks() -> dict[str, NDArray[np.bool_]]:
    """``(ky, kx)`` masks with an ACS of 22 lines, or of 22 × 22 samples."""
    lines = make(SamplingPattern(rate=1 / 3, acs=ACS / SIZE, seed=1), SIZE).lines
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    density = (1 - np.hypot(y, x) / (0.71 * SIZE)) ** 1.5
    plane = np.random.default_rng(1).random((SIZE, SIZE)) < 0.2 * density / density.mean()
    plane[np.maximum(np.abs(y), np.abs(x)) < ACS // 2] = True
    return {"1/3 of the lines": np.tile(lines[:, None], (1, SIZE)), "1/5 of the plane": plane}


def errors(case: Case, estimate: float) -> dict[str, dict[float, float]]:
    """Method to factor of the rule's λ to NRMSE."""
    maps = espirit(case.kspace, calibration_region(case.mask, case.mask.shape), sigma=estimate).maps[0]
    inside, sampled = maps.abs().sum(0) > 0, torch.from_numpy(case.mask)
    truth = case.image.abs()[inside]
    found: dict[str, dict[float, float]] = {}
    for name, solve in METHODS.items():
        by_rule = (
            tikhonov_weight(case.kspace, sampled, estimate) if solve is cg_sense else sparsity_weight(sampled, estimate)
        )
        images = {
            factor: solve(case.kspace, sampled, maps, regularisation=factor * by_rule).abs()[inside]
            for factor in FACTORS
        }
        found[name] = {factor: nrmse(image, truth) for factor, image in images.items()}
        if solve is cg_sense:
            found[SCALED] = {
                factor: nrmse(image * (image @ truth) / (image @ image), truth) for factor, image in images.items()
            }
    return found


def nrmse(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).norm() / truth.norm())


def told(found: dict[float, float]) -> str:
    """The best factor, what the rule's own costs against it, and its error."""
    best = min(found, key=lambda factor: found[factor])
    return f"× {Fraction(best)}, {found[1] / found[best] - 1:.0%} ({found[1]:.3f})"


if __name__ == "__main__":
    main()
