"""What methods learn from: labels, features, volumes, inner products of voxels; and one fit with it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.cohort.checks import CheckedCohort
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.calibration import bias_of, corrected
from napari_mritransfer.cohort.reuse.catalogue import ReuseMethod, reuse_method
from napari_mritransfer.cohort.reuse.classical import fit_classical
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.estimators import Fitted, fit_features, gradient
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.fitting import FitSettings, FittedNetwork, fit_network
from napari_mritransfer.cohort.reuse.head import head_for
from napari_mritransfer.cohort.reuse.inner import inner_split
from napari_mritransfer.cohort.reuse.model import SfcnModel
from napari_mritransfer.cohort.reuse.plan import Fit
from napari_mritransfer.cohort.table import CohortScan

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
OnStep = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

_INNER_FOLDS_OF_NETWORKS = 2  # each trains one more network


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Everything about the usable scans of a cohort; rows in the order of `CheckedCohort.scans`.

    Attributes
    ----------
    config
        The job.
    checked
        Who takes part.
    label
        To predict.
    model
        That is re-used.
    y
        ``(row,)`` numbers, or indices of classes.
    groups
        ``(row,)`` who must stay together.
    features
        ``(row, features)`` of the frozen network.
    volumes
        ``(row, 1, i, j, k)`` float16; None where no method needs them.
    products
        ``(row, row)``, see `classical.gram`; None likewise.
    said
        How each scan was prepared.
    device
        Where networks compute.
    """

    config: ReuseConfig
    checked: CheckedCohort
    label: Label
    model: SfcnModel
    y: Array
    groups: NDArray[np.str_]
    features: Array
    volumes: Tensor | None
    products: Array | None
    said: Mapping[CohortScan, tuple[str, ...]]
    device: str

    def fit(
        self, fit: Fit, on_step: OnStep = lambda done, total: None, should_stop: ShouldStop = lambda: False
    ) -> tuple[FitResult, FittedNetwork | None]:
        """Let a method learn from the training rows of one fold, and predict the tested ones.

        Labels of tested rows are looked at in two places only: where predictions are corrected, which says so, and
        where they are scored, which is not here.

        Raises
        ------
        ReconstructionStopped
            If `should_stop` said so.
        """
        began = time.perf_counter()
        row = reuse_method(fit.method)
        train, test = np.array(fit.train, dtype=np.intp), np.array(fit.test, dtype=np.intp)
        learned = self.learn(row, train, self.y[train], test, fit.repeat, on_step, should_stop)
        after = None
        if learned.inner is not None and self.config.bias_correction != "off":
            bias = bias_of(self.y[train], learned.inner)
            after = corrected(learned.values, self.y[test], bias)
        network = learned.network
        result = FitResult(
            fit.method, fit.size, fit.repeat, fit.fold, fit.site, fit.test, learned.values, after, learned.gradients,
            len(train), network.trainable if network is not None else 0, time.perf_counter() - began,
            dict(learned.fitted.chosen) if learned.fitted is not None else {},
            network.said if network is not None else (),
        )  # fmt: skip
        return result, network

    def learn(
        self, row: ReuseMethod, train: Rows, y: Array, test: Rows, repeat: int = 0,
        on_step: OnStep = lambda done, total: None, should_stop: ShouldStop = lambda: False, *,
        only_values: bool = False,
    ) -> "Learned":  # fmt: skip
        """One method on some rows with these labels; no other label goes into it.

        Parameters
        ----------
        y
            ``(train,)``: those of the training rows, or permuted ones.
        only_values
            Whether nothing but the predictions is wanted.
        """
        is_number = self.label.task == "regression"
        wants_inner = is_number and not only_values and self.config.bias_correction != "off"
        if row.kind == "baseline":
            return self._baseline(y, len(test), wants_inner=wants_inner)
        if row.kind == "direct":
            # its own bins, wherever the labels lie: nothing here depends on anybody's label
            head = head_for(self.model, self.label, y, self.model.facts.bins)
            inner = head.predictions(self._outputs(train)) if wants_inner else None
            return Learned(head.predictions(self._outputs(test)), inner)
        if row.kind == "network":
            wants_inner = wants_inner and self.config.bias_correction == "all"
            return self._network(row, train, y, test, repeat, on_step, should_stop, wants_inner=wants_inner)
        inner_folds, seed = self.config.inner_folds, self.config.seed + repeat
        if row.kind == "classical":
            assert self.products is not None
            fitted = fit_classical(
                self.products[np.ix_(train, train)], y, self.groups[train], task=self.label.task,
                classes=len(self.label.classes), inner_folds=inner_folds, seed=seed, with_inner=wants_inner,
            )  # fmt: skip
            return Learned(fitted.predict(self.products[np.ix_(test, train)]), fitted.inner, None, fitted)
        x = self.features[train]
        fitted = fit_features(
            row.name, x, y, self.groups[train], task=self.label.task, classes=len(self.label.classes),
            inner_folds=inner_folds, seed=seed, with_inner=wants_inner,
        )  # fmt: skip
        slopes = None
        if not only_values:
            slopes = np.array([gradient(fitted.predict, one, x.std(axis=0)) for one in self.features[test]])
        return Learned(fitted.predict(self.features[test]), fitted.inner, slopes, fitted)

    def _baseline(self, y: Array, count: int, *, wants_inner: bool) -> "Learned":
        if self.label.task == "regression":
            return Learned(np.full(count, y.mean()), np.full(len(y), y.mean()) if wants_inner else None)
        shares = np.bincount(y.astype(np.intp), minlength=len(self.label.classes)) / len(y)
        return Learned(np.tile(shares, (count, 1)))

    def _outputs(self, rows: Rows) -> NDArray[np.float32]:
        """``(n, outputs)`` log-probabilities of the network as it is."""
        network = self.model.network.cpu()
        with torch.no_grad():
            return network.head(torch.from_numpy(self.features[rows]).float()).numpy()

    def _network(
        self, row: ReuseMethod, train: Rows, y: Array, test: Rows, repeat: int, on_step: OnStep,
        should_stop: ShouldStop, *, wants_inner: bool,
    ) -> "Learned":  # fmt: skip
        config = self.config
        settings = FitSettings(
            row.name, config.epochs, config.batch, config.learning_rate, config.weight_decay, config.augmentation,
            config.batch_norm, config.bins, config.device, config.seed + repeat,
        )  # fmt: skip

        def fitted(rows: Rows, labels: Array) -> FittedNetwork:
            features = torch.from_numpy(self.features[rows]).float()
            volumes = None if self.volumes is None else self.volumes[rows]
            return fit_network(
                self.model, self.label, volumes, labels, settings, features=features, on_step=on_step,
                should_stop=should_stop,
            )  # fmt: skip

        inner = None
        folds = inner_split(y, self.groups[train], _INNER_FOLDS_OF_NETWORKS, settings.seed, is_number=True)
        if wants_inner and folds:
            inner = np.empty(len(train))
            for learn, judge in folds:
                inner[judge] = self._predicted(fitted(train[learn], y[learn]), train[judge], row, should_stop)
        network = fitted(train, y)
        return Learned(self._predicted(network, test, row, should_stop), inner, None, None, network)

    def _predicted(self, network: FittedNetwork, rows: Rows, row: ReuseMethod, should_stop: ShouldStop) -> Array:
        if row.name == "final-layer" and self.config.batch_norm == "frozen":
            return network.predict_from(torch.from_numpy(self.features[rows]).float())
        assert self.volumes is not None
        return network.predict(self.volumes[rows], should_stop)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What came of one method; see `FitResult` and `Fitted`."""

    values: Array
    inner: Array | None = None
    gradients: Array | None = None
    fitted: Fitted | None = None
    network: FittedNetwork | None = None


def needs_volumes(row: ReuseMethod, config: ReuseConfig) -> bool:
    """Whether features are not enough for a method."""
    if row.kind == "classical":
        return True
    return row.kind == "network" and not (row.name == "final-layer" and config.batch_norm == "frozen")


def values_of(checked: CheckedCohort, label: Label) -> Array:
    """``(row,)`` numbers, or indices of classes."""
    own = [checked.labels[scan] for scan in checked.scans]
    if label.task == "regression":
        return np.array([float(value) for value in own])
    return np.array([float(label.classes.index(str(value))) for value in own])
