"""That a NIfTI file's numbers are simulated, in a comment of our own between header and voxels.

NIfTI has no word for it, and a simulated image must not come back as an acquisition. Programs that do not know the
comment pass over it; everything else between header and voxels stays as it was.
"""

from collections.abc import Iterator

import numpy as np

from napari_mritransfer.io.nifti_header import LARGEST_HEADER, NiftiHeader, recognised

_SIMULATED = b"napari-mritransfer: simulated"
_COMMENT = 6  # NIFTI_ECODE_COMMENT
_FLAG, _PREFIX, _ALIGNMENT = 4, 8, 16
_FOLLOWED, _NOT_FOLLOWED = b"\x01\0\0\0", bytes(4)


def says_simulated(block: bytes, name: str) -> bool:
    """Whether our comment says that the numbers are simulated.

    Parameters
    ----------
    block
        Header and extensions as they stand before the voxels.
    name
        Of the file, for messages.

    Raises
    ------
    UnreadableScan
        If the block is no NIfTI header.
    """
    return any(_content(block, start, stop) == _SIMULATED for start, stop in _extensions(block, name))


def saying_simulated(block: bytes, is_simulated: bool) -> bytes:
    """`block` with our comment or, where the numbers are not simulated, without; unchanged where that is so already.

    Raises
    ------
    UnreadableScan
        If the block is no NIfTI header.
    ValueError
        If other programs' comments leave no room for ours.
    """
    name = "The header"
    if says_simulated(block, name) is is_simulated:
        return block
    size, order = recognised(block, name)
    others = b"".join(
        block[start:stop] for start, stop in _extensions(block, name) if _content(block, start, stop) != _SIMULATED
    )
    ours = _extension(_SIMULATED, order) if is_simulated else b""
    behind = (_FOLLOWED if ours or others else _NOT_FOLLOWED) + ours + others
    if size + len(behind) > LARGEST_HEADER:
        raise ValueError("The header's comments leave no room to say that the image is simulated; save as a new file.")
    fields = NiftiHeader.parse(block, name).fields.copy()
    fields["vox_offset"] = size + len(behind)
    return bytes(fields.tobytes()) + behind


def _extension(content: bytes, order: str) -> bytes:
    length = -(-(_PREFIX + len(content)) // _ALIGNMENT) * _ALIGNMENT
    prefix = np.array([length, _COMMENT], dtype=order + "i4").tobytes()
    return (prefix + content).ljust(length, b"\0")


def _extensions(block: bytes, name: str) -> Iterator[tuple[int, int]]:
    """First byte and the one behind of every extension; a damaged one takes the rest with it."""
    size, order = recognised(block, name)
    place = size + _FLAG
    if len(block) < place or block[size] == 0:
        return
    while place + _PREFIX <= len(block):
        length = int(np.frombuffer(block, dtype=order + "i4", count=1, offset=place)[0])
        stop = place + length if length >= _PREFIX and place + length <= len(block) else len(block)
        yield place, stop
        place = stop


def _content(block: bytes, start: int, stop: int) -> bytes:
    """What an extension says, without the padding."""
    return block[start + _PREFIX : stop].rstrip(b"\0")
