"""NIfTI files of every geometry, written by nibabel: the reader under test has no hand in them."""

from pathlib import Path

import nibabel as nib
import numpy as np
from hypothesis import strategies as st

AXIAL_LPS = np.diag([-0.7, -0.7, 4.0, 1.0])


@st.composite
def affines(draw):
    """Any order and direction of the axes, tilted by up to 30° about a random axis, 0.3 to 6 mm, float32-exact."""
    permutation = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    spacing = draw(st.tuples(*[st.sampled_from([0.3, 0.7, 1.0, 1.2, 4.0, 6.0])] * 3))
    angle = np.radians(draw(st.sampled_from([0.0, 0.5, 8.0, 30.0])))
    about = np.array(draw(st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, -1)])), dtype=float)
    x, y, z = about / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine = np.eye(4)
    affine[:3, :3] = rotation @ (np.eye(3)[:, permutation] * np.multiply(signs, spacing))
    affine[:3, 3] = draw(st.tuples(*[st.integers(-200, 200)] * 3))
    return affine.astype(np.float32).astype(np.float64)


@st.composite
def nifti_images(draw):
    """A nibabel image, version 1 or 2, 3-D or 4-D, with a header full of things that are easily lost."""
    shape = draw(st.tuples(*[st.integers(1, 5)] * 3))
    if draw(st.booleans()):
        shape = (*shape, draw(st.integers(1, 3)))
    dtype = np.dtype(draw(st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8", "c8"])))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(100, 30, shape)
    order = draw(st.sampled_from("<>"))
    kind, header_kind = draw(
        st.sampled_from([(nib.Nifti1Image, nib.Nifti1Header), (nib.Nifti2Image, nib.Nifti2Header)])
    )
    header = header_kind(endianness=order)
    header.set_data_dtype(dtype.newbyteorder(order))
    image = kind(np.clip(values, 0, 200).astype(dtype), draw(affines()), header)
    image.set_sform(image.affine, code=draw(st.integers(0, 4)))
    image.set_qform(image.affine, code=draw(st.integers(0, 4)))
    image.header.set_dim_info(*draw(st.sampled_from([(None, None, None), (0, 1, 2), (1, 0, 2), (2, 1, 0)])))
    image.header["descrip"] = b"TE=92;sec=39"
    image.header["intent_name"] = b"anatomy"
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2.5
    if draw(st.booleans()):
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept as it is"))
    return image


def written(path: Path, voxels: np.ndarray, affine: np.ndarray = AXIAL_LPS) -> Path:
    """A NIfTI-1 file with `voxels` in the file's order."""
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


def patched(path: Path, **fields: object) -> Path:
    """Overwrite header fields of an uncompressed little-endian NIfTI-1 file: what no tidy writer would write."""
    data = bytearray(path.read_bytes())
    header = np.frombuffer(data, dtype=nib.nifti1.header_dtype.newbyteorder("<"), count=1)
    for field, value in fields.items():
        header[field] = value
    path.write_bytes(data)
    return path
