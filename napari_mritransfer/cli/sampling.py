"""The options that describe an undersampling, the same for every command that undersamples."""

from typing import Annotated, Literal

import typer

from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.study.sampling import Sampling

_MASKS = (
    "How what lies outside the centre is chosen: lines, or samples of the ky–kz plane of a 3-D acquisition "
    f"({', '.join(kind for kind in MaskKind if kind.is_plane)})."
)
Kind = Annotated[MaskKind, typer.Option("--mask", help=_MASKS)]
Rate = Annotated[float, typer.Option(help="Sampled fraction of the lines, or of the plane, ACS included.")]
Acs = Annotated[float, typer.Option(help="Fraction of the lines in the whole centre; of a plane, of either axis.")]
Seed = Annotated[int, typer.Option(help="Of the mask, of the noise and of the phase.")]
Offset = Annotated[int, typer.Option(help="First line of an equispaced mask.")]
PhaseEncodeAxis = Annotated[
    Literal["y", "x"] | None, typer.Option("--phase-encode", help="Image axis of the lines; the file's own, or y.")
]
WholeMatrix = Annotated[
    bool, typer.Option("--whole-matrix", help="Also sample k-space that the scanner only zero-filled.")
]
SnrDb = Annotated[float | None, typer.Option("--snr", help="Add noise: 20 log10(mean foreground / sigma), in dB.")]
SmoothPhase = Annotated[bool, typer.Option("--smooth-phase", help="Simulate a smooth phase on a magnitude image.")]
AsMeasured = Annotated[
    bool, typer.Option("--as-measured", help="The scan was undersampled when it was acquired: simulate nothing.")
]
Coils = Annotated[int, typer.Option("--coils", help="See an image through so many simulated coils.")]
VirtualCoils = Annotated[int, typer.Option("--virtual-coils", help="Compress raw data to so many virtual coils.")]
CombineCoils = Annotated[
    bool, typer.Option("--combine-coils", help="Combine fully sampled coils first: the single-coil problem.")
]
Variable = Annotated[str | None, typer.Option(help="The array to take from a .mat or .npz file.")]
AxisNames = Annotated[
    str | None, typer.Option("--axes", help="What the axes of a bare array are, such as coil,ky,kx or slice,y,x.")
]
Series = Annotated[
    str | None, typer.Option(help="The DICOM series to take from a folder of several, by its number, such as 8.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]


def sampling(
    pattern: SamplingPattern, phase_encode: str | None, whole_matrix: bool, snr: float | None, *,
    as_measured: bool, smooth_phase: bool, coils: int, virtual_coils: int, combine_coils: bool,
) -> Sampling:  # fmt: skip
    """The sampling those options describe.

    Raises
    ------
    BadConfig
        If a number of coils makes no sense.
    """
    return Sampling.from_record({
        **Sampling(pattern, phase_encode, not whole_matrix, snr, pattern.seed, as_measured=as_measured).as_record(),
        "smooth_phase": smooth_phase,
        "simulated_coils": coils, "virtual_coils": virtual_coils, "combine_coils": combine_coils,
    })  # fmt: skip


def pattern(kind: MaskKind, rate: float, acs: float, seed: int, offset: int) -> SamplingPattern:
    """The pattern those options describe."""
    return SamplingPattern(kind, rate, acs, seed, offset)
