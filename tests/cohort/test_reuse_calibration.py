"""The line through predictions, and the correction that knows what was to be predicted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.cohort.reuse.calibration import Line, bias_of, corrected, line_through, line_within

SEEDS = st.integers(0, 2**31)


@given(seed=SEEDS, n=st.integers(3, 40))
def test_lines_are_least_squares(seed, n):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(60, 10, n), rng.normal(60, 10, n)
    found = line_through(x, y)
    np.testing.assert_allclose([found.slope, found.intercept], np.polyfit(x, y, 1), rtol=1e-6, atol=1e-6)
    within, correlation = line_within(x, y, np.full(n, 7))
    np.testing.assert_allclose([within.slope, within.intercept], [found.slope, found.intercept])
    np.testing.assert_allclose(correlation, np.corrcoef(x, y)[0, 1])
    np.testing.assert_allclose(found.at(x), np.polyval(np.polyfit(x, y, 1), x))


@pytest.mark.parametrize("value", [0.0, 61.3, -1e8])
def test_a_line_through_equal_numbers_is_level(value):
    same, y = np.full(9, value), np.arange(9.0)
    assert line_through(same, y) == Line(0.0, 4.0)
    parts = np.arange(9) // 3
    assert line_within(same + parts, y, parts) == (None, None)
    line, correlation = line_within(y, same + parts, parts)
    assert line.slope == pytest.approx(0, abs=1e-12)
    assert correlation is None


def test_one_slope_whatever_the_level_of_a_part():
    x, parts = np.arange(12.0), np.arange(12) // 4
    y = 2 * x - 30 * parts
    assert line_through(x, y).slope < 0
    line, correlation = line_within(x, y, parts)
    assert line.slope == pytest.approx(2)
    assert correlation == pytest.approx(1)
    assert line.at(x).mean() == pytest.approx(y.mean())


@given(seed=SEEDS, slope=st.floats(-0.9, 0.5), offset=st.floats(-10, 10))
def test_a_bias_that_training_subjects_have_too_is_removed(seed, slope, offset):
    rng = np.random.default_rng(seed)
    true, new = rng.uniform(45, 85, 40), rng.uniform(45, 85, 10)
    bias = bias_of(true, true + slope * true + offset)
    np.testing.assert_allclose([bias.slope, bias.intercept], [slope, offset], atol=1e-6)
    deviation = rng.normal(0, 3, 10)
    np.testing.assert_allclose(corrected(new + slope * new + offset + deviation, new, bias), new + deviation, atol=1e-6)


def test_it_makes_a_method_that_found_nothing_perfect():
    """The warning that stands beside every corrected number."""
    true, new = np.array([50.0, 60.0, 70.0]), np.array([45.0, 80.0])
    bias = bias_of(true, np.full(3, 60.0))
    np.testing.assert_allclose(corrected(np.full(2, 60.0), new, bias), new)


def test_whose_number_is_corrected_does_not_depend_on_who_else_is_tested():
    rng = np.random.default_rng(0)
    bias = bias_of(rng.uniform(45, 85, 20), rng.uniform(45, 85, 20))
    values, true = rng.uniform(45, 85, (2, 10))
    together = corrected(values, true, bias)
    assert [corrected(values[[row]], true[[row]], bias)[0] for row in range(10)] == together.tolist()
