"""ISMRMRD's HDF5 files, Cartesian: acquisitions to slices, read when somebody looks at them."""

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.axes import is_usable, spacing_of
from napari_mritransfer.io.endings import stem
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.hdf5 import Hdf5File
from napari_mritransfer.io.ismrmrd_order import Lines, Order, sorted_lines
from napari_mritransfer.io.kspace import LARGEST_BYTES, KSpace
from napari_mritransfer.io.mri_header import MriHeader, parsed
from napari_mritransfer.io.prewhitening import whitening
from napari_mritransfer.io.provenance import with_facts
from napari_mritransfer.io.scan import Scan
from napari_mritransfer.physics.centred import centre_crop, inverse_transform, transform

OWN = "napari_mritransfer_"  # names of our user parameters
KEPT = "oversampling_kept"
_MOST_NOISE = 256  # acquisitions; more make the estimate no better
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_FIELDS = {
    "flags", "number_of_samples", "active_channels", "discard_pre", "discard_post", "center_sample",
    "encoding_space_ref", "position", "read_dir", "phase_dir", "slice_dir", "idx",
}  # fmt: skip
_COUNTERS = {"kspace_encode_step_1", "kspace_encode_step_2", "slice", "contrast", "phase", "repetition", "set"}


def group_of(file: Hdf5File) -> str | None:
    """The group that holds a header and acquisitions, where there is one: ``dataset`` by custom."""
    groups = file.groups()
    preferred = sorted(groups, key=lambda name: name != "dataset")
    return next((name for name in preferred if file.has(f"{name}/xml") and file.has(f"{name}/data")), None)


def read(file: Hdf5File, group: str) -> Scan:
    """Read the first encoding of a Cartesian measurement.

    Noise scans prewhiten the coils, readout oversampling is removed, repeated lines are averaged; see
    `ismrmrd_order.sorted_lines` for what becomes of the rest. Three-dimensional acquisitions that are fully sampled
    along the partitions become slices, each of them computed from the whole slab.

    Raises
    ------
    UnreadableScan
        In one sentence; for other trajectories by name.
    """
    path = file.path
    header = parsed(file.text(f"{group}/xml"), path.name)
    if header.trajectory != "cartesian":
        raise UnreadableScan(
            f"{path.name} was acquired along a {header.trajectory} trajectory, and only Cartesian ones are read; grid "
            "it first, or choose another file."
        )
    own = {key.removeprefix(OWN): value for key, value in header.strings.items() if key.startswith(OWN)}
    acquisitions = _Acquisitions(file, f"{group}/data")
    order = sorted_lines(acquisitions.heads, header, path.name)
    _, _, coils, _n_z, n_y, n_x = order.shape
    whiten = acquisitions.noise_whitening(order.noise, coils)
    notes = [*order.notes]
    if order.noise.size:
        notes.append(
            f"The coils were prewhitened with {order.noise.size} noise acquisitions."
            if whiten is not None
            else "The noise acquisitions do not suffice to prewhiten the coils."
        )
    columns = min(n_x, max(1, round(n_x * header.recon_mm[0] / header.encoded_mm[0])))
    is_whole = order.samples[1] - order.samples[0] == n_x
    removes = columns < n_x and is_whole and KEPT not in own
    if removes:
        notes.append(f"Readout oversampling was removed: {columns} of {n_x} samples.")
    rows = min(n_y, max(1, round(n_y * header.recon_mm[1] / header.encoded_mm[1])))
    maker = _SliceMaker(acquisitions, order, whiten, columns if removes else None)
    declared = order.declared[:, :columns] if removes else order.declared
    kspace = _kspace(maker, order, declared, (rows, columns), is_transposed=own.get("phase_encode") == "x")
    affine, spacing = _geometry(acquisitions.heads, order, header, (rows, columns))
    if affine is not None:
        spacing = None
    scan = Scan.from_kspace(
        kspace, affine=affine, spacing_mm=spacing, phase_encode="y", name=stem(path), path=path, notes=notes
    )
    return with_facts(scan, own)


