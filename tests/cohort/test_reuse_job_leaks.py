"""The same for all that the job does with a method, networks that learn included: see `leaks`."""

import numpy as np
import pytest
import torch
from cohorts_in_memory import cohort, config
from leaks import Everything, leaks, learns

from napari_mritransfer.cohort.data import label_of
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.catalogue import BASELINE, reuse_method, reuse_methods
from napari_mritransfer.cohort.reuse.classical import gram
from napari_mritransfer.cohort.reuse.material import Material
from napari_mritransfer.cohort.reuse.model import SfcnFacts, SfcnModel
from napari_mritransfer.cohort.reuse.plan import Fit, kept_together, outer_folds
from napari_mritransfer.networks.sfcn import SFCN

SETTINGS = {"widths": [2, 3, 4], "outputs": 6, "grid": [9, 11, 8]}
CLASSES = ("none", "severe")
SCANS = 12


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    facts = SfcnFacts(Label("label", unit="years"), Bins(40.0, 8.0, 6, 8.0), Preparation(3.0, "mean"), False)
    return SfcnModel(SFCN(**SETTINGS).eval(), "own", "own", SETTINGS, facts, "0")


def study(task):
    """Volumes with a bright spot for the label."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(SCANS) % 2).astype(float) if task == "binary" else rng.uniform(45, 85, SCANS)
    volumes = rng.uniform(0.5, 1.5, (SCANS, *SETTINGS["grid"]))
    volumes[:, 4:6, 4:7, 3:5] += (y / y.max())[:, None, None, None]
    names = np.array([f"sub-{row:02d}" for row in range(SCANS)])
    return Everything(volumes.astype(np.float16), y, names, task, 2 if task == "binary" else 0)


def checked_of(everything):
    labels = [CLASSES[int(one)] for one in everything.y] if everything.classes else everything.y.tolist()
    return cohort(labels, classes=CLASSES[: everything.classes])


def in_the_job(name, model, *, corrects=False):
    """All from labels and volumes on, as the job has them for everybody."""

    @torch.no_grad()
    def material(everything):
        checked, volumes = checked_of(everything), torch.from_numpy(everything.x)[:, None]
        features = torch.cat([model.network.features(one[None].float()) for one in volumes]).double().numpy()
        asked = config(
            name, folds=3, inner_folds=2, epochs=2, device="cpu", bias_correction="all" if corrects else "off"
        )
        return Material(
            asked, checked, label_of(checked, checked.scans), model, everything.y, np.array(kept_together(checked)),
            features, volumes, gram(everything.x), {}, "cpu",
        )  # fmt: skip

    def method(everything, train, test):
        fit = Fit(name, 0, 0, 0, tuple(train.tolist()), tuple(test.tolist()))
        result, _ = material(everything).fit(fit)
        assert (result.corrected is None) != corrects
        return result.corrected if corrects else result.values

    return method


def first_fold(everything):
    return outer_folds(checked_of(everything), config(folds=3))[:1]


REGRESSION = [BASELINE.name, *(row.name for row in reuse_methods("regression"))]
BINARY = [BASELINE.name, *(row.name for row in reuse_methods("binary") if row.kind != "direct")]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("task", "name"), [*(("regression", name) for name in REGRESSION), *(("binary", name) for name in BINARY)]
)
def test_no_method_sees_who_is_tested(task, name, model):
    everything = study(task)
    method = in_the_job(name, model)
    assert learns(method, everything, first_fold(everything)[0]) == (reuse_method(name).kind != "direct")
    assert leaks(method, everything, first_fold(everything)) == set()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", [BASELINE.name, "direct", "features-ridge", "final-layer", "full", "classical"])
def test_no_correction_of_the_job_sees_who_else_is_tested(name, model):
    everything = study("regression")
    found = leaks(in_the_job(name, model, corrects=True), everything, first_fold(everything), knows_own_label=True)
    assert found == set()


def test_direct_says_the_same_wherever_the_labels_of_others_lie(model):
    """Bins are those that the network learned, also for a cohort of children."""
    everything = study("regression")
    young = Everything(everything.x, everything.y - 40, everything.groups)
    train, test = np.arange(8), np.arange(8, SCANS)
    says = in_the_job("direct", model)
    np.testing.assert_array_equal(says(young, train, test), says(everything, train, test))
