"""Support vector machines with chances."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone


class MarginClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn tells no types
    """A machine that returns margins, with chances: the logistic function of them, which is not calibrated.

    Parameters
    ----------
    machine
        A support vector machine for classes.
    """

    def __init__(self, machine: BaseEstimator) -> None:
        self.machine = machine

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> "MarginClassifier":
        """Learn."""
        self.machine_: Any = clone(self.machine).fit(x, y)
        self.classes_ = self.machine_.classes_
        return self

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n, classes)`` chances."""
        found = np.asarray(self.machine_.decision_function(x), dtype=np.float64)
        if found.ndim == 1:
            return np.stack([expit(-found), expit(found)], axis=1)
        return np.asarray(softmax(found, axis=1))

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)`` classes."""
        return np.asarray(self.classes_[self.predict_proba(x).argmax(axis=1)])
