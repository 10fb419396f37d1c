"""Looking into a pickle without running it: which names it would import, which memory it would ask for."""

import mmap
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar

from napari_mritransfer.zoo.errors import UnreadableWeights

LARGEST_BYTES = 4 * 2**30
_LARGEST_PICKLE = 64 * 2**20  # of structure alone; the tensors of an archive lie beside it
_ARCHIVE = b"PK\x03\x04"  # how the loader, too, tells the formats apart
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PICKLES = 5  # magic number, protocol, system, content, names of the storages; then raw numbers
CODEC = "_codecs.encode"
"""What pickles before protocol 3 make bytes with; the loader really calls it."""
_LONGEST_TEXT = 32  # bytes of the longest number there is, a complex one; texts of any length would take any memory
_ITEM_BYTES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ComplexFloatStorage": 8,
    "ComplexDoubleStorage": 16, "UntypedStorage": 1,
}  # fmt: skip


@dataclass
class Contents:
    """What a checkpoint holds, as far as its pickles tell.

    Attributes
    ----------
    names
        Dotted names that loading would import, in order of appearance.
    storages
        Bytes that each block of numbers announces, by its key.
    """

    names: list[str] = field(default_factory=list)
    storages: dict[str, int] = field(default_factory=dict)


def look_into(path: Path) -> Contents:
    """Names and sizes in a file written by ``torch.save``, in either of its formats; nothing in it is executed.

    Raises
    ------
    UnreadableWeights
        If it is no such file, is damaged, or announces more than it holds.
    """
    if not path.is_file():
        raise UnreadableWeights(f"There is no weights file at {path}; check the path.")
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise UnreadableWeights(f"{path.name} is larger than 4 GiB, which no network here needs; choose another file.")
    if size == 0:
        raise UnreadableWeights(f"{path.name} is empty; copy it again.")
    contents = Contents()
    try:
        with path.open("rb") as file:
            is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE
        records = _look_into_archive(path, contents) if is_archive else _look_into_legacy(path, contents)
    except UnreadableWeights:
        raise
    except Exception as error:  # a stranger's bytes can break a parser in any way; none of them is a bug of ours
        raise UnreadableWeights(
            f"{path.name} is no whole PyTorch checkpoint ({type(error).__name__}); copy it again or export it anew."
        ) from error
    lying = [key for key, announced in contents.storages.items() if announced > records.get(key, size)]
    if lying or sum(contents.storages.values()) > size:
        raise UnreadableWeights(
            f"{path.name} announces {sum(contents.storages.values()):,} bytes of numbers and does not hold them: "
            "it was cut off or tampered with, so copy it again."
        )
    return contents


def _look_into_archive(path: Path, contents: Contents) -> dict[str, int]:
    """Sizes of an archive's blocks of numbers, by their keys."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
        if packed:  # torch never packs, and a packed entry may unfold to any size
            raise UnreadableWeights(
                f"{path.name} holds packed entries, first '{packed[0]}', which PyTorch never writes; "
                "get the file again."
            )
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise UnreadableWeights(
                f"{path.name} announces more bytes than it has; it was tampered with, so do not use it."
            )
        pickles = [entry for entry in entries if entry.filename.endswith("data.pkl")]
        if len(pickles) != 1 or any(entry.filename.endswith("constants.pkl") for entry in entries):
            raise UnreadableWeights(
                f"{path.name} is no checkpoint with weights (a TorchScript program, perhaps); "
                "save the network's state_dict() with torch.save."
            )
        if pickles[0].file_size > _LARGEST_PICKLE:
            raise UnreadableWeights(f"{path.name} holds more structure than any network has; choose another file.")
        with archive.open(pickles[0]) as stream:
            _Inert(stream, contents).load()
        prefix = pickles[0].filename.removesuffix("data.pkl") + "data/"
        return {e.filename.removeprefix(prefix): e.file_size for e in entries if e.filename.startswith(prefix)}


def _look_into_legacy(path: Path, contents: Contents) -> dict[str, int]:
    """No sizes by key: the numbers follow each other at the end of the file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        first = _Inert(stream, contents).load()  # a mapping never reads past its end, whatever length is announced
        if contents.names or first != _LEGACY_MAGIC:
            if not contents.names:
                raise UnreadableWeights(f"{path.name} is a pickle, but no PyTorch checkpoint; choose another file.")
            return {}  # the names alone decide
        for _ in range(_LEGACY_PICKLES - 1):
            _Inert(stream, contents).load()
    return {}


class Nothing:
    """Stands for what a pickle imports or builds; takes everything and does nothing."""

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Take an item."""

    def extend(self, items: object) -> None:
        """Take items."""

    add = append


class _EncodedText(Nothing):
    """Stands for the few bytes of a number, which old pickles write as text; checks that it is no more than that."""

    def __init__(self, text: object, encoding: object = None) -> None:
        if not isinstance(text, str) or len(text) > _LONGEST_TEXT or encoding != "latin1":
            raise pickle.UnpicklingError("text that is not the bytes of one number")


class _Inert(pickle._Unpickler):
    """Unpickler that imports nothing.

    The pure Python one: the compiled one takes memory for whatever memo index a file names.
    """

    # without the one instruction that takes memory before it reads; torch never writes it
    dispatch: ClassVar[dict[int, Any]] = {
        code: load for code, load in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def __init__(self, stream: IO[bytes] | mmap.mmap, contents: Contents) -> None:
        super().__init__(stream)
        self._contents = contents

    def find_class(self, module: str, name: str) -> Any:
        dotted = f"{module}.{name}"
        if dotted not in self._contents.names:
            self._contents.names.append(dotted)
        return _EncodedText if dotted == CODEC else type(name.rpartition(".")[2], (Nothing,), {})

    def persistent_load(self, pid: Any) -> Any:
        if pid[0] == "module":  # a class with its source code; its name was noted when it was looked up
            return pid[1]
        kind, storage, key, _place, count = pid[:5]
        if kind != "storage" or not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("unknown kind of block")
        item = _ITEM_BYTES.get(getattr(storage, "__name__", ""), 16)
        self._contents.storages[str(key)] = max(self._contents.storages.get(str(key), 0), count * item)
        return Nothing()


def unknown(contents: Contents, allowed: frozenset[str]) -> Iterator[str]:
    """Names that loading would import and that are not allowed."""
    return (name for name in contents.names if name not in allowed)
