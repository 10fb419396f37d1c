import gzip
import os
import re
import tempfile
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nifti_files import AXIAL_LPS, patched, written

from napari_mritransfer.io import UnreadableScan, load

ADVICE = re.compile(r"(copy|convert|download|check|choose|rename|correct|replace|split|crop|export|save|drop)\b", re.I)


def refusal(path):
    """The message, which has to be one sentence that names the file and ends in advice; little memory on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableScan) as caught:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert peak < 8 << 20
    assert Path(path).name in message
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message), "more than one sentence"
    assert ADVICE.search(message), message
    return message


@pytest.fixture
def volume(tmp_path):
    return written(tmp_path / "head.nii", np.ones((8, 8, 4), dtype=np.float32))


@pytest.mark.parametrize("name", ["head.txt", "head", "head.gz", "head.img"])
def test_other_endings(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    assert ".nii.gz" in refusal(tmp_path / name)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mgz", ".mgh", ".NII"])
def test_empty_missing_and_folders(tmp_path, ending):
    path = tmp_path / f"head{ending}"
    assert "does not exist" in refusal(path)
    path.touch()
    assert "0 bytes" in refusal(path)
    path.unlink()
    path.mkdir()
    assert "folder" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "head.nii")
    assert "pipe" in refusal(tmp_path / "head.nii")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(volume):
    volume.chmod(0)
    assert "permission" in refusal(volume)


def test_compression_that_the_ending_denies(volume, tmp_path):
    plain_inside = tmp_path / "plain.nii.gz"
    plain_inside.write_bytes(volume.read_bytes())
    assert "not gzip-compressed" in refusal(plain_inside)
    gzip_inside = tmp_path / "compressed.nii"
    gzip_inside.write_bytes(gzip.compress(volume.read_bytes()))
    assert "rename it to .nii.gz" in refusal(gzip_inside)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sizeof_hdr": 347}, "does not start with a NIfTI header"),
        ({"magic": b"ni1"}, ".hdr/.img pair"),
        ({"magic": b""}, "signature"),
        ({"dim": [2, 8, 8, 1, 1, 1, 1, 1]}, "2-D image (8 x 8)"),
        ({"dim": [5, 8, 8, 1, 1, 3, 1, 1]}, "5-D image"),
        ({"dim": [0, 8, 8, 4, 1, 1, 1, 1]}, "0-D image"),
        ({"dim": [3, -8, 8, 4, 1, 1, 1, 1]}, "-8 x 8 x 4"),
        ({"dim": [3, 8, 0, 4, 1, 1, 1, 1]}, "8 x 0 x 4"),
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "ends after 1,376 of the 108,000,000,000,352 bytes"),
        ({"datatype": 128}, "colour (RGB)"),
        ({"datatype": 2304}, "colour (RGB)"),
        ({"datatype": 1}, "type 1"),
        ({"datatype": 1536}, "type 1536"),
        ({"vox_offset": 0}, "byte 0"),
        ({"vox_offset": 1e30}, "byte 1e+30"),
        ({"vox_offset": np.nan}, "byte nan"),
        ({"vox_offset": 4096}, "ends after"),
        ({"pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, "voxel size of 0 x 1 x 1 mm"),
        ({"pixdim": [1, np.nan, 1, 1, 1, 1, 1, 1]}, "voxel size of nan"),
        ({"srow_x": 0}, "cannot be inverted"),
        ({"srow_x": [1e20, 0, 0, 0]}, "voxel size of 1e+20"),
        ({"srow_y": np.inf}, "cannot be inverted"),
        ({"scl_slope": 2, "scl_inter": np.inf}, "scl_inter"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 3}, "quaternion"),
    ],
)
def test_headers_that_make_no_sense(volume, fields, said):
    assert said in refusal(patched(volume, **fields))


def test_absurd_sizes_in_a_compressed_file_allocate_nothing(volume, tmp_path):
    patched(volume, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    bomb = tmp_path / "bomb.nii.gz"
    bomb.write_bytes(gzip.compress(volume.read_bytes()))
    assert "too small to hold" in refusal(bomb)


def test_a_sparse_file_beyond_the_limit_is_not_loaded(volume):
    patched(volume, dim=[3, 2000, 2000, 2000, 1, 1, 1, 1])
    os.truncate(volume, 352 + 4 * 2000**3)
    assert "16 GiB" in refusal(volume)


def test_what_follows_the_voxels_is_counted_and_not_kept(volume, tmp_path):
    """4 MiB of zeros compress to 4 kB: the beginning of a decompression bomb."""
    path = tmp_path / "long.nii.gz"
    path.write_bytes(gzip.compress(volume.read_bytes() + bytes(4 << 20)))
    tracemalloc.start()
    scan = load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert any("ignored" in note for note in scan.notes)


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "f4"), (np.inf, "f4"), (1e300, "f8"), (np.nan, "c8")])
def test_voxels_that_are_no_numbers_are_counted(tmp_path, value, dtype):
    voxels = np.ones((4, 4, 4), dtype=dtype)
    voxels[1, :3, 2] = value
    assert "holds 3 voxels (of 64)" in refusal(written(tmp_path / "head.nii", voxels))


def test_negative_values_are_allowed_and_told(tmp_path):
    scan = load(written(tmp_path / "head.nii", np.full((4, 4, 4), -1, dtype=np.int16)))
    assert scan.image.min() == -1
    assert any("negative" in note for note in scan.notes)


SOUND = {}


def sound_file(ending):
    """A small sound file's bytes, made once."""
    if ending not in SOUND:
        voxels = np.random.default_rng(0).integers(0, 4000, (6, 5, 4, 2)).astype(np.int16)
        kind = nib.Nifti1Image if "nii" in ending else nib.MGHImage
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "sound" + ending)
            nib.save(kind(voxels, AXIAL_LPS), path)
            SOUND[ending] = path.read_bytes()
    return SOUND[ending]


