"""Where in a brain a prediction comes from: input times gradient, through the network and what was put on top of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_mritransfer.cohort.crop import crop_of, cropped
from napari_mritransfer.cohort.preparation import Prepared, prepare, to_scan_grid
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.features import as_input
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.look import LookedRow, read_look
from napari_mritransfer.cohort.reuse.model import SfcnModel, open_sfcn
from napari_mritransfer.cohort.reuse.record import FITS, NETWORKS, PredictedScan, read_config, read_predictions
from napari_mritransfer.io import Origin, load, save
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.recon.stopped import ReconstructionStopped

SMOOTH_MM = 6.0
"""Full width at half maximum that maps are smoothed by: gradients of single voxels are noise."""

_FWHM = 2.355


def relevance_of(
    network: SFCN, volume: NDArray[np.float32], *, bins: Bins | None = None, output: int = 0,
    readout: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """How much every voxel moves a prediction, to first order.

    Parameters
    ----------
    network
        In evaluation mode.
    volume
        ``(i, j, k)`` prepared and cropped.
    bins
        Of a network that predicts a number: its expected value is followed back.
    output
        Of a network for classes: the class whose log-probability is.
    readout
        ``(features,)``: how a model on the features changes with them, see `estimators.gradient`; instead of the
        network's own last layer.

    Returns
    -------
    relevance
        ``(i, j, k)`` float32, not negative: the absolute value of voxel × gradient.
    """
    source = as_input(volume).requires_grad_()
    with torch.enable_grad():
        features = network.features(source)
        if readout is not None:
            target: Tensor = features[0] @ torch.from_numpy(readout).float()
        elif bins is not None:
            target = network.head(features)[0].exp() @ torch.from_numpy(bins.centres).float()
        else:
            target = network.head(features)[0, output]
        (gradient,) = torch.autograd.grad(target, source)
    return (source.detach() * gradient).abs()[0, 0].numpy()


def map_on_grid(relevance: NDArray[np.float32], prepared: Prepared) -> NDArray[np.float32]:
    """Smoothed, on the common grid, its mean over the solid voxels that the network sees being 1; 0 elsewhere."""
    whole = np.zeros(prepared.grid.shape, dtype=np.float32)
    seen = np.zeros(prepared.grid.shape, dtype=bool)
    place = crop_of(prepared.grid.shape, relevance.shape)
    whole[place], seen[place] = relevance, True
    smooth = ndimage.gaussian_filter(whole, SMOOTH_MM / _FWHM / prepared.grid.spacing_mm)
    inside = seen & prepared.tissue
    mean = float(smooth[inside].mean()) if inside.any() else 0.0
    return np.where(inside, smooth / mean, 0).astype(np.float32) if mean > 0 else np.zeros_like(smooth)


def map_of_subject(
    folder: Path, subject: str, session: str, method: str, out: Path, should_stop: Callable[[], bool] = lambda: False
) -> tuple[Path, Path]:
    """The relevance map of one subject's prediction by the network, or model, that had not learned from them.

    Parameters
    ----------
    folder
        Of a re-use.
    subject, session, method
        Which prediction: the first one with all training subjects.
    out
        Folder for the map.

    Returns
    -------
    map, image
        NIfTI on the scan's own grid, its mean over the solid voxels being 1; and the scan.

    Raises
    ------
    BadInput
        If there is no such prediction, the method looks at no image through a network, or the scan is gone.
    ReconstructionStopped
        If `should_stop` said so.
    """
    row = reuse_method(method)
    if row.kind not in ("direct", "features", "network"):
        raise BadInput(f"{row.label} has no relevance map: it does not look at the scan through the network.")
    lines = read_predictions(folder)
    line = next(
        (one for one in lines
         if (one.subject, one.session, one.method, one.size, one.repeat) == (subject, session, method, 0, 0)), None
    )  # fmt: skip
    if line is None:
        raise BadInput(f"{folder.name} holds no prediction of {subject} by {row.label}; choose another point.")
    config = read_config(folder)
    key = f"{method}_n0_r0_f{line.fold}"
    model = open_sfcn(str(folder / NETWORKS / f"{key}.safetensors")) if row.kind == "network" else open_sfcn(
        config.model, **config.told
    )  # fmt: skip
    readout = _readout(folder, key, line) if row.kind == "features" else None
    prepared = prepare(line.image, model.facts.preparation)
    if should_stop():
        raise ReconstructionStopped
    output = _output(model, line)
    volume = cropped(prepared.array, model.network.grid)
    found = relevance_of(model.network, volume, bins=model.facts.bins, output=output, readout=readout)
    scan = load(line.image)
    origin = Origin.SIMULATED if prepared.simulated or model.facts.simulated else Origin.MAGNITUDE
    out.mkdir(parents=True, exist_ok=True)
    path = out / "relevance.nii.gz"
    save(scan.with_image(to_scan_grid(map_on_grid(found, prepared), prepared), origin=origin), path)
    return path, Path(line.image)


def _output(model: SfcnModel, line: PredictedScan) -> int:
    """The class that was predicted, as the network counts; 0 of numbers."""
    classes = [name.lower() for name in model.label.classes]
    return classes.index(line.predicted.lower()) if line.predicted.lower() in classes else 0


def _readout(folder: Path, key: str, line: PredictedScan) -> NDArray[np.float64]:
    """How the model on features changes with them at this subject."""
    try:
        result = FitResult.from_json((folder / FITS / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"The fits in {folder.name} cannot be read ({error}); go on with the re-use.") from error
    usable = [one for one in read_look(folder).rows if one.usable]
    places = [place for place, row in enumerate(result.rows) if _is(usable, row, line)]
    if result.gradients is None or not places:
        raise BadInput(f"{folder.name} does not say how {line.subject} was predicted; choose another point.")
    return np.asarray(result.gradients[places[0]])


def _is(usable: Sequence[LookedRow], row: int, line: PredictedScan) -> bool:
    return row < len(usable) and (usable[row].subject, usable[row].session) == (line.subject, line.session)
