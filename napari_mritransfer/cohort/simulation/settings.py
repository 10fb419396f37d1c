"""How large everything is that a simulated cohort varies."""

from dataclasses import dataclass

from napari_mritransfer.cohort.simulation.focal import LARGEST_FOCAL_SHARE
from napari_mritransfer.io.errors import BadInput

YOUNGEST, OLDEST = 45.0, 85.0
"""Ages in years between which cohorts are drawn."""

_AGES_TAKEN = (30.0, 100.0)  # beyond, ventricles would close or reach the skull


@dataclass(frozen=True, slots=True)
class Effects:
    """Sizes of what age, disease and chance do to a head; the defaults are those of docs/simulated-cohort.md.

    Attributes
    ----------
    age_effect, disease_effect
        Whether the labels mean anything. Without, they are drawn as ever, and nothing in the images depends on them.
    widening_mm
        Of the ventricles at `YOUNGEST` and `OLDEST`, linear between, from a size that all heads share.
    scatter_years
        Standard deviation of how much older or younger than their age a person's ventricles are.
    asymmetry_mm
        The right ventricle is wider and the left one narrower by up to this, or the other way round.
    ventricle_radius_mm
        Distance from a ventricle's centre line at which nothing moves any more.
    focal_peak_mm, focal_radius_mm
        Of every focal warp, in the diseased and the healthy alike.
    spare_pairs
        Everyone has 0 to this many pairs of focal warps on top, in places that say nothing about disease.
    smooth_mm, smooth_knots_mm
        Root mean square length of the smooth warp that makes everyone different, and how far apart its knots are.
    nod_degrees, turn_degrees
        Largest rotation about the left-right axis; about the other two.
    shift_mm
        Largest shift along each axis.
    size
        Largest relative difference in head size; a third of it again along each axis alone.
    """

    age_effect: bool = True
    disease_effect: bool = True
    widening_mm: tuple[float, float] = (-2.0, 5.0)
    scatter_years: float = 2.0
    asymmetry_mm: float = 1.0
    ventricle_radius_mm: float = 22.0
    focal_peak_mm: float = 4.0
    focal_radius_mm: float = 18.0
    spare_pairs: int = 2
    smooth_mm: float = 1.2
    smooth_knots_mm: float = 28.0
    nod_degrees: float = 4.0
    turn_degrees: float = 2.5
    shift_mm: float = 3.0
    size: float = 0.04

    def __post_init__(self) -> None:
        """Refuse what would fold space or mean nothing."""
        if not 0 <= self.focal_peak_mm <= LARGEST_FOCAL_SHARE * self.focal_radius_mm:
            raise BadInput(
                f"A focal warp of {self.focal_peak_mm:g} mm in a ball of {self.focal_radius_mm:g} mm would fold the "
                f"image; choose a peak from 0 to {LARGEST_FOCAL_SHARE * self.focal_radius_mm:g} mm."
            )
        if not 5 <= self.focal_radius_mm <= 20:
            raise BadInput(
                f"Focal warps of {self.focal_radius_mm:g} mm radius cannot work; choose from 5 to 20 mm, so that the "
                "two sides do not overlap."
            )
        if min(self.scatter_years, self.spare_pairs, self.smooth_mm, self.shift_mm, self.size) < 0:
            raise BadInput("A simulated cohort was asked for a negative amount of chance; choose 0 or more.")
        if not (self.smooth_mm <= self.smooth_knots_mm / 16 and self.smooth_knots_mm >= 28):
            raise BadInput(
                f"A smooth warp of {self.smooth_mm:g} mm on knots {self.smooth_knots_mm:g} mm apart may fold the "
                "image; choose knots at least 28 mm apart, and a sixteenth of that or less for the warp."
            )
        if not all(-6 <= widening <= 8 for widening in self.widening_mm):
            raise BadInput(
                f"Ventricles that widen by {self.widening_mm[0]:g} to {self.widening_mm[1]:g} mm cannot work; choose "
                "from -6 to 8 mm."
            )

    def widening_at(self, age: float) -> float:
        """Widening in mm of both ventricles at an age in years; half-way between the two ends without an age effect."""
        young, old = self.widening_mm
        share = (age - YOUNGEST) / (OLDEST - YOUNGEST) if self.age_effect else 0.5
        return young + (old - young) * share

    @property
    def years_to_mm(self) -> float:
        """Widening that a year makes."""
        return (self.widening_mm[1] - self.widening_mm[0]) / (OLDEST - YOUNGEST)


USUAL = Effects()
"""The defaults."""

CLEAR = Effects(
    widening_mm=(-6.0, 8.0), focal_peak_mm=5.0, focal_radius_mm=20.0, spare_pairs=1, nod_degrees=2.0, turn_degrees=1.5,
    shift_mm=1.5, size=0.02,
)  # fmt: skip
"""Large effects and little chance: what a small network learns from some hundred subjects on two cores."""


def checked_age(age: float) -> float:
    """`age`, if the simulation knows how a head looks then.

    Raises
    ------
    BadInput
        If it does not.
    """
    youngest, oldest = _AGES_TAKEN
    if not youngest <= age <= oldest:  # written so that NaN fails too
        raise BadInput(
            f"Heads are simulated for ages from {youngest:g} to {oldest:g}, not {age:g}; choose one between."
        )
    return float(age)
