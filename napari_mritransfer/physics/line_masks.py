"""Masks of whole phase-encode lines: one axis is phase encoded, the readout is measured completely. NumPy only."""

import numpy as np
from numpy.typing import NDArray

Lines = NDArray[np.bool_]


def variable_density(n_lines: int, rate: float, acs: float = 0.08, *, power: float = 2.0, seed: int = 0) -> Lines:
    """Random lines, denser towards the centre of k-space: density ``(1 - |k|) ** power``.

    Parameters
    ----------
    n_lines
        Number of phase-encode lines; line ``n_lines // 2`` is DC.
    rate
        Sampled fraction, ACS lines included, in (0, 1].
    acs
        Fraction of lines in the fully sampled centre, in [0, rate].
    power
        Steepness of the density; 0 is uniform.
    seed
        Of the draw.

    Returns
    -------
    lines
        ``(n_lines,)`` bool; their mean is `rate` to within one line.

    References
    ----------
    Lustig, Donoho, Pauly: Sparse MRI, Magn Reson Med 2007, 58:1182.
    """
    distance = _distance_from_centre(n_lines)
    return _draw(n_lines, rate, acs, (1 - distance) ** power, seed)


def gaussian(n_lines: int, rate: float, acs: float = 0.08, *, sigma: float = 0.35, seed: int = 0) -> Lines:
    """Random lines with a Gaussian density about DC; `sigma` in units of the half-width of k-space.

    Parameters, returns: see `variable_density`.
    """
    distance = _distance_from_centre(n_lines)
    return _draw(n_lines, rate, acs, np.exp(-0.5 * (distance / sigma) ** 2), seed)


def equispaced(n_lines: int, spacing: int, acs: float = 0.08, *, offset: int = 0) -> Lines:
    """Every `spacing`-th line from ``offset % spacing`` on, one constant gap throughout, plus the ACS.

    Returns
    -------
    lines
        ``(n_lines,)`` bool.
    """
    lines = _acs_lines(n_lines, acs)
    lines[offset % spacing :: spacing] = True
    return lines


def centre_only(n_lines: int, rate: float) -> Lines:
    """The central block of lines, nothing outside: a plain loss of resolution.

    Returns
    -------
    lines
        ``(n_lines,)`` bool; their mean is `rate` to within one line.
    """
    return _acs_lines(n_lines, max(rate, 1 / n_lines))


def _distance_from_centre(n_lines: int) -> NDArray[np.float64]:
    """Distance of each line from DC, 0 to below 1, so that every line can be drawn."""
    return np.abs(np.arange(n_lines) - n_lines // 2) / (n_lines // 2 + 1)


def _acs_lines(n_lines: int, acs: float) -> Lines:
    lines = np.zeros(n_lines, dtype=bool)
    count = round(acs * n_lines)
    start = n_lines // 2 - count // 2
    lines[start : start + count] = True
    return lines


def _draw(n_lines: int, rate: float, acs: float, density: NDArray[np.float64], seed: int) -> Lines:
    """The ACS plus lines drawn without replacement until the rate is met."""
    lines = _acs_lines(n_lines, acs)
    missing = max(1, round(rate * n_lines)) - int(lines.sum())
    if missing > 0:
        weights = np.where(lines, 0.0, density)
        drawn = np.random.default_rng(seed).choice(n_lines, size=missing, replace=False, p=weights / weights.sum())
        lines[drawn] = True
    return lines