class _Acquisitions:
    """The headers of all acquisitions, and the samples of those that are asked for."""

    def __init__(self, file: Hdf5File, name: str) -> None:
        self._file = file
        self.name = file.path.name
        self._dataset: h5py.Dataset = file.dataset(name)
        dtype = self._dataset.dtype
        fits = len(self._dataset.shape) == 1 and {"head", "data"} <= set(dtype.names or ())
        head: Any = dtype["head"] if fits else np.dtype("u1")
        if (
            not set(head.names or ()) >= _FIELDS
            or not set(head["idx"].names or ()) >= _COUNTERS
            or any(head[key].base.kind not in "iuf" for key in _FIELDS - {"idx"})
            or any(head["idx"][key].kind not in "iu" for key in _COUNTERS)
            or any(head[key].shape != (3,) for key in ("position", "read_dir", "phase_dir", "slice_dir"))
            or h5py.check_vlen_dtype(dtype["data"]) != np.float32
        ):
            raise UnreadableScan(
                f"{file.path.name} holds acquisitions that are not laid out as ISMRMRD's; convert it again."
            )
        with file.telling():
            self.heads: NDArray[Any] = self._dataset.fields("head")[:]

    def samples(self, chosen: NDArray[np.intp], coils: int, n_samples: int) -> list[NDArray[np.complex64]]:
        """``(coil, sample)`` of each of `chosen`, which rises."""
        found: list[NDArray[np.complex64]] = []
        # neighbours in the file are read in one call
        for run in np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1):
            with self._file.telling():
                pieces = self._dataset.fields("data")[int(run[0]) : int(run[-1]) + 1]
            for piece in pieces:
                if piece.size != 2 * coils * n_samples:
                    raise UnreadableScan(
                        f"{self._file.path.name} holds {piece.size} numbers where its header announces {coils} coils "
                        f"of {n_samples} samples, so it is damaged; copy it again."
                    )
                found.append(np.ascontiguousarray(piece).view(np.complex64).reshape(coils, n_samples))
        return found

    def noise_whitening(self, noise: NDArray[np.intp], coils: int) -> NDArray[np.complex64] | None:
        """The ``(coil, coil)`` matrix that makes the noise white, None where there is none or too little."""
        heads = self.heads[noise[:_MOST_NOISE]]
        fitting = noise[:_MOST_NOISE][heads["active_channels"] == coils]
        if not fitting.size:
            return None
        pieces = [self.samples(np.array([one]), coils, int(self.heads["number_of_samples"][one]))[0] for one in fitting]
        return whitening(np.concatenate(pieces, axis=1))


