"""`inspect`: what a file holds, and what a serious reviewer would ask about it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from napari_mritransfer.cli import sampling as options
from napari_mritransfer.cli.console import Answer, AsJson, answer, out
from napari_mritransfer.cli.scans import ScanPath

if TYPE_CHECKING:
    from napari_mritransfer.honesty import Finding

_STYLES = {"concern": "bold yellow", "unknown": "dim", "fine": "green"}


def inspect(
    path: ScanPath,
    variable: options.Variable = None,
    axes: options.AxisNames = None,
    series: options.Series = None,
    as_json: AsJson = False,
) -> None:
    """Print what a file holds, and what casts doubt on numbers made from it."""

    def found() -> Answer:
        from napari_mritransfer.honesty import examine, in_reading_order
        from napari_mritransfer.io import describe, load
        from napari_mritransfer.physics.support import measured_support

        scan = load(path, variable=variable, axes=axes, series=series)
        facts = describe(scan)
        if scan.kspace is None:  # raw k-space tells by itself which samples are empty
            facts["measured_kspace"] = {
                axis: f"{measured_support(scan.image, index)} of {scan.image.shape[index]} lines hold signal"
                for axis, index in (("y", 2), ("x", 3))
            }
        findings = in_reading_order(examine(scan))

        def show() -> None:
            _show_facts(facts)
            _show_findings(findings)

        return Answer({**facts, "findings": [finding.as_record() for finding in findings]}, show)

    answer(as_json, found)


def _show_facts(facts: Mapping[str, object]) -> None:
    table = Table(show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        if value not in (None, []):
            table.add_row(key.replace("_", " "), Text(_for_people(value)))
    out.print(table)


def _show_findings(findings: Sequence["Finding"]) -> None:
    table = Table(show_header=False, box=None, title="What a reviewer would ask", title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for finding in findings:
        verdict = Text(str(finding.verdict), style=_STYLES[finding.verdict])
        table.add_row(verdict, finding.check, Text(finding.sentence))
    out.print(table)


def _for_people(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_for_people(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_for_people(item) for item in value)
    return str(value)
