"""Compressed sensing with sigpy: images that are sparse in a wavelet basis, or in their edges."""

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.iteration import OnIteration, ShouldStop, counted, never

# With maps of unit norm and an orthonormal transform ‖A‖ <= 1, and finite differences along two axes have ‖G‖² <= 8.
# Known step sizes spare sigpy's power iteration, which starts at random: the same data give the same image.
_GRADIENT_STEP = 1.0
_DUAL_STEP = 1.0
_PRIMAL_STEP = 1 / (1 + 8)


def l1_wavelet(
    kspace: Tensor,
    mask: Tensor,
    maps: Tensor,
    *,
    regularisation: float,
    iterations: int = 60,
    on_iteration: OnIteration | None = None,
    should_stop: ShouldStop = never,
) -> Tensor:
    """Minimise ``½ ‖A x - y‖² + λ ‖W x‖₁`` by FISTA, W the Daubechies-4 wavelet transform.

    Parameters
    ----------
    kspace
        ``(coil, ky, kx)`` complex.
    mask
        ``(ky, kx)`` bool, True where measured.
    maps
        ``(coil, y, x)`` complex, of at most unit norm over the coils; ones for a single coil.
    regularisation
        λ, in the units of `kspace`; see `recon.regularisation`.
    iterations
        Always so many.
    on_iteration
        Told (iterations done, `iterations`) after each one.
    should_stop
        Asked before each iteration.

    Returns
    -------
    image
        ``(y, x)`` complex64 on the CPU.

    Raises
    ------
    BadInput
        If sigpy is not installed.
    ReconstructionStopped
        If `should_stop` said so.

    References
    ----------
    Lustig, Donoho, Pauly: Sparse MRI, MRM 2007.
    """
    app = _sigpy_apps("L1-wavelet").L1WaveletRecon(
        *_as_arrays(kspace, maps),
        lamda=regularisation,
        weights=_as_weights(mask),
        alpha=_GRADIENT_STEP,
        max_iter=iterations,
        show_pbar=False,
    )
    return _run(app, maps, iterations, on_iteration, should_stop)


def total_variation(
    kspace: Tensor,
    mask: Tensor,
    maps: Tensor,
    *,
    regularisation: float,
    iterations: int = 150,
    on_iteration: OnIteration | None = None,
    should_stop: ShouldStop = never,
) -> Tensor:
    """Minimise ``½ ‖A x - y‖² + λ ‖G x‖₁`` by primal-dual hybrid gradients, G the differences of neighbouring voxels.

    Parameters, returns and errors are those of `l1_wavelet`. The intensities of the image should be of the order of 1,
    or the iterations converge slowly.

    References
    ----------
    Block, Uecker, Frahm: Undersampled radial MRI with multiple coils, MRM 2007.
    """
    app = _sigpy_apps("Total variation").TotalVariationRecon(
        *_as_arrays(kspace, maps),
        lamda=regularisation,
        weights=_as_weights(mask),
        tau=_PRIMAL_STEP,
        sigma=_DUAL_STEP,
        max_iter=iterations,
        show_pbar=False,
    )
    return _run(app, maps, iterations, on_iteration, should_stop)


def _sigpy_apps(method: str) -> ModuleType:
    try:
        return import_module("sigpy.mri.app")
    except ModuleNotFoundError:
        raise BadInput(
            f"{method} reconstruction needs sigpy, which is not installed: pip install 'napari-mritransfer[classical]'."
        ) from None


def _as_arrays(kspace: Tensor, maps: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return kspace.to("cpu", torch.complex64).numpy(), maps.to("cpu", torch.complex64).numpy()


def _as_weights(mask: Tensor) -> np.ndarray:
    # given explicitly: sigpy would take samples that happen to be zero for unmeasured ones
    return mask.cpu().numpy().astype(np.complex64)


def _run(app: Any, maps: Tensor, iterations: int, on_iteration: OnIteration | None, should_stop: ShouldStop) -> Tensor:
    """Drive sigpy's algorithm step by step, because its own `run` cannot be stopped."""
    for _ in counted(iterations, on_iteration, should_stop):
        app.alg.update()
    # where no coil sees anything, no sample speaks against what the regularisation fills in
    seen = maps.cpu().abs().amax(0) > 0
    return torch.where(seen, torch.from_numpy(app.x), 0)