class _SliceMaker:
    """Lines to slices; of a slab the one that was transformed last is kept."""

    def __init__(
        self, acquisitions: _Acquisitions, order: Order, whiten: NDArray[np.complex64] | None, columns: int | None
    ) -> None:
        self._acquisitions = acquisitions
        self._order = order
        self._whiten = whiten
        self._columns = columns
        self._slab: tuple[int, NDArray[np.complex64]] | None = None
        self.name = acquisitions.name

    def slice(self, frame: int, index: int) -> NDArray[np.complex64]:
        """``(coil, ky, kx)``."""
        if self._order.shape[3] == 1:
            return self._filled(self._order.lines[frame, index])[:, 0]
        if self._slab is None or self._slab[0] != frame:
            self._slab = None  # freed before the next is made
            self._slab = (frame, inverse_transform(self._filled(self._order.lines[frame, 0]), axes=(1,)))
        return np.ascontiguousarray(self._slab[1][:, index])

    def _filled(self, lines: Lines) -> NDArray[np.complex64]:
        """``(coil, kz, ky, kx)``."""
        _, _, coils, n_z, n_y, n_x = self._order.shape
        first, last, stored = self._order.samples
        if coils * n_z * n_y * n_x * 8 > LARGEST_BYTES:
            raise UnreadableScan(f"{self.name} needs more than 16 GiB for one slab or slice; crop or split it.")
        width = self._columns or n_x
        filled = np.zeros((coils, n_z, n_y, width), dtype=np.complex64)
        count = np.zeros((n_z, n_y), dtype=np.intp)
        by_file = np.argsort(lines.acquisition)
        pieces = self._acquisitions.samples(lines.acquisition[by_file], coils, stored) if by_file.size else []
        for line, piece in zip(by_file, pieces, strict=True):
            kept = piece[:, ::-1][:, stored - last : stored - first] if lines.reverse[line] else piece[:, first:last]
            if self._columns is not None:
                kept = transform(centre_crop(inverse_transform(kept, (-1,))[:, None], (1, width))[:, 0], (-1,))
            at = (
                slice(None),
                lines.kz[line],
                lines.ky[line],
                slice(lines.start[line], lines.start[line] + kept.shape[1]),
            )
            if count[lines.kz[line], lines.ky[line]]:
                filled[at] += kept
            else:
                filled[at] = kept
            count[lines.kz[line], lines.ky[line]] += 1
        if count.max(initial=0) > 1:
            filled /= np.maximum(count, 1).astype(np.float32)[:, :, np.newaxis]
        if self._whiten is not None:
            filled = np.tensordot(self._whiten, filled, axes=1)
        return filled


def _kspace(
    maker: _SliceMaker, order: Order, declared: NDArray[np.bool_], image: tuple[int, int], *, is_transposed: bool
) -> KSpace:
    frames, slices, coils, n_z, _, _ = order.shape
    n_slices = slices if n_z == 1 else n_z
    if is_transposed:  # written by us, with the readout along y
        return KSpace(
            (frames, n_slices, coils, *declared.T.shape),
            lambda frame, index: np.ascontiguousarray(maker.slice(frame, index).swapaxes(-2, -1)),
            declared=declared.T,
            image_matrix=image[::-1],
        )
    return KSpace((frames, n_slices, coils, *declared.shape), maker.slice, declared=declared, image_matrix=image)


def _geometry(
    heads: NDArray[Any], order: Order, header: MriHeader, image: tuple[int, int]
) -> tuple[NDArray[np.float64] | None, tuple[float, float, float] | None]:
    """Affine of (x, y, slice) in RAS mm where directions were recorded, and the voxel size along slice, y, x."""
    x_mm, y_mm, z_mm = (length / n for length, n in zip(header.encoded_mm, header.encoded_matrix, strict=True))
    n_z = order.shape[3]
    first = heads[order.first_of_slice[0]]
    read, phase, normal = (first[key].astype(np.float64) for key in ("read_dir", "phase_dir", "slice_dir"))
    positions = np.array([heads["position"][one] for one in order.first_of_slice], dtype=np.float64)
    step = normal * z_mm
    if len(positions) > 1 and np.linalg.norm(positions[-1] - positions[0]) > 0:
        step = (positions[-1] - positions[0]) / (len(positions) - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([read * x_mm, phase * y_mm, step], axis=1)
    rows, columns = image
    middle = np.array([columns // 2, rows // 2, n_z // 2 if n_z > 1 else 0])
    affine[:3, 3] = positions[0] - affine[:3, :3] @ middle
    affine[:3] *= _LPS_TO_RAS[:, np.newaxis]
    is_direction = all(abs(np.linalg.norm(one) - 1) < 1e-2 for one in (read, phase, normal))
    if not is_direction or not is_usable(affine):
        slice_mm = float(np.linalg.norm(step)) if np.linalg.norm(step) > 0 else z_mm
        return None, (slice_mm, y_mm, x_mm)
    x_mm, y_mm, slice_mm = (float(length) for length in spacing_of(affine))
    return affine, (slice_mm, y_mm, x_mm)
