"""fastMRI's networks and ISTA-Net+ go the whole way: learn by every strategy, are merged, reconstruct, are compared."""

import json

import numpy as np
import pytest
import torch
from heads import write_head, write_raw_head
from safetensors.torch import save_file

from napari_mritransfer import load
from napari_mritransfer.io import Scan, save
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.recon.network import Unsuitable
from napari_mritransfer.study.comparison import compare
from napari_mritransfer.study.methods import resolve_methods
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.loop import JobFailed, finetune
from napari_mritransfer.zoo.weights import build

PATTERN = SamplingPattern(rate=0.5, acs=0.25)
SMALL = {
    "unet": {"chans": 4, "pools": 2},
    "varnet": {"cascades": 2, "chans": 4, "pools": 2, "sens_chans": 2, "sens_pools": 2},
    "istanet": {"layers": 2, "width": 4},
}


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    return {
        "image": str(write_head(folder / "image.nii.gz", slices=6)),
        "raw": str(write_raw_head(folder / "raw.h5", slices=6)),
    }


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The networks with fresh weights, as files."""
    folder = tmp_path_factory.mktemp("bases")
    for name, settings in SMALL.items():
        torch.manual_seed(0)
        metadata = {"architecture": name, "settings": json.dumps(settings)}
        state = {key: tensor.contiguous() for key, tensor in build(name, settings).state_dict().items()}
        save_file(state, folder / f"{name}.safetensors", metadata)
    return {name: str(folder / f"{name}.safetensors") for name in SMALL}


def config(base, scan, strategy, **changes):
    settings = {
        "slices": 2, "validation_slices": 2, "pattern": PATTERN, "epochs": 2, "steps_per_epoch": 4, "batch": 2,
        "device": "cpu", **changes,
    }  # fmt: skip
    return FinetuneConfig(base, (scan,), (scan,), strategy=strategy, **settings)


@pytest.mark.parametrize("strategy", ["pretrained", "scratch", "ft", "lft"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [("unet", "image"), ("unet", "raw"), ("varnet", "image"), ("varnet", "raw"), ("istanet", "image")],
)
def test_every_strategy_works_on_every_published_network(name, kind, strategy, scans, bases, tmp_path):
    run = tmp_path / "run"
    result = finetune(config(bases[name], scans[kind], strategy), lambda event: None, lambda: False, run=run)
    assert result.finished
    assert (result.trainable > 0) == (strategy != "pretrained")
    methods = resolve_methods(["zero-filled", str(run)], bases[name])
    comparison = compare(scans[kind], methods, Sampling(PATTERN), device="cpu")
    image = comparison.images[strategy]
    assert image.shape == load(scans[kind]).image.shape
    assert np.isfinite(image).all()


@pytest.mark.parametrize("name", SMALL)
def test_a_step_of_learning_changes_what_comes_out(name, scans, bases, tmp_path):
    settings = config(bases[name], scans["image"], "ft", steps_per_epoch=20, learning_rate=3e-3)
    result = finetune(settings, lambda event: None, lambda: False, run=tmp_path / "run")
    assert result.best_psnr > result.pretrained_psnr


def test_istanet_learns_with_its_symmetry_loss(scans, bases, tmp_path, monkeypatch):
    """Drop the penalty and the weights end elsewhere."""
    ends = []
    for drops in (False, True):
        if drops:
            monkeypatch.setattr("napari_mritransfer.networks.istanet._SYMMETRY_WEIGHT", 0.0)
        run = tmp_path / f"run{drops}"
        finetune(config(bases["istanet"], scans["image"], "ft"), lambda event: None, lambda: False, run=run)
        ends.append(compare(
            scans["image"], resolve_methods([str(run)], bases["istanet"]), Sampling(PATTERN), device="cpu"
        ).images["ft"])  # fmt: skip
    assert not np.array_equal(*ends)


def test_istanet_refuses_complex_scans_by_name(scans, bases, tmp_path):
    with pytest.raises(Unsuitable, match="ISTA-Net\\+ works on magnitude images"):
        compare(scans["raw"], resolve_methods([bases["istanet"]], bases["istanet"]), Sampling(PATTERN), device="cpu")
    with pytest.raises(JobFailed, match="works on magnitude images"):
        finetune(config(bases["istanet"], scans["raw"], "ft"), lambda e: None, lambda: False, run=tmp_path / "run")


@pytest.mark.parametrize("name", ["unet", "varnet"])
def test_scans_whose_images_are_cropped_are_learned_from(name, scans, bases, tmp_path):
    """As fastMRI's are: the U-Net sees the part that is shown, the VarNet all of it."""
    whole = load(scans["raw"])
    cropped = KSpace(whole.kspace.shape, whole.kspace.slice, image_matrix=(24, 32))
    path = str(tmp_path / "cropped.h5")
    save(Scan.from_kspace(cropped, spacing_mm=(4, 2, 2), phase_encode="x", name="cropped"), path)
    assert load(path).image.shape[-2:] == (24, 32)
    result = finetune(config(bases[name], path, "ft"), lambda event: None, lambda: False, run=tmp_path / "run")
    assert result.finished
    methods = resolve_methods([str(tmp_path / "run")], bases[name])
    assert compare(path, methods, Sampling(PATTERN), device="cpu").images["ft"].shape == (1, 6, 24, 32)
