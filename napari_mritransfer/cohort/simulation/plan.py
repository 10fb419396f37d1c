"""Who is in a simulated cohort: heads, ages, disease and sites, balanced against each other as the cohort grows."""

import math
from dataclasses import dataclass
from fractions import Fraction

from napari_mritransfer.cohort.simulation.draws import Stream, stream
from napari_mritransfer.cohort.simulation.scanner import SITES
from napari_mritransfer.cohort.simulation.settings import OLDEST, YOUNGEST
from napari_mritransfer.io.errors import BadInput

_STRATA = 4
_FINEST_SHARE = 10


@dataclass(frozen=True, slots=True)
class Planned:
    """One subject before anything is simulated; `number` counts from 0, `age` is in years."""

    number: int
    head: str
    age: float
    diseased: bool
    site: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The rule by which subjects follow each other; subject n depends on nothing but the seed and n.

    Each head has the same share of diseased subjects. Within each head and each of the two groups, every four subjects
    come one from each quarter of the range of ages, every three one from each site, and every twelve one from each
    quarter at each site; so neither age nor disease can be told from the head, the site or each other.

    Attributes
    ----------
    heads
        Their names, in the order that matters.
    seed
        Of the cohort.
    diseased_share
        From 0 to 1, to tenths.
    """

    heads: tuple[str, ...]
    seed: int
    diseased_share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be balanced."""
        if not self.heads:
            raise BadInput("A simulated cohort needs at least one head; name one, or leave them out to take all.")
        if len(set(self.heads)) != len(self.heads):
            raise BadInput("A head was named twice for a simulated cohort; name each once.")
        if self.seed < 0:
            raise BadInput(f"A seed of {self.seed} cannot work; choose 0 or more.")
        if not 0 <= self.diseased_share <= 1:
            raise BadInput(f"A share of {self.diseased_share:g} diseased subjects cannot be; choose from 0 to 1.")

    def subject(self, number: int) -> Planned:
        """The subject of that number, from 0."""
        share = Fraction(self.diseased_share).limit_denominator(_FINEST_SHARE)
        ill, all_of_head = share.numerator, share.denominator
        size = all_of_head * len(self.heads)
        block, place = divmod(number, size)
        slot = int(stream(Stream.PLAN, self.seed, 0, block).permutation(size)[place])
        head, rank = divmod(slot, all_of_head)
        diseased = rank < ill
        before = block * ill + rank if diseased else block * (all_of_head - ill) + rank - ill  # alike in head and label
        cell = (head, int(diseased))
        sites = tuple(SITES)
        # counting by four and by three at once passes through all twelve pairs, as four and three share no divisor
        cycle, turn = divmod(before, _STRATA * len(sites))
        quarter = stream(Stream.PLAN, self.seed, 1, *cell, cycle).permutation(_STRATA)[turn % _STRATA]
        site = stream(Stream.PLAN, self.seed, 2, *cell, cycle).permutation(len(sites))[turn % len(sites)]
        within = stream(Stream.PLAN, self.seed, 3, number).uniform()
        age = YOUNGEST + (OLDEST - YOUNGEST) * (int(quarter) + within) / _STRATA
        to_tenths = math.floor(10 * age) / 10  # rounded up, it could fall into the next quarter
        return Planned(number, self.heads[head], to_tenths, diseased, sites[int(site)])
