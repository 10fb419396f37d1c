"""File > Save: image layers to NIfTI, with the affine and header of the file they came from; k-space to its formats."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_mritransfer.io import Scan, save
from napari_mritransfer.io.endings import KSPACE, NIFTI, ending, stem
from napari_mritransfer.widgets.layers import KEY, voxels_scan


class UnwritableLayer(Exception):
    """A layer that cannot be saved; the message is one sentence that says what to do.

    No ValueError, unlike other bad input: napari would take one for "there is no writer" and hide the sentence.
    """


def write_image(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write one image layer.

    Parameters
    ----------
    path
        .nii or .nii.gz; .nii.gz is added to another name.
    data, meta
        As `napari.layers.Layer.as_layer_data_tuple` gives them.

    Returns
    -------
    written
        The file's path.

    Raises
    ------
    UnwritableLayer
        If the layer cannot be a scan.
    OSError
        If the folder is missing or full.
    """
    target = _nifti_path(path)
    with _telling():
        save(_scan(data, meta), target)
    return [str(target)]


def write_kspace(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write the k-space of a scan's layer.

    Parameters
    ----------
    path
        .h5 (as fastMRI's), .mrd (ISMRMRD) or .cfl (BART); .h5 is added to another name.
    data, meta
        As `napari.layers.Layer.as_layer_data_tuple` gives them.

    Returns
    -------
    written
        The file's path; beside a .cfl lies its .hdr.

    Raises
    ------
    UnwritableLayer
        If the layer is no scan with k-space, or shows other voxels than it had.
    OSError
        If the folder is missing or full.
    """
    target = Path(path)
    target = target if ending(target) in KSPACE else target.with_name(f"{target.name}.h5")
    own = meta["metadata"].get(KEY)
    if isinstance(own, Mapping) and "of" in own:
        raise UnwritableLayer(f"{meta['name']} is a view of k-space; select the layer of the scan that it belongs to.")
    with _telling():
        save(_scan(data, meta), target)
    return [str(target)]


def write_images(path: str, layers: Sequence[tuple[Any, Mapping[str, Any], str]]) -> list[str]:
    """Write several image layers as ``<stem>_<layer>.nii.gz`` beside each other.

    All layers are looked at before the first is written: a layer that cannot be saved leaves no files.

    Parameters
    ----------
    path
        Folder, stem and ending of the files.

    Returns
    -------
    written
        The files' paths, in the order of `layers`.

    Raises
    ------
    UnwritableLayer, OSError
        As `write_image`.
    """
    other = next((kind for _, _, kind in layers if kind != "image"), None)
    if other is not None:
        raise UnwritableLayer(
            f"NIfTI files are made of image layers, not of {other}; select image layers alone."
        )
    with _telling():
        scans = [_scan(data, meta) for data, meta, _ in layers]
    target = _nifti_path(path)
    names = _unique([re.sub(r"[^\w.-]+", "_", str(meta["name"])).strip("._") or "layer" for _, meta, _ in layers])
    written = [target.with_name(f"{stem(target)}_{name}{ending(target)}") for name in names]
    for scan, file in zip(scans, written, strict=True):
        save(scan, file)
    return [str(file) for file in written]


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UnwritableLayer(str(error)) from error


def _scan(data: Any, meta: Mapping[str, Any]) -> Scan:
    return voxels_scan(
        data, str(meta["name"]), meta["metadata"], scale=meta["scale"], units=meta["units"],
        rgb=meta["rgb"] or meta["multiscale"],
    )  # fmt: skip


def _nifti_path(path: str) -> Path:
    target = Path(path)
    return target if ending(target) in NIFTI else target.with_name(f"{target.name}.nii.gz")


def _unique(names: Sequence[str]) -> list[str]:
    """Names told apart by numbers, also where a file system does not tell capital letters."""
    taken: set[str] = set()
    told = []
    for name in names:
        number, candidate = 1, name
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.lower())
        told.append(candidate)
    return told
