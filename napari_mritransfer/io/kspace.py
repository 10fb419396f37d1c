"""Cartesian k-space, read slice by slice when somebody looks at it."""

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.lazy import LazyStack
from napari_mritransfer.physics.centred import centre_crop, inverse_transform
from napari_mritransfer.physics.extent import measured_box

ReadSlice = Callable[[int, int], NDArray[np.complex64]]
Shape = tuple[int, int, int, int, int]

LARGEST_BYTES = 16 << 30  # of one whole array in memory
_KEPT_SLICES = 2  # several layers show the same slice: it is read once
_LARGEST_KEPT = 256 << 20


class KSpace:
    """Multi-coil k-space ``(frame, slice, coil, ky, kx)`` behind a function that reads one slice.

    Attributes
    ----------
    shape
        (frame, slice, coil, ky, kx); DC at index ``n // 2`` of the last two.
    declared
        ``(ky, kx)`` bool, True where the file says that it was measured; None where it says nothing.
    padded
        ``(ky, kx)`` bool, True where the file says that zeros were filled in; None where it says nothing.
    image_matrix
        ``(y, x)`` that images made from it are centre-cropped to: smaller than (ky, kx) where the readout was
        oversampled or the file names a smaller reconstruction.

    Parameters
    ----------
    read_slice
        ``(frame, slice) -> (coil, ky, kx)`` complex64; may raise `UnreadableScan`. Called from any thread, one at a
        time.
    """

    def __init__(
        self,
        shape: Shape,
        read_slice: ReadSlice,
        *,
        declared: NDArray[np.bool_] | None = None,
        padded: NDArray[np.bool_] | None = None,
        image_matrix: tuple[int, int] | None = None,
    ) -> None:
        self.shape = shape
        self.declared = declared
        self.padded = padded
        self.image_matrix = image_matrix or shape[-2:]
        self._read_slice = read_slice
        self._kept: OrderedDict[tuple[int, int], NDArray[np.complex64]] = OrderedDict()
        self._lock = threading.Lock()
        self._measured: NDArray[np.bool_] | None = None

    @classmethod
    def from_array(cls, array: NDArray[np.complexfloating]) -> "KSpace":
        """K-space that is in memory already: ``(frame, slice, coil, ky, kx)``, DC in the centre.

        Raises
        ------
        ValueError
            If it has not five axes.
        """
        if array.ndim != 5:
            raise ValueError(f"K-space has the 5 axes (frame, slice, coil, ky, kx), not {array.ndim}.")
        whole = np.asarray(array, dtype=np.complex64)
        frames, slices, coils, rows, columns = whole.shape
        return cls((frames, slices, coils, rows, columns), lambda frame, index: whole[frame, index])

    def described(
        self,
        *,
        declared: NDArray[np.bool_] | None,
        padded: NDArray[np.bool_] | None,
        image_matrix: tuple[int, int] | None,
    ) -> "KSpace":
        """The same samples with what else is known of them."""
        return KSpace(
            self.shape, self._read_slice, declared=declared, padded=padded, image_matrix=image_matrix
        )  # fmt: skip

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * 8

    @property
    def n_coils(self) -> int:
        """Receive coils; 1 where they were combined."""
        return self.shape[2]

    def slice(self, frame: int, index: int) -> NDArray[np.complex64]:
        """One slice, ``(coil, ky, kx)``; not to be changed, for it may be handed out again.

        Raises
        ------
        UnreadableScan
            If the file cannot be read there.
        """
        with self._lock:
            if (frame, index) in self._kept:
                self._kept.move_to_end((frame, index))
                return self._kept[frame, index]
            found = self._read_slice(frame, index)
            found.flags.writeable = False
            if found.nbytes <= _LARGEST_KEPT:
                self._kept[frame, index] = found
                while len(self._kept) > _KEPT_SLICES:
                    self._kept.popitem(last=False)
            return found

    def array(self) -> NDArray[np.complex64]:
        """All of it, ``(frame, slice, coil, ky, kx)``.

        Raises
        ------
        UnreadableScan
            If it is larger than 16 GiB or the memory that is free, cannot be read, or holds NaN or infinite samples.
        """
        if self.nbytes > LARGEST_BYTES:
            raise UnreadableScan(
                f"The k-space takes {self.nbytes / 2**30:.1f} GiB, more than the 16 GiB that are loaded at once; "
                "choose fewer slices."
            )
        try:
            whole = np.empty(self.shape, dtype=np.complex64)
        except MemoryError:
            raise UnreadableScan(
                f"The k-space needs {self.nbytes / 2**30:.1f} GiB of free memory; close other programs or choose "
                "fewer slices."
            ) from None
        for frame, index in np.ndindex(self.shape[:2]):
            found = whole[frame, index]
            found[...] = self.slice(frame, index)
            parts = found.reshape(-1).view(np.float32)
            # a sum of squares is not finite if any sample is not, and costs a fraction of looking at each
            if not np.isfinite(np.dot(parts, parts)) and not np.isfinite(parts).all():
                raise _not_finite(index)
        return whole

    def coil_images(self, frame: int, index: int) -> NDArray[np.complex64]:
        """``(coil, y, x)`` of one slice on `image_matrix`: the zero-filled inverse transform of what is there."""
        return centre_crop(inverse_transform(self.slice(frame, index)), self.image_matrix)

    def root_sum_of_squares(self, frame: int, index: int) -> NDArray[np.float32]:
        """``(y, x)`` magnitude of one slice over all coils, on `image_matrix`.

        Raises
        ------
        UnreadableScan
            If samples are NaN or infinite.
        """
        images = self.coil_images(frame, index)
        with np.errstate(over="ignore", invalid="ignore"):
            power = np.sum(images.real**2 + images.imag**2, axis=0, dtype=np.float32)
        if not np.isfinite(power).all():  # one sample that is no number spoils the whole transform
            raise _not_finite(index)
        return np.sqrt(power)

    def measured(self) -> NDArray[np.bool_]:
        """``(ky, kx)`` bool: what was measured in any slice and coil of frame 0; as the file declares, where it does.

        Samples that were not measured are exactly zero in every raw format read here. Of long stacks three slices are
        looked at: an unmeasured sample is zero in all of them.
        """
        if self.declared is not None:
            return self.declared
        if self._measured is None:
            n_slices = self.shape[1]
            found = np.zeros(self.shape[-2:], dtype=bool)
            for index in sorted({0, n_slices // 2, n_slices - 1}):
                found |= np.any(self.slice(0, index) != 0, axis=0)
            found.flags.writeable = False
            self._measured = found
        return self._measured

    def box(self) -> tuple[int, int]:
        """``(ky, kx)`` of the centred box that the scanner reached; all beyond is zero-padding.

        Where the file does not say, it is the smallest one that holds every measured sample.

        Raises
        ------
        ValueError
            If nothing was measured.
        """
        sampled = self.measured()
        return measured_box(sampled if self.padded is None else sampled | ~self.padded)

    def image(self) -> LazyStack:
        """Lazy ``(frame, slice, y, x)`` root-sum-of-squares image, float32; one coil's magnitude is the same thing."""
        return LazyStack(
            self.shape[:2], self.image_matrix, np.float32, lambda at: self.root_sum_of_squares(at[0], at[1])
        )


def _not_finite(index: int) -> UnreadableScan:
    return UnreadableScan(
        f"Slice {index} holds samples that are NaN, infinite or beyond float32's range; replace them, for example by "
        "0, and save the file again."
    )
