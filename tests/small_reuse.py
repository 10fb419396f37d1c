"""A tiny SFCN for the cohort of `small_cohorts`, and what re-uses it in seconds."""

from pathlib import Path

import torch

from napari_mritransfer.cohort.crop import cropped_shape
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.model import SfcnFacts, save_sfcn
from napari_mritransfer.networks.sfcn import SFCN

AGE = Label("age", unit="years")
GRID = cropped_shape(13.0)
SETTINGS = {"widths": [4, 8, 8], "outputs": 40, "grid": list(GRID)}


def write_network(path: Path, *, brain_only: bool = False, seed: int = 0) -> Path:
    """Random weights; its batch norms have seen nothing."""
    torch.manual_seed(seed)
    facts = SfcnFacts(AGE, Bins(), Preparation(13.0, "mean"), brain_only)
    save_sfcn(path, SFCN(**SETTINGS), SETTINGS, facts)
    return path


def reuse_config(table: Path, model: Path, *methods: str, **changes: object) -> ReuseConfig:
    """Three folds; networks learn for two epochs."""
    usual = {"folds": 3, "inner_folds": 3, "epochs": 2, "device": "cpu"} | changes
    label = str(usual.pop("label", "age"))
    return ReuseConfig(str(table), label, str(model), methods or ("features-ridge",), **usual)
