"""HDF5 files that strangers made: nothing outside the file is touched, and sizes are checked before memory is taken."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.byte_source import opened
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.stored_array import ArrayInFile, Index, StoredArray

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # built into h5py: no plug-in is loaded for these
_BEST_COMPRESSION = 1032  # deflate's limit; lzf's is 88
_LARGEST_CHUNK = 1 << 30  # bytes; a chunk is decompressed as one
_LONGEST_TEXT = 16 << 20  # bytes of a header; scanners write some 100 kB
_MOST_LISTED = 1000
_DEEPEST = 8


class Hdf5File:
    """An HDF5 file opened for reading, and kept open until the last array read from it is gone.

    Parameters
    ----------
    path
        Soft and external links, external storage, virtual datasets and filters that need plug-ins are refused where
        they are met.

    Raises
    ------
    UnreadableScan
        If it is missing, empty, no HDF5 file, or too damaged to open.
    """

    def __init__(self, path: Path) -> None:
        with opened(path, compressed=False) as source:
            self.size = source.capacity
        self.path = path
        with self.telling():
            self._file = h5py.File(path, "r", locking=False)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turns what the HDF5 library complains about into one sentence."""
        try:
            yield
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
            if isinstance(error, UnreadableScan):
                raise
            raise UnreadableScan(
                f"{self.path.name} is no HDF5 file, or a damaged or cut-off one; copy or download it again."
            ) from None
        except MemoryError:
            raise UnreadableScan(
                f"{self.path.name} announces more than the memory that is free; close other programs or copy it again."
            ) from None

    def groups(self) -> list[str]:
        """Names of the groups in the root that are no links."""
        with self.telling():
            return [
                key
                for key in self._file
                if isinstance(self._file.get(key, getlink=True), h5py.HardLink)
                and self._file.get(key, getclass=True) is h5py.Group
            ]

    def has(self, name: str) -> bool:
        """Whether there is something at `name` (with slashes); links that lead elsewhere are refused."""
        return self._member(name) is not None

    def attribute(self, name: str) -> str | None:
        """A text attribute of the root, None where there is none."""
        with self.telling():
            if name not in self._file.attrs:
                return None
            kind = self._file.attrs.get_id(name)
            if kind.shape != () or h5py.check_string_dtype(kind.dtype) is None or kind.dtype.itemsize > _LONGEST_TEXT:
                return None
            value = self._file.attrs[name]
            return value if isinstance(value, str) else None

    def dataset(self, name: str) -> h5py.Dataset:
        """A dataset whose storage and announced size were checked.

        Raises
        ------
        UnreadableScan
            If it is missing, no dataset, or stored in a way that is refused.
        """
        found = self._member(name)
        if not isinstance(found, h5py.Dataset):
            raise UnreadableScan(f"{self.path.name} has no dataset {name!r}; choose another file.")
        with self.telling():
            self._check(found, name)
        return found

    def array(self, name: str) -> StoredArray:
        """A numeric dataset; uncompressed ones in one piece are read past the HDF5 library, which is faster.

        Raises
        ------
        UnreadableScan
            As `dataset` does, or if it holds no numbers.
        """
        found = self.dataset(name)
        with self.telling():
            kind = number_type(found.dtype)
            if kind is None:
                raise UnreadableScan(f"{name} in {self.path.name} holds no numbers; choose another array.")
            offset = found.id.get_offset() if found.chunks is None and found.size else None
            if offset is not None:
                return ArrayInFile(self.path, int(offset), found.shape, kind)
            return _ArrayInHdf5(self, found, kind)

    def text(self, name: str) -> bytes:
        """A dataset that holds one string, such as a header; at most 16 MiB of it.

        Raises
        ------
        UnreadableScan
            As `dataset` does, or if it holds no string.
        """
        found = self.dataset(name)
        with self.telling():
            # a damaged type is not handed to the library: it would follow pointers that are none
            is_text = h5py.check_string_dtype(found.dtype) is not None and found.shape in ((), (1,))
            value = found[()] if is_text else None
            if isinstance(value, np.ndarray):
                value = value[0]
            if isinstance(value, str):
                value = value.encode()
            if not isinstance(value, bytes) or len(value) > _LONGEST_TEXT:
                raise UnreadableScan(f"{name} in {self.path.name} holds no text; copy or download it again.")
            return value

    def numeric_arrays(self) -> dict[str, StoredArray]:
        """All numeric datasets by name, with dots for slashes; references and links are passed over."""
        found: dict[str, StoredArray] = {}
        with self.telling():
            self._collect(self._file, "", found)
        return found

    def _collect(self, group: h5py.Group, prefix: str, found: dict[str, StoredArray]) -> None:
        for key in group:
            if key.startswith("#") or not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue
            member, name = group[key], f"{prefix}{key}"
            if isinstance(member, h5py.Group) and name.count("/") < _DEEPEST:
                self._collect(member, f"{name}/", found)
            elif isinstance(member, h5py.Dataset) and member.ndim > 1 and number_type(member.dtype) is not None:
                if len(found) == _MOST_LISTED:
                    raise UnreadableScan(f"{self.path.name} holds more than 1,000 arrays; save the one that is meant.")
                found[name.replace("/", ".")] = self.array(name)

    def _member(self, name: str) -> Any:
        with self.telling():
            here: Any = self._file
            for part in name.split("/"):
                link = here.get(part, getlink=True) if isinstance(here, h5py.Group) else None
                if link is None:
                    return None
                if not isinstance(link, h5py.HardLink):
                    raise UnreadableScan(
                        f"{self.path.name} keeps {part} behind a link, which is not followed; copy the data into the "
                        "file."
                    )
                here = here[part]
            return here

    def _check(self, found: h5py.Dataset, name: str) -> None:
        file = self.path.name
        plist = found.id.get_create_plist()
        if found.is_virtual or plist.get_external_count():
            raise UnreadableScan(
                f"{file} keeps {name} in another file, which is not opened; copy the data into one file."
            )
        filters = [plist.get_filter(place)[0] for place in range(plist.get_nfilters())]
        if not set(filters) <= set(_FILTERS):
            raise UnreadableScan(
                f"{file} compresses {name} with a filter that needs a plug-in; save it uncompressed or with gzip."
            )
        if found.shape is None:
            raise UnreadableScan(f"{name} in {file} is empty; choose another file.")
        announced = math.prod(found.shape) * found.dtype.itemsize
        stored = min(found.id.get_storage_size(), self.size)
        holds = stored * _BEST_COMPRESSION if filters else stored
        chunk = math.prod(found.chunks or ()) * found.dtype.itemsize
        if announced > holds or chunk > _LARGEST_CHUNK or len(found.shape) > 32:
            raise UnreadableScan(
                f"{file} announces {announced:,} bytes for {name} but holds at most {holds:,}, so it was cut off or "
                "is damaged; copy it again."
            )


