"""What a frozen network makes of every scan, kept so that it is computed once: features, and whether a scan will do."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.cohort.reuse.model import SfcnModel
from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.zoo.download import cache_folder, sha256_of

_VERSION = 3  # of how scans are prepared and checked: entries of another one are not used


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """What is known of one scan.

    Attributes
    ----------
    features
        ``(features,)`` float32; None where the scan cannot be used.
    kind, sentence
        Why it cannot; empty otherwise.
    said
        How it was prepared.
    small
        Size of a brain that seems not to be scaled, relative to the template; None of others.
    """

    features: NDArray[np.float32] | None
    kind: str = ""
    sentence: str = ""
    said: tuple[str, ...] = ()
    small: float | None = None


class FeatureCache:
    """Entries by what is in the image file, what is in the network, and what was done in between.

    Parameters
    ----------
    model
        Frozen.
    check_brains
        Whether scans were checked for a brain.
    folder
        Where all networks' entries lie; ``features`` in the folder of fetched weights if omitted.
    """

    def __init__(self, model: SfcnModel, *, check_brains: bool, folder: Path | None = None) -> None:
        how = {
            "version": _VERSION, "preparation": model.facts.preparation.as_record(), "grid": list(model.network.grid),
            "brain": model.facts.brain_only and check_brains,
        }  # fmt: skip
        name = hashlib.sha256(f"{model.sha256}|{json.dumps(how, sort_keys=True)}".encode()).hexdigest()[:32]
        self.folder = (folder or cache_folder() / "features") / name

    def get(self, image: Path) -> Examined | None:
        """The entry of an image; None if there is none, or a damaged one."""
        try:
            with self._path(image).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                features = np.asarray(file["features"], dtype=np.float32)
                told = json.loads(str(file["told"]))
            usable = bool(features.size)
            if usable and not (features.ndim == 1 and np.isfinite(features).all()):
                return None
            kind, sentence = str(told["kind"]), str(told["sentence"])
            if usable == bool(kind):
                return None
            small = None if told["small"] is None else float(told["small"])
            return Examined(features if usable else None, kind, sentence, tuple(map(str, told["said"])), small)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, RuntimeError, MemoryError):
            return None  # whatever zipfile and NumPy make of a damaged file

    def put(self, image: Path, entry: Examined) -> None:
        """Keep an entry, in one go; where that is not possible the scan is looked at again next time."""
        features = np.zeros(0, np.float32) if entry.features is None else entry.features
        told = json.dumps(
            {"kind": entry.kind, "sentence": entry.sentence, "said": list(entry.said), "small": entry.small}
        )
        with suppress(OSError):  # a full disk or a folder of somebody else must not end hours of work
            path = self._path(image)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial, partial.open("wb") as stream:
                np.savez(stream, features=features, told=np.array(told))

    def _path(self, image: Path) -> Path:
        return self.folder / f"{hash_of(image)}.npz"


def hash_of(image: Path) -> str:
    """SHA-256 of an image file."""
    status = image.stat()
    return _hash_of(str(image), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_of(path: str, size: int, modified: int) -> str:
    """SHA-256 of a file, read once in a process unless it changes."""
    return sha256_of(Path(path))


@torch.no_grad()
def features_of(model: SfcnModel, volume: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    """``(features,)`` of one prepared and cropped volume ``(i, j, k)``."""
    model.network.to(device)
    return model.network.features(as_input(volume).to(device))[0].cpu().numpy()


def as_input(volume: NDArray[np.float32]) -> Tensor:
    """``(1, 1, i, j, k)`` in the order of memory that convolutions are fastest with."""
    tensor = torch.from_numpy(np.ascontiguousarray(volume))[None, None]
    return tensor.contiguous(memory_format=torch.channels_last_3d)
