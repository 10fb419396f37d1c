"""Slice-set networks small enough for tests, and models of them."""

import numpy as np
import torch

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.model import CohortModel, Facts
from napari_mritransfer.cohort.preparation import Preparation, prepare
from napari_mritransfer.io import Scan
from napari_mritransfer.networks.sliceset import SliceSet

SPACING_MM = 12.0  # 16 x 19 x 16 voxels
AGE = Label("age", "regression", "years", (), 60.0, 10.0)
DISEASE = Label("group", "binary", classes=("healthy", "diseased"))


def network(seed=0, **options):
    """A network with weights away from zeros and ones, which would hide what they belong to."""
    torch.manual_seed(seed)
    made = SliceSet(
        **({"grid": Grid(SPACING_MM).shape, "widths": (4, 8), "features": 8, "code": 6} | options)
    ).eval()  # fmt: skip
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


def model(seed=0, *, label=AGE, spacing_mm=SPACING_MM, facts=(), title="", **options):
    """A model of such a network."""
    made = network(seed, outputs=label.outputs, grid=Grid(spacing_mm).shape, **options)
    name = title or f"tiny-{seed}"
    return CohortModel(made, name, name, {}, Facts(label, Preparation(spacing_mm), **dict(facts)), f"{seed}")


def head(seed=0, spacing_mm=SPACING_MM):
    """``(i, j, k)`` float32: an ellipsoid of tissue with structure, in air."""
    shape = Grid(spacing_mm).shape
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    texture = 100 + 20 * np.sin(4 * i + 3 * k) * np.cos(5 * j) + np.random.default_rng(seed).normal(0, 5, shape)
    return np.where(i**2 + j**2 + k**2 < 0.7, texture, 0).astype(np.float32)


def scan(seed=0, spacing_mm=SPACING_MM, **options):
    """That as a scan on the common grid."""
    return Scan.from_file_order(head(seed, spacing_mm), Grid(spacing_mm).affine, name=f"head-{seed}", **options)


def prepared(seed=0, spacing_mm=SPACING_MM):
    """That as networks see it."""
    return prepare(scan(seed, spacing_mm), Preparation(spacing_mm))