class _ArrayInHdf5:
    """A chunked or compressed dataset; holds its file open."""

    def __init__(self, file: Hdf5File, dataset: h5py.Dataset, kind: np.dtype[Any]) -> None:
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype = kind
        self._file = file
        self._dataset = dataset

    def read(self, index: Index) -> NDArray[Any]:
        """See `StoredArray.read`."""
        with self._file.telling():
            found = np.asarray(self._dataset[index])
            return found.view(self.dtype) if found.dtype.names else found


def number_type(stored: np.dtype[Any]) -> np.dtype[Any] | None:
    """The NumPy type of numbers as HDF5 keeps them, MATLAB's ``{real, imag}`` pairs included; None of anything else."""
    if stored.kind in "biufc" and stored.itemsize in (1, 2, 4, 8, 16):
        return stored
    if stored.names is not None and len(stored.names) == 2 and stored.fields is not None:
        (first, start), (second, offset) = (stored.fields[name][:2] for name in stored.names)
        is_pair = first == second and first.kind == "f" and first.itemsize in (4, 8)
        if is_pair and (start, offset, stored.itemsize) == (0, first.itemsize, 2 * first.itemsize):
            return np.dtype(np.complex64 if first.itemsize == 4 else np.complex128).newbyteorder(first.byteorder)
    return None
