"""`convert`: one file format to another."""

from pathlib import Path
from typing import Annotated

import typer

from napari_mritransfer.cli import sampling as options
from napari_mritransfer.cli.console import Answer, AsJson, answer, out
from napari_mritransfer.io.errors import BadInput


def convert(
    path: Annotated[Path, typer.Argument(help="Any file or DICOM folder that can be read.")],
    to: Annotated[Path, typer.Option("--out", help="End it in .nii.gz (image), .h5, .mrd or .cfl (k-space).")],
    variable: options.Variable = None,
    axes: options.AxisNames = None,
    series: options.Series = None,
    as_json: AsJson = False,
) -> None:
    """Read a scan and write it in another format; a bare array gets its axes named for good."""

    def found() -> Answer:
        from napari_mritransfer.io import load, save

        if path.resolve() == to.resolve():
            raise BadInput(f"{path.name} is the input itself; let --out name another file.")
        scan = load(path, variable=variable, axes=axes, series=series)
        save(scan, to)
        record = {"out": str(to), "origin": str(scan.origin), "notes": list(scan.notes)}

        def show() -> None:
            for note in scan.notes:
                out.print(note)
            out.print(f"Written: {to}")

        return Answer(record, show)

    answer(as_json, found)
