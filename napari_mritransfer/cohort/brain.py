"""Does a scan show a brain where MNI152 space has it, and nothing but the brain? No torch here."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_mritransfer.cohort.brain_measures import AXES, BrainMeasures, measure, share_in_shell
from napari_mritransfer.cohort.brain_template import MNI_ML
from napari_mritransfer.cohort.preparation import Prepared

Kind = Literal["fine", "no brain", "skull not removed", "wrong orientation", "not registered"]

_LEAST_ML = 500.0
_MOST_ML = 2150.0
_HEAD_ML, _SHELL = 1700.0, 0.06
_ANYTHING, _ALIKE = 0.87, 0.955
_FAR_MM = 8.0
_ASKEW_DEG = 16.0
_SMALL, _LARGE = 0.72, 1.15
_SMALL_MEAN, _LARGE_MEAN = 0.76, 1.08
_UNSCALED = 0.94

_SIDES = (("far left", "far right"), ("far back", "far forward"), ("low", "high"))
_EXTRACT = "extract the brain first, for example with SynthStrip"
_REGISTER = "register it to MNI152 linearly, for example with FLIRT"


@dataclass(frozen=True, slots=True)
class BrainFinding:
    """What a scan shows.

    Attributes
    ----------
    kind
        "fine", or the first thing that is wrong with it.
    sentence
        What that is, and what to do.
    measures
        What it was told by; None where nothing is solid.
    """

    kind: Kind
    sentence: str
    measures: BrainMeasures | None

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return self.kind == "fine"

    @property
    def is_small(self) -> bool:
        """Whether the brain seems not to be scaled to the template."""
        return self.measures is not None and self.measures.mean_size < _UNSCALED


def check_brain(prepared: Prepared) -> BrainFinding:
    """Compare what is solid in a scan with the brain of MNI152.

    The shape alone is looked at, so that any contrast will do. What cannot be told: left and right exchanged; an angle
    of less than 16 degrees or a shift of less than 8 mm. Whether a brain was scaled to the template is said, but not
    asked for.

    The limits stand between what was measured at 1, 2 and 3 mm in brains (a registered one in three contrasts; five
    heads, cut out with 0 to 4 mm about the brain, and four of them by their own outline; MNI152's average) and what is
    wrong:

    ======================  ==============  =======================================================================
    measure                 brains          refused
    ======================  ==============  =======================================================================
    volume                  1.1 to 1.97 l   below 0.5 l; above 2.15 l if not shaped like a brain (25 heads: 2.0 to
                                            2.7 l)
    bright beyond the core  0 to 4 %        above 6 % from 1.7 l on (heads: 6 to 32 %)
    likeness                0.977 to 0.991  below 0.955 (heads: 0.89 to 0.95); below 0.87 it is no brain (spine: 0.82)
    offset along each axis  0 to 4 mm       above 8 mm
    nod; turn               -10 to 0°; 5°   above 16° either way
    size along each axis    0.78 to 1.02    below 0.72, above 1.15; their mean below 0.76, above 1.08
    ======================  ==============  =======================================================================

    So all of these brains pass, none of the heads does, nor any brain that was moved by 12 mm, stored in another order
    or direction of its axes, or scaled by 0.8 or 1.3, but for one: the average, scaled by 0.8, is as large as a brain
    that was never scaled. ``scripts/brain_checks.py`` counts this.

    Parameters
    ----------
    prepared
        On the common grid, at any spacing.
    """
    volume = float(prepared.tissue.sum()) * prepared.grid.spacing_mm**3 / 1000
    if volume < _LEAST_ML:
        sentence = f"Only {volume:.0f} ml of it are solid, which is no whole brain; choose another image."
        return BrainFinding("no brain", sentence, measure(prepared) if volume else None)
    found = measure(prepared)
    wrong = _skull(prepared, found) or _place(found)
    return BrainFinding(*wrong, found) if wrong else BrainFinding("fine", _as_it_should(found), found)


def _skull(prepared: Prepared, found: BrainMeasures) -> tuple[Kind, str] | None:
    if found.volume_ml > _MOST_ML and found.likeness < _ALIKE:
        return "skull not removed", (
            f"{found.volume_ml:.0f} ml of it are solid, but the brain of MNI152 has {MNI_ML:.0f} ml: {_EXTRACT}."
        )
    if found.volume_ml > _HEAD_ML and (share := share_in_shell(prepared)) > _SHELL:
        return "skull not removed", f"{share:.0%} of what is bright lies beyond the brain, as scalp does: {_EXTRACT}."
    return None


def _place(found: BrainMeasures) -> tuple[Kind, str] | None:
    """What is wrong with where it lies, the likeliest cause first."""
    if found.turned:
        return "wrong orientation", (
            f"It seems to lie {found.turned}; correct the orientation in its header: nothing is turned here unasked."
        )
    if found.likeness < _ANYTHING:
        return "no brain", (
            f"What is solid in it has no likeness to a brain ({found.likeness:.2f} of 1); choose another image."
        )
    wrong = _size(found) or _offset(found) or _angle(found)
    if wrong:
        return "not registered", f"{wrong}; {_REGISTER}."
    if found.likeness < _ALIKE:
        return "not registered", (
            f"Its shape is less like a brain's ({found.likeness:.2f} of 1) than it should be ({_ALIKE}): part of it is "
            f"missing, something is left about it, or it lies askew; look at its picture, {_EXTRACT}, and {_REGISTER}."
        )
    return None


def _size(found: BrainMeasures) -> str:
    odd = int(np.abs(np.log(found.size)).argmax())
    if not _SMALL <= found.size[odd] <= _LARGE:
        return f"From {AXES[odd]} the brain has {found.size[odd]:.0%} of the size that MNI152's has"
    if not _SMALL_MEAN <= found.mean_size <= _LARGE_MEAN:
        return f"The brain has {found.mean_size:.0%} of the size that MNI152's has"
    return ""


def _offset(found: BrainMeasures) -> str:
    far = int(np.abs(found.offset_mm).argmax())
    if abs(found.offset_mm[far]) <= _FAR_MM:
        return ""
    return f"The brain lies {abs(found.offset_mm[far]):.0f} mm too {_SIDES[far][int(found.offset_mm[far] > 0)]}"


def _angle(found: BrainMeasures) -> str:
    if abs(found.nod_deg) > max(_ASKEW_DEG, abs(found.turn_deg)):
        return f"The brain's front points {abs(found.nod_deg):.0f}° too {'high' if found.nod_deg > 0 else 'low'}"
    if abs(found.turn_deg) > _ASKEW_DEG:
        return f"The brain is turned by {abs(found.turn_deg):.0f}° to the {'right' if found.turn_deg > 0 else 'left'}"
    return ""


def _as_it_should(found: BrainMeasures) -> str:
    if found.mean_size >= _UNSCALED:
        return "A brain lies where MNI152 space has it."
    return (
        f"A brain lies where MNI152 space has it, at {found.mean_size:.0%} of the template's size: it seems to be "
        "registered without scaling, or to be small."
    )
