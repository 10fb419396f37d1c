"""How a scan is measured for a comparison, and what casts doubt on the comparison before it is made. No torch here."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from napari_mritransfer.honesty import Verdict, examine_sampling, examine_split
from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.study.methods import Method
from napari_mritransfer.training.config import LARGEST_SNR_DB, BadConfig
from napari_mritransfer.training.slices import subject_of

if TYPE_CHECKING:
    from napari_mritransfer.physics.undersampling import Measurement

SIMULATED = {
    Origin.MAGNITUDE: "k-space was simulated from a magnitude image: real raw data are harder for every method.",
    Origin.COIL_COMBINED: "k-space was simulated from a coil-combined image: real multi-coil raw data are different.",
    Origin.SIMULATED: "k-space was simulated from an image that is simulated itself: real raw data are harder.",
}
RETROSPECTIVE = {
    Origin.RAW: "Raw k-space was undersampled afterwards: what was left out was measured.",
    Origin.COIL_COMBINED: "K-space of combined coils was undersampled afterwards: raw multi-coil data are different.",
    Origin.SIMULATED: "The k-space itself is simulated: real raw data are harder for every method.",
}
AS_MEASURED = (
    "k-space is taken as the file holds it: lines that are empty were not measured, and there is no fully sampled "
    "reference."
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a scan is measured.

    Attributes
    ----------
    pattern, crop_to_support, snr_db, noise_seed
        Of the simulation; see `physics.undersampling.undersample`.
    phase_encode
        Image axis the lines run along; None takes the scan's own, or y.
    as_measured
        Nothing is simulated: the scan is complex or raw and was undersampled when it was acquired; see
        `physics.measured` and `physics.raw`.
    simulated_coils
        See an image through so many simulated coils; 0 simulates none.
    virtual_coils
        Compress raw data to so many virtual coils first; 0 keeps them as they are.
    combine_coils
        Combine fully sampled raw data to one complex image first: the single-coil problem.
    smooth_phase
        Simulate a smooth phase on a magnitude image first, see `physics.phase`; `noise_seed` draws it.
    """

    pattern: SamplingPattern = SamplingPattern()
    phase_encode: str | None = None
    crop_to_support: bool = True
    snr_db: float | None = None
    noise_seed: int = 0
    as_measured: bool = False
    simulated_coils: int = 0
    virtual_coils: int = 0
    combine_coils: bool = False
    smooth_phase: bool = False

    def measure(self, scan: Scan) -> "Measurement":
        """The measurement of a scan.

        Raises
        ------
        BadConfig
            If the pattern does not fit it, or it cannot be taken as measured.
        """
        if self.phase_encode not in ("y", "x", None):
            raise BadConfig(f"The phase-encode axis is y or x, not '{self.phase_encode}'.")
        if self.as_measured and self.snr_db is not None:
            raise BadConfig("Noise is added to simulated measurements only; leave it out for a scan taken as measured.")
        if self.as_measured and self.smooth_phase:
            raise BadConfig("A phase is simulated on magnitude images only; leave it out for a scan taken as measured.")
        if self.as_measured and self.combine_coils:
            raise BadConfig("Coils are combined where everything was measured; leave it out for a scan as measured.")
        if self.as_measured and self.simulated_coils:
            raise BadConfig("A scan taken as measured has the coils it was measured with; simulate none.")
        # here, because the viewer's process describes samplings and must not load torch
        from napari_mritransfer.study.measure import measure_image, measure_raw

        try:
            return measure_image(scan, self) if scan.kspace is None else measure_raw(scan, scan.kspace, self)
        except ValueError as error:
            raise BadConfig(str(error)) from error

    def as_record(self) -> dict[str, Any]:
        """All settings in one flat dictionary of JSON's own types, readable by `from_record`."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "pattern"}
        return {**asdict(self.pattern), "kind": str(self.pattern.kind), **own}

    @classmethod
    def from_record(cls, record: object) -> "Sampling":
        """Read back what `as_record` gave; settings that are left out take their defaults.

        Raises
        ------
        BadConfig
            If it is no dictionary, or a setting is unknown or of the wrong kind. Whether the rates fit is said by
            `measure`.
        """
        if not isinstance(record, Mapping):
            raise BadConfig("The sampling is not a dictionary of settings, such as {'rate': 0.25}.")
        settings = dict(record)
        if unknown := sorted(str(name) for name in settings.keys() - _SETTINGS.keys()):
            raise BadConfig(f"The sampling has no setting called '{unknown[0]}'; it has: {', '.join(_SETTINGS)}.")
        for name, value in settings.items():
            is_right, wanted = _SETTINGS[name]
            if not is_right(value):
                raise BadConfig(f"'{name}' of the sampling is {value!r}; give {wanted}.")
        names = {field.name for field in fields(SamplingPattern)} & settings.keys()
        of_pattern = {name: settings.pop(name) for name in names}
        if "kind" in of_pattern:
            of_pattern["kind"] = MaskKind(of_pattern["kind"])
        return cls(SamplingPattern(**of_pattern), **settings)


def remarks(scan: Scan, sampling: Sampling, measurement: "Measurement") -> list[str]:
    """Sentences on where the measurement comes from, for whoever reads what was made from it."""
    from napari_mritransfer.physics.undersampling import assumed_axis

    if measurement.reference is None:
        found = [AS_MEASURED]
    elif scan.kspace is not None and scan.origin in RETROSPECTIVE:
        found = [RETROSPECTIVE[scan.origin]]
    else:
        found = [SIMULATED[scan.origin]] if scan.origin in SIMULATED else []
    if sampling.smooth_phase:
        found.append("The image's phase is simulated too: smooth, and drawn by the seed.")
    if sampling.simulated_coils and scan.kspace is None:
        found.append(f"The sensitivities of the {sampling.simulated_coils} coils are simulated too.")
    if measurement.kspace.ndim == 5 and measurement.maps is None:
        found.append("No fully sampled centre (ACS) was measured, so coil sensitivities are unknown.")
    found += [measurement.mask.note] if measurement.mask.note else []
    sizes = zip(measurement.mask_support, measurement.mask.lines.shape, strict=True)
    findings = examine_sampling(measurement.mask, [min(support, length) for support, length in sizes])
    found += [finding.sentence for finding in findings if finding.verdict is Verdict.CONCERN]
    if not (sampling.phase_encode or scan.phase_encode or measurement.mask.is_plane):
        found.append(assumed_axis(measurement.phase_encode))
    has_readout = scan.kspace is not None and not measurement.mask.is_plane
    if has_readout and scan.phase_encode not in (None, measurement.phase_encode):
        found.append(
            f"The lines were measured along {scan.phase_encode}, so {measurement.phase_encode} is the readout, of "
            "which no scanner leaves anything out."
        )
    return found


def doubts(
    methods: Sequence[Method], path: str, measurement: "Measurement", *, smooth_phase: bool = False
) -> list[str]:
    """Sentences on runs that know the subject already, or were trained for another sampling than this one.

    Parameters
    ----------
    methods
        Those to be compared.
    path
        The scan.
    smooth_phase
        Whether a phase was simulated on it.
    """
    found = []
    for method in methods:
        config = method.config
        if config is None:
            continue
        (finding,) = examine_split((*config.train, *config.validation), (path,), subject_of)
        if finding.verdict is Verdict.CONCERN:
            what = "numbers flatter" if measurement.reference is not None else "picture flatters"
            found.append(f"{method.name} was trained or validated on this subject, so its {what} it.")
        ours, theirs = measurement.mask.pattern, config.pattern
        if ours is not None and (ours.kind, ours.rate) != (theirs.kind, theirs.rate):
            found.append(
                f"{method.name} was trained for {theirs.kind} masks at {theirs.rate:.0%} of the {theirs.unit}."
            )
        if ours is None and measurement.mask.is_plane != theirs.is_plane:
            unit = measurement.mask.unit
            found.append(f"{method.name} was trained for masks of {theirs.unit}, and this scan has one of {unit}.")
        # of lines that were found in a scan nobody knows the kind, only how many there are
        elif ours is None and abs(measurement.mask.achieved_rate - theirs.rate) > 1 / len(measurement.mask.lines):
            found.append(f"{method.name} was trained for {theirs.rate:.0%} of the {measurement.mask.unit}.")
        if config.smooth_phase and measurement.is_real:
            found.append(f"{method.name} was trained on images with a simulated phase, and this one has none.")
        if smooth_phase and not config.smooth_phase:
            found.append(f"{method.name} was trained without a simulated phase, and this scan has one.")
        has_lines = not (measurement.mask.is_plane or theirs.is_plane)
        if has_lines and config.phase_encode not in (None, measurement.phase_encode):
            found.append(f"{method.name} was trained for lines along {config.phase_encode}.")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


_Rule = tuple[Callable[[object], bool], str]
_NUMBER: _Rule = (_is_number, "a number")
_WHOLE: _Rule = (_is_whole, "a whole number of at least 0")
_FLAG: _Rule = (_is_flag, "true or false")
_COILS: _Rule = (lambda value: not isinstance(value, bool) and value in (0, *range(2, 65)), "0, or 2 to 64")
_SETTINGS: dict[str, _Rule] = {
    "kind": (lambda value: value in tuple(MaskKind), f"one of: {', '.join(MaskKind)}"),
    "rate": _NUMBER,
    "acs": _NUMBER,
    "seed": _WHOLE,
    "offset": _WHOLE,
    "phase_encode": (lambda value: value in ("y", "x", None), "y, x or nothing"),
    "crop_to_support": _FLAG,
    "snr_db": (
        lambda value: (
            value is None or (isinstance(value, int | float) and _is_number(value) and abs(value) <= LARGEST_SNR_DB)
        ),
        f"a finite number of decibels from -{LARGEST_SNR_DB} to {LARGEST_SNR_DB}, or nothing",
    ),
    "noise_seed": _WHOLE,
    "smooth_phase": _FLAG,
    "as_measured": _FLAG,
    "simulated_coils": _COILS,
    "virtual_coils": _COILS,
    "combine_coils": _FLAG,
}
