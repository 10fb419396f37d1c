"""Checkpoints as other programs write them, and what is done to them."""

import re
import zipfile

import pytest
import torch

from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.weights import load_file

both_formats = pytest.mark.parametrize("archive", [True, False], ids=["archive", "legacy"])


def saved(path, content, archive=True):
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    return path


def refusal(path):
    """The message, which has to be one sentence that ends in advice."""
    with pytest.raises(UnreadableWeights) as caught:
        load_file(path)
    message = str(caught.value)
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message.replace("…", "")), "more than one sentence"
    return message


def rewritten(path, change):
    """Change the pickle inside a checkpoint of either format."""
    if not zipfile.is_zipfile(path):
        before = path.read_bytes()
        path.write_bytes(change(before))
        assert path.read_bytes() != before
        return
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in entries if name.endswith("data.pkl"))
    before, entries[name] = entries[name], change(entries[name])
    assert entries[name] != before
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def as_on_a_gpu(content, storage=b"torch"):
    """A pickle of tensors as one that was written where they lay on a GPU."""
    elsewhere = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    return elsewhere.replace(b"ctorch\nFloatStorage", b"c" + storage + b"\nFloatStorage")


class Harm:
    """Runs a command when it is unpickled."""

    def __init__(self, target, *arguments):
        self.what = (target, arguments)

    def __reduce__(self):
        return self.what