# not .mgh: what follows its voxels is optional, so that a cut there is no damage
@settings(max_examples=60)
@given(st.sampled_from([".nii", ".nii.gz", ".mgz"]), st.floats(0, 1, exclude_max=True))
@example(".nii.gz", 0.9999)
@example(".nii", 0.9999)
@example(".mgz", 0.9999)
def test_every_cut_is_noticed(ending, kept):
    data = sound_file(ending)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cut" + ending)
        path.write_bytes(data[: int(kept * len(data))])
        refusal(path)


@settings(max_examples=150)
@given(st.sampled_from([".nii", ".nii.gz", ".mgz", ".mgh"]), st.data())
def test_damage_anywhere_is_told_or_harmless_but_never_a_crash(ending, data):
    """Bytes of the header overwritten at random: a scan comes back or UnreadableScan is raised, nothing else."""
    content = bytearray(sound_file(ending) if ending != ".mgh" else gzip.decompress(sound_file(".mgz")))
    if ending.endswith("gz") and data.draw(st.booleans()):  # inside the compression, past its checksum
        content = bytearray(gzip.decompress(content))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 351))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        content[at : at + len(patch)] = patch
    is_compressed = content[:2] == b"\x1f\x8b"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged" + ending)
        path.write_bytes(gzip.compress(content) if ending.endswith("gz") and not is_compressed else content)
        try:
            scan = load(path)
        except UnreadableScan:
            return
        assert np.isfinite(scan.image).all()
        assert np.isfinite(scan.affine).all()


@settings(max_examples=100)
@given(st.sampled_from([".nii", ".nii.gz", ".mgz", ".mgh"]), st.binary(max_size=600))
def test_random_bytes_are_unreadable_and_nothing_worse(ending, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "random" + ending)
        path.write_bytes(gzip.compress(content) if ending.endswith("gz") and len(content) % 2 else content)
        refusal(path)
