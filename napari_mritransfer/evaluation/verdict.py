"""Is one method better than the others, or would another seed have changed the order?"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance

from scipy.special import stdtrit

DETERMINISTIC = frozenset({"zero-filled", "pretrained"})

_CONFIDENCE = 0.95
_SMALLEST_DIFFERENCE_DB = 0.01  # the last digit that tables print


@dataclass(frozen=True, slots=True)
class Verdict:
    """`winner` is None unless it beats every other method beyond the spread over seeds; `sentence` says it in words."""

    winner: str | None
    sentence: str


def verdict(
    psnr_by_method: Mapping[str, Sequence[float]], *, deterministic: Collection[str] = DETERMINISTIC
) -> Verdict:
    """Name a winner only where the seeds allow it.

    The method with the highest mean wins if, against each of the others, the difference of the means exceeds

    1. the larger range (highest minus lowest seed) of the two: the spread over seeds as anyone can read it off, and
    2. the half-width of Welch's 95 % interval of the difference, because the range of two or three seeds is itself
       far too small on average: two seeds of one and the same method would often "differ" by more than it, and
    3. 0.01 dB, the last digit that tables print.

    One seed of a method that depends on seeds has an unknown spread, so no difference to it, or from it, counts.
    The spread over seeds tells nothing about other patients; a study over volumes has to.

    Parameters
    ----------
    psnr_by_method
        Method name to PSNR in dB, one value per seed, all on the same slices.
    deterministic
        Names (any case) of methods without randomness: one value is all there is, and its spread is 0.

    Raises
    ------
    ValueError
        If there is no method, or one has no value or a NaN.

    References
    ----------
    Welch: Biometrika 1947, 34:28.
    """
    values = {method: tuple(map(float, psnr)) for method, psnr in psnr_by_method.items()}
    if not values:
        raise ValueError("No method was given: a verdict needs at least one list of PSNRs.")
    for method, psnr in values.items():
        if not psnr or not all(value > -math.inf for value in psnr):  # NaN fails the comparison too
            raise ValueError(f"{method} has no PSNR, or one that is not a number; leave it out of the comparison.")
    ranking = sorted(values, key=lambda method: -fmean(values[method]))
    best, others = ranking[0], ranking[1:]
    if not others:
        return Verdict(None, f"{best} stands alone: {_db(fmean(values[best]))}, nothing to compare it with.")
    fixed = {method.casefold() for method in deterministic}
    single = [method for method in ranking if len(values[method]) == 1 and method.casefold() not in fixed]
    if best in single:
        return Verdict(
            None,
            f"{best} reached the highest PSNR ({_db(fmean(values[best]))}), but with one seed; one seed cannot tell "
            "whether another would change the order. Run at least three.",
        )
    close = [method for method in others if method not in single and not _clear(values[best], values[method])]
    if close:
        return Verdict(None, _indistinguishable(best, close, values))
    if single:
        return Verdict(
            None,
            f"{best} has the highest mean PSNR ({_db(fmean(values[best]))}), but {_listed(single)} ran with one seed; "
            "one seed cannot tell whether another would change the order. Run at least three.",
        )
    return Verdict(best, _wins(best, others[0], values))


def _clear(best: Sequence[float], other: Sequence[float]) -> bool:
    difference = _difference(best, other)
    return difference > max(_spread(best, other), _SMALLEST_DIFFERENCE_DB)


def _difference(best: Sequence[float], other: Sequence[float]) -> float:
    first, second = fmean(best), fmean(other)
    return 0.0 if first == second else first - second  # inf - inf would be NaN


def _spread(best: Sequence[float], other: Sequence[float]) -> float:
    """What a difference of means in dB has to exceed: the larger range, or Welch's half-width where that is larger."""
    ranges = max(_range(best), _range(other))
    if ranges in (0.0, math.inf):
        return ranges
    # Variances of the two means; a single value is deterministic by now and adds none.
    parts = [(_variance(psnr) / len(psnr), len(psnr) - 1) for psnr in (best, other)]
    total = sum(variance for variance, _ in parts)
    if total == 0:  # a range so small that its square vanishes
        return ranges
    freedom = 1 / sum((variance / total) ** 2 / degrees for variance, degrees in parts if degrees > 0)
    return max(ranges, float(stdtrit(freedom, 0.5 + _CONFIDENCE / 2)) * math.sqrt(total))


def _range(psnr: Sequence[float]) -> float:
    lowest, highest = min(psnr), max(psnr)
    return 0.0 if lowest == highest else highest - lowest


def _variance(psnr: Sequence[float]) -> float:
    return 0.0 if _range(psnr) == 0 else pvariance(psnr) * len(psnr) / (len(psnr) - 1)


def _indistinguishable(best: str, close: Sequence[str], values: Mapping[str, Sequence[float]]) -> str:
    difference = max(_difference(values[best], values[method]) for method in close)
    spread = max(_spread(values[best], values[method]) for method in close)
    reason = (
        f"no more than the {_db(spread)} by which seeds alone may move it"
        if spread > _SMALLEST_DIFFERENCE_DB
        else "too little to print"
    )
    return f"{_listed([best, *close])} are indistinguishable: their mean PSNRs lie within {_db(difference)}, {reason}."


def _wins(best: str, second: str, values: Mapping[str, Sequence[float]]) -> str:
    difference, spread = _difference(values[best], values[second]), _spread(values[best], values[second])
    reason = (
        f"more than the {_db(spread)} by which seeds alone may move it"
        if spread > 0
        else "and neither varies with the seed"
    )
    return f"{best} is best: {_db(fmean(values[best]))}, {_db(difference)} above {second}, {reason}."


def _db(value: float) -> str:
    return "∞ dB" if value == math.inf else f"{value:.2f} dB"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
