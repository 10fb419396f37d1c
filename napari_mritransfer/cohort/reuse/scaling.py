"""Standardising features, some of which are nearly always zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

_LEAST = 0.25  # of the features' root-mean-square spread


class FeatureScaler(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn tells no types
    """Subtract the mean and divide by the standard deviation, or by a quarter of what is usual if that is more.

    A feature behind a rectifier may be zero for all training subjects but one. Its standard deviation is next to
    nothing then, and the first test subject who has it stands hundreds of deviations from the others, and so does the
    prediction. All features are means over the same kind of maps, so their spreads can be compared.
    """

    def fit(self, x: NDArray[np.floating[Any]], y: object = None) -> "FeatureScaler":
        """Learn mean and spread of ``(n, features)``."""
        spread = x.std(axis=0)
        least = _LEAST * np.sqrt(np.mean(spread**2))
        self.mean_ = x.mean(axis=0)
        self.scale_ = np.maximum(spread, least) if least > 0 else np.ones_like(spread)
        return self

    def transform(self, x: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """The same shape."""
        scaled: NDArray[np.floating[Any]] = (x - self.mean_) / self.scale_
        return scaled
