"""One HTML file that holds a whole re-use: result, doubts, tables, pictures, every setting and version. No torch."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from napari_mritransfer.cohort.reuse.record import ReuseRecord
from napari_mritransfer.cohort.reuse.scores import main_metric
from napari_mritransfer.cohort.reuse.wording import cells, decimals, heading, sentence
from napari_mritransfer.evaluation.page import figure, page
from napari_mritransfer.io.atomic import write_text

_CONVENTION = (
    "Everybody was tested by models that had not learned from them; hyper-parameters were chosen by an inner "
    "cross-validation among the training subjects.",
    "Intervals: 95 %, subjects drawn again 2,000 times, all scans and repeats of one together. They do not know how "
    "the results would change with other subjects to learn from.",
    "MAE, R² and calibration are of uncorrected predictions. 'Corrected by the true value' uses what was to be "
    "predicted; it says how much people deviate from what is usual, not how well anything was predicted.",
    "Calibration slope: of the line through true over predicted numbers; 1 if they mean what they say.",
)


def write_reuse_report(
    path: Path,
    record: ReuseRecord,
    figures: Sequence[tuple[Path, str]],
    problems: Sequence[Mapping[str, str]],
) -> None:
    """Write a self-contained report, fit for e-mail and for printing.

    Parameters
    ----------
    path
        The .html file; appears complete or not at all.
    record
        The results.
    figures
        Pictures, and what they show.
    problems
        Of the cohort, as `checks.as_rows` writes them.
    """
    digits = decimals(record)
    title = f"{record.label.name} from {record.n_subjects} subjects: ways to re-use {record.model_title}"
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="verdict">{escape(sentence(record))}</p>']
    if record.warnings:
        told = "".join(f"<p>{escape(warning)}</p>" for warning in record.warnings)
        parts.append(f'<aside class="warnings" aria-label="Warnings">{told}</aside>')
    parts.append(_table(heading(record.label), [cells(one, record) for one in record.results]))
    parts.append(f'<div class="convention">{"".join(f"<p>{escape(one)}</p>" for one in _CONVENTION)}</div>')
    if record.left_out:
        parts.append("<h2>Left out</h2>")
        parts += [f"<p>{escape(name)}: {escape(why)}</p>" for name, why in record.left_out.items()]
    for picture, caption in figures:
        parts.append(figure(picture, caption))
    parts.append("<h2>Differences between methods</h2>")
    _, metric, higher = main_metric(record.label)
    unit = f" in {record.label.unit}" if record.label.task == "regression" and record.label.unit else ""
    side = "above" if higher else "below"
    parts.append(f"<p>{metric}{escape(unit)} of the first less that of the second: {side} 0 the first is better.</p>")
    names = {one.method: one.label for one in record.results}
    parts.append(
        _table(
            ("First", "Second", "Subjects to learn from", "First − second"),
            [
                (
                    names[one.first], names[one.second], str(one.size or "all"),
                    f"{one.difference:+.{digits}f}" + ("" if one.interval is None
                    else f" ({one.interval[0]:+.{digits}f} to {one.interval[1]:+.{digits}f})"),
                )
                for one in record.comparisons
            ],
        )
    )  # fmt: skip
    if problems:
        parts.append("<h2>The cohort</h2>")
        parts.append(
            _table(
                ("Severity", "Line", "Subject", "What"),
                [(row["severity"], row["line"], row["subject"], row["sentence"]) for row in problems],
            )
        )
    if record.said:
        parts.append("<h2>What was done</h2>" + "".join(f"<p>{escape(one)}</p>" for one in record.said))
    parts.append("<h2>Settings</h2>" + _facts(record.config.as_facts()))
    parts.append("<h2>Programs</h2>" + _facts(record.environment))
    write_text(path, page(title, "\n".join(parts)))


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return f'<div class="wide"><table class="facts">{rows}</table></div>'
