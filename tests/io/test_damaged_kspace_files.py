"""Files that are broken, cut off or malicious: one sentence each, little memory, nothing executed."""

import io
import os
import pickle
import re
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from kspace_files import head, npy_bytes, small_files

from napari_mritransfer.io import UnreadableScan, load

ADVICE = re.compile(r"(copy|convert|download|check|choose|rename|correct|replace|split|crop|save|open|export)\b", re.I)
KSPACE = head()[0, 0]
ROOT = Path(__file__).parent.parent.parent


def refusal(path, **options):
    """The message: one sentence with advice, and no more than 8 MiB on the way to it."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableScan) as caught:
            load(path, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert peak < 8 << 20
    assert Path(path).stem in message
    assert message.endswith(".")
    assert not re.search(r"[!?]\s|\.\s", message), "more than one sentence"
    assert ADVICE.search(message), message
    return message


@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".mrd", ".cfl", ".hdr", ".npy", ".npz", ".mat"])
def test_empty_missing_folders_and_other_content(tmp_path, ending):
    path = tmp_path / f"head{ending}"
    assert "does not exist" in refusal(path)
    path.touch()
    (tmp_path / "head.hdr").touch()
    assert "0 bytes" in refusal(path)
    path.write_bytes(b"what is this" * 50)
    refusal(path)
    path.unlink()
    path.mkdir()
    if ending != ".cfl":  # whose .hdr is looked at first
        assert "folder" in refusal(path)


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_pickled_objects_are_never_opened(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"head{ending}"
    array = np.empty((8, 8), dtype=object)
    array[:] = Evil()
    (np.save if ending == ".npy" else np.savez)(path, array)
    assert "Python objects" in refusal(path)
    path.write_bytes(pickle.dumps(Evil()))
    refusal(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (9000000, 9000000), }", "ends after"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (99999999999999999999, 9, 9), }", "ends after"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (0, 8), }", "shape (0, 8)"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (-8, 8), }", "shape (-8, 8)"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (8,), }", "neither an image nor k-space"),
        ("{'descr': '<U8', 'fortran_order': False, 'shape': (8, 8), }", "plain array of numbers"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (8, 8), }", "plain array of numbers"),
        ("{'descr': '<c8', 'fortran_order': False}", "NumPy's header"),
        ("__import__('os').system('touch executed')", "NumPy's header"),
        ("(" * 90, "NumPy's header"),
        ("", "NumPy's header"),
    ],
)
def test_npy_headers_that_make_no_sense(tmp_path, header, said):
    path = tmp_path / "head.npy"
    path.write_bytes(npy_bytes(header, bytes(64)))
    assert said in refusal(path)


def test_nan_in_what_is_looked_at_first(tmp_path):
    bad = KSPACE.copy()
    bad[1, 2, 3] = np.inf
    np.save(tmp_path / "head.npy", bad)
    assert "NaN, infinite" in refusal(tmp_path / "head.npy")
    np.save(tmp_path / "head.npy", np.where(np.eye(20) > 0, np.nan, 1.0))
    assert "NaN, infinite" in refusal(tmp_path / "head.npy")


def test_zip_bombs_are_not_unpacked(tmp_path):
    """10 MB of zeros in a few kB; and a member that announces more than it can hold."""
    stream = io.BytesIO()
    np.save(stream, np.zeros((1200, 1100), np.complex64))
    with zipfile.ZipFile(tmp_path / "head.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy_bytes("{'descr': '<c8', 'fortran_order': False, 'shape': (90000, 90000), }"))
    assert "announces" in refusal(tmp_path / "head.npz")


def test_a_matlab_array_of_absurd_size_allocates_nothing(tmp_path):
    path = tmp_path / "head.mat"
    scipy.io.savemat(path, {"kspace": KSPACE})
    content = bytearray(path.read_bytes())
    at = content.index((4).to_bytes(4, "little") + (32).to_bytes(4, "little") + (24).to_bytes(4, "little"))
    content[at : at + 12] = (2**30).to_bytes(4, "little") * 3
    path.write_bytes(content)
    assert "no sound MATLAB file" in refusal(path)


def test_matlab_4_is_told_what_to_do(tmp_path):
    scipy.io.savemat(tmp_path / "head.mat", {"kspace": KSPACE[0]}, format="4")
    assert "-v7" in refusal(tmp_path / "head.mat")


def with_kspace(path, make):
    with h5py.File(path, "w") as file:
        make(file)
    return path


def test_hdf5_stays_within_the_file(tmp_path):
    """External, soft and virtual data are refused whatever they point to, even if it is sound."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kspace"] = KSPACE[np.newaxis]
    (tmp_path / "raw.bin").write_bytes(KSPACE.tobytes())

    def virtual(file):
        layout = h5py.VirtualLayout((1, *KSPACE.shape), KSPACE.dtype)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "kspace", (1, *KSPACE.shape))
        file.create_virtual_dataset("kspace", layout)

    makers = {
        "behind a link": lambda file: file.__setitem__("kspace", h5py.ExternalLink("other.h5", "/kspace")),
        "a link, which": lambda file: (file.__setitem__("a", KSPACE[None]),
                                       file.__setitem__("kspace", h5py.SoftLink("/a"))),
        "in another file": lambda file: file.create_dataset(
            "kspace", (1, *KSPACE.shape), np.complex64, external=[(str(tmp_path / "raw.bin"), 0, KSPACE.nbytes)]
        ),
        "which is not opened": virtual,
    }  # fmt: skip
    for place, (said, make) in enumerate(makers.items()):
        assert said in refusal(with_kspace(tmp_path / f"head{place}.h5", make))


