"""Jobs on small heads with a small network that take a fraction of a second."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from heads import write_head, write_tiny_base

from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.training import events
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.loop import JobFailed, finetune


def small_config(folder, **changes):
    """Two epochs of three steps on one subject, judged on another; files are written into `folder` on first use."""
    base, train, validation = folder / "base.safetensors", folder / "sub-01" / "t2.nii", folder / "sub-02" / "t2.nii"
    if not base.exists():
        write_head(train, seed=1)
        write_head(validation, seed=2)
        write_tiny_base(base)
    settings = {
        "model": str(base), "train": (str(train),), "validation": (str(validation),), "strategy": "lft",
        "slices": 3, "validation_slices": 2, "pattern": SamplingPattern(rate=0.35, acs=0.1), "batch": 2,
        "epochs": 2, "steps_per_epoch": 3, "strip_rows": 16, "device": "cpu", "precision": "float32",
    }  # fmt: skip
    return FinetuneConfig(**(settings | changes))


def write_air(path, slices=8):
    """A scan of nothing."""
    nib.save(nib.Nifti1Image(np.zeros((40, 48, slices), dtype=np.uint16), np.diag([-2.0, -2.0, 4.0, 1.0])), path)
    return str(path)


def names_of(events):
    """The kinds of events, without the many steps and checkpoints."""
    kinds = [event["event"] if isinstance(event, dict) else type(event).__name__ for event in events]
    return [kind for kind in kinds if kind not in ("StepDone", "Checkpointed")]


def weights(run):
    """The bytes of what a run learned."""
    return [(Path(run) / name).read_bytes() for name in ("best.safetensors", "last.safetensors")]


def fails(config, run, match, **options):
    """The job ends with one Failed event that says the same as the exception."""
    told = []
    with pytest.raises(JobFailed, match=match) as caught:
        finetune(config, told.append, run=run, **options)
    assert isinstance(told[-1], events.Failed)
    assert told[-1].reason == str(caught.value)
    assert sum(isinstance(event, events.TERMINAL) for event in told) == 1
    return told, caught.value
