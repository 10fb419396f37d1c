"""Small scans, a tiny network and the boards made of them, each made once."""

import nibabel
import numpy as np
import pytest
import torch
from boards import AS_IT_IS, SAMPLING, call
from heads import write_head, write_tiny_base

from napari_mritransfer import load
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.undersampling import undersample, zero_filled


@pytest.fixture(scope="session")
def head(tmp_path_factory):
    return str(write_head(tmp_path_factory.mktemp("scans") / "head.nii.gz", seed=4))


@pytest.fixture(scope="session")
def raw(tmp_path_factory):
    """Two frames of a complex head that was undersampled along y when it was "acquired"."""
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    image = load(write_head(folder / "magnitude.nii.gz", seed=5, slices=3)).image[0]
    frames = np.stack([image, 0.5 * image]) * np.exp(0.5j) + rng.normal(size=(2, *image.shape))
    made = undersample(torch.from_numpy(frames), SamplingPattern(rate=0.4), crop_to_support=False)
    voxels = np.transpose(zero_filled(made).numpy(), (3, 2, 1, 0))
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([2.0, 2.0, 4.0, 1.0])), folder / "raw.nii.gz")
    return str(folder / "raw.nii.gz")


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return str(write_tiny_base(tmp_path_factory.mktemp("models") / "tiny.safetensors"))


@pytest.fixture(scope="session")
def board(head, base, tmp_path_factory):
    out = tmp_path_factory.mktemp("boards") / "board"
    return out, call("compare", scan=head, methods=["zero-filled", base], sampling=SAMPLING, out=str(out))


@pytest.fixture(scope="session")
def board_without_reference(raw, base, tmp_path_factory):
    out = tmp_path_factory.mktemp("boards") / "board"
    return out, call("compare", scan=raw, methods=["zero-filled", base], sampling=AS_IT_IS, out=str(out))