def test_hdf5_that_announces_more_than_it_holds(tmp_path):
    def never_written(file):
        file.create_dataset("kspace", (1000, 16, 640, 368), np.complex64)

    assert "holds at most 0" in refusal(with_kspace(tmp_path / "head.h5", never_written))

    def in_chunks(file):
        file.create_dataset("kspace", (1000, 16, 640, 368), np.complex64, chunks=(1, 1, 64, 64), compression="gzip")

    assert "holds at most 0" in refusal(with_kspace(tmp_path / "chunks.h5", in_chunks))


def test_filters_that_need_a_plug_in_are_refused(tmp_path):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1, 4, 32, 24))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())  # zstandard
    with h5py.File(tmp_path / "head.h5", "w") as file:
        space = h5py.h5s.create_simple((1, 4, 32, 24))
        h5py.h5d.create(file.id, b"kspace", h5py.h5t.py_create(np.dtype("c8")), space, plist)
    assert "filter that needs a plug-in" in refusal(tmp_path / "head.h5")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    return {name: (folder / name).read_bytes() for name in small_files(folder)}


NAMES = ("array.npy", "arrays.npz", "bart.cfl", "bart.hdr", "compressed.mat", "plain.mat")
HDF5_NAMES = ("fastmri.h5", "ismrmrd.mrd", "matlab73.mat")


def looked_at(folder, name, content, sound):
    for other in sound:
        if other.partition(".")[0] == name.partition(".")[0]:
            Path(folder, other).write_bytes(sound[other])
    Path(folder, name).write_bytes(content)
    scan = load(Path(folder, name))
    return np.asarray(scan.image[0, scan.image.shape[1] // 2])


@settings(max_examples=60)
@given(name=st.sampled_from([*NAMES, *HDF5_NAMES]), kept=st.floats(0, 1, exclude_max=True))
def test_every_cut_is_told_or_harmless(sound, name, kept):
    """What is missing at the end of a .hdr, or of unused space, may be nothing; else it is told."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            looked_at(folder, name, sound[name][: int(kept * len(sound[name]))], sound)
        except UnreadableScan:
            return
        assert name in ("bart.hdr", "ismrmrd.mrd") or kept > 0.99


@settings(max_examples=300)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_damage_anywhere_is_told_or_harmless(sound, name, data):
    content = bytearray(sound[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content), 400)) | st.integers(0, len(content)))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        if data.draw(st.booleans()):
            content[at : at + len(patch)] = patch
        elif data.draw(st.booleans()):
            content[at:at] = patch
        else:
            del content[at : at + len(patch)]
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        try:
            assert np.isfinite(looked_at(folder, name, content, sound)).all()
        except UnreadableScan:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 64 << 20


@pytest.mark.skipif(os.name != "posix", reason="limits of memory are POSIX's")
def test_damaged_hdf5_neither_crashes_nor_hangs():
    """In processes of their own with limits, for it is a C library that meets the damage."""
    for name in HDF5_NAMES:
        command = [sys.executable, str(ROOT / "scripts" / "fuzz_readers.py"), "--cases", "40", "--only", name]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "refused" in result.stdout
