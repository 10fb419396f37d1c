"""The sampling section of the "Load scan" dock: its inputs, and the lines they give, in words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from napari_mritransfer.physics import masks
from napari_mritransfer.physics.extent import Sampled, inside_box, missing_along
from napari_mritransfer.physics.masks import MaskKind, SamplingMask, SamplingPattern
from napari_mritransfer.physics.raw_mask import drawn_mask, found_mask
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.widgets.examination import Examination

_UNDERSAMPLED = (
    'This scan was undersampled when it was acquired, so there is nothing to leave out for a test; tick "Already '
    'undersampled".'
)
_FULL = 'Every sample of this k-space was measured; untick "Already undersampled" to leave some out.'


class Direction(StrEnum):
    """Phase encoding as people choose it; the values are image axes."""

    FROM_FILE = "file"
    UP_DOWN = "y"
    LEFT_RIGHT = "x"


@dataclass(frozen=True, slots=True)
class SamplingInputs:
    """A filled-in form; the fields are the form.

    Attributes
    ----------
    rate_percent, acs_percent
        Of the phase-encode lines; of the samples of a plane, and of either of its axes.
    seed
        Of the mask, of the noise and of the phase.
    direction
        Image axis the lines are counted along.
    add_noise, snr_db
        Whether noise is added, and how much.
    smooth_phase
        Simulate a phase on a magnitude image.
    measured_only
        Count only lines that hold signal.
    as_measured
        The scan was undersampled when it was acquired: nothing is simulated, and of all others only `direction` and
        `virtual_coils` count.
    virtual_coils
        Compress the coils of raw data to so many; 0 keeps them.
    combine_coils
        Combine them to one image first.
    simulated_coils
        See an image through so many coils; 0 simulates none.
    """

    kind: MaskKind = MaskKind.RANDOM
    rate_percent: float = 25.0
    acs_percent: float = 8.0
    seed: int = 0
    direction: Direction = Direction.FROM_FILE
    measured_only: bool = True
    add_noise: bool = False
    snr_db: float = 30.0
    smooth_phase: bool = False
    as_measured: bool = False
    virtual_coils: int = 0
    combine_coils: bool = False
    simulated_coils: int = 0

    def sampling(self) -> Sampling:
        """As the core takes it."""
        axis = None if self.direction is Direction.FROM_FILE else str(self.direction)
        if self.as_measured:
            return Sampling(phase_encode=axis, as_measured=True, virtual_coils=self.virtual_coils)
        return Sampling(
            SamplingPattern(self.kind, self.rate_percent / 100, self.acs_percent / 100, self.seed),
            phase_encode=axis,
            crop_to_support=self.measured_only,
            snr_db=self.snr_db if self.add_noise else None,
            noise_seed=self.seed,
            smooth_phase=self.smooth_phase,
            simulated_coils=self.simulated_coils,
            virtual_coils=self.virtual_coils,
            combine_coils=self.combine_coils,
        )


@dataclass(frozen=True, slots=True, eq=False)
class LinesPreview:
    """The lines that the inputs give for a scan.

    Attributes
    ----------
    mask
        The lines.
    axis
        Image axis they are counted along, y or x; `axis_is_assumed` where neither the user nor the file named it.
    matrix, support
        ``(ky, kx)`` of the scan's own k-space, and of the part of it that holds signal.
    """

    mask: SamplingMask
    axis: str
    axis_is_assumed: bool
    matrix: tuple[int, int]
    support: tuple[int, int]

    @property
    def effective_rate(self) -> float:
        """Measured share of what holds signal; the achieved rate where all of it does."""
        return self.mask.rate_within(self.support if self.mask.is_plane else (self._along(self.support),))

    def _along(self, shape: tuple[int, int]) -> int:
        return shape[0 if self.axis == "y" else 1]

    def words(self) -> list[str]:
        """Sentences for a person: rates first."""
        told = self._counted() if self.mask.is_plane else self._counted_lines()
        if self.axis_is_assumed:
            told.append(f"Phase encoding {direction_words(self.axis)} (assumed, not in the file)")
        return [*told, self.mask.note] if self.mask.note else told

    def _counted(self) -> list[str]:
        mask = self.mask
        told = f"{mask.lines.sum()} of {mask.lines.size} samples of the plane measured: {_percent(mask.achieved_rate)}"
        if mask.pattern is None:
            return [told]
        asked = f"Asked for {_percent(mask.nominal_rate)} of the {mask.pattern.unit}"
        told += f"\n{asked}; {mask.acceleration:.1f} times faster"
        if abs(self.effective_rate - mask.achieved_rate) < 1e-9:
            return [told]
        return [told, f"Effective rate {_percent(self.effective_rate)} of the samples that hold signal"]

    def _counted_lines(self) -> list[str]:
        mask, n_lines = self.mask, len(self.mask.lines)
        told = [f"{mask.lines.sum()} of {n_lines} lines measured: {_percent(mask.achieved_rate)}"]
        if mask.pattern is not None:
            told.append(f"Asked for {_percent(mask.nominal_rate)}; {mask.acceleration:.1f} times faster")
        matrix, support = self._along(self.matrix), self._along(self.support)
        if n_lines < matrix:
            left_out = matrix - n_lines
            told.append(f"Effective rate {_percent(self.effective_rate)}; {left_out} empty lines left out")
        elif support < matrix:
            told.append(f"Effective rate {_percent(self.effective_rate)} of the {support} lines that hold signal")
        else:
            told.append(f"Effective rate {_percent(self.effective_rate)}: all lines hold signal")
        told.append(
            f"Centre without gaps (orange): {mask.centre_lines} {'line' if mask.centre_lines == 1 else 'lines'}"
        )
        return told


def preview(inputs: SamplingInputs, found: Examination) -> LinesPreview:
    """The lines of `inputs` for a scan, without touching its voxels.

    Raises
    ------
    ValueError
        If the rates do not fit, in one sentence; or if `found` has no scan.
    """
    if found.scan is None:
        raise ValueError(found.problem)
    sampling = inputs.sampling()
    if found.sampled is not None:
        return _preview_of_raw(sampling, found, found.sampled)
    axis = sampling.phase_encode or found.scan.phase_encode or "y"
    matrix = (found.scan.image.shape[2], found.scan.image.shape[3])
    mask = masks.make_on_plane(sampling.pattern, found.support if sampling.crop_to_support else matrix, axis)
    is_assumed = not (sampling.phase_encode or found.scan.phase_encode or mask.is_plane)
    return LinesPreview(mask, axis, is_assumed, matrix, found.support)


def _preview_of_raw(sampling: Sampling, found: Examination, sampled: Sampled) -> LinesPreview:
    """As `physics.raw` counts: of what the scanner measured alone, and only that can be left out."""
    assert found.scan is not None
    named = sampling.phase_encode or found.scan.phase_encode or missing_along(sampled)
    axis: Literal["y", "x"] = "x" if named == "x" else "y"
    reached = inside_box(sampled, found.support)
    inside = reached if sampling.crop_to_support else sampled
    if sampling.as_measured:
        if reached.all():
            raise ValueError(_FULL)
        mask = found_mask(inside, axis)
    else:
        if found.was_undersampled:
            raise ValueError(_UNDERSAMPLED)
        mask = drawn_mask(sampling.pattern, inside, found.support, axis)
    is_assumed = not named and not mask.is_plane
    return LinesPreview(mask, axis, is_assumed, (sampled.shape[0], sampled.shape[1]), found.support)


def direction_words(axis: str) -> str:
    """``"up–down"`` of y, ``"left–right"`` of x: as the slices lie on the screen."""
    return "up–down" if axis == "y" else "left–right"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
