"""The options that describe an undersampling, the same for every command that undersamples."""

from typing import Annotated, Literal

import typer

from napari_mritransfer.physics.masks import MaskKind, SamplingPattern

Kind = Annotated[MaskKind, typer.Option("--mask", help="How lines outside the centre are chosen.")]
Rate = Annotated[float, typer.Option(help="Sampled fraction of the phase-encode lines, ACS included.")]
Acs = Annotated[float, typer.Option(help="Fraction of the lines in the fully sampled centre.")]
Seed = Annotated[int, typer.Option(help="Of the mask and of the noise.")]
Offset = Annotated[int, typer.Option(help="First line of an equispaced mask.")]
PhaseEncodeAxis = Annotated[
    Literal["y", "x"] | None, typer.Option("--phase-encode", help="Image axis of the lines; the file's own, or y.")
]
WholeMatrix = Annotated[
    bool, typer.Option("--whole-matrix", help="Also sample k-space that the scanner only zero-filled.")
]
SnrDb = Annotated[float | None, typer.Option("--snr", help="Add noise: 20 log10(mean foreground / sigma), in dB.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]


def pattern(kind: MaskKind, rate: float, acs: float, seed: int, offset: int) -> SamplingPattern:
    """The pattern those options describe."""
    return SamplingPattern(kind, rate, acs, seed, offset)
