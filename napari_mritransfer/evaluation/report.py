"""One HTML file that holds a whole comparison: verdict, warnings, numbers with their convention, pictures, facts."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from napari_mritransfer.evaluation.page import figure, page
from napari_mritransfer.evaluation.table import HEADINGS, MethodScores, cells, convention_lines
from napari_mritransfer.io.atomic import write_text

_NESTED = (Mapping, list, tuple)

def write_report(
    path: Path,
    *,
    title: str,
    sentence: str,
    scores: Sequence[MethodScores],
    figures: Sequence[tuple[Path, str]],
    facts: Mapping[str, Mapping[str, str]],
    warnings: Sequence[str],
) -> None:
    """Write a self-contained report: pictures inside, no script, nothing to load, fit for e-mail and for printing.

    Parameters
    ----------
    path
        The .html file; appears complete or not at all.
    title
        Heading and window title.
    sentence
        The verdict in words.
    scores
        Rows of the table.
    figures
        Picture file (PNG or JPEG) and its caption, in order.
    facts
        Section heading to its table of names and values: data, sampling, training, software.
    warnings
        What a reviewer would ask about, such as k-space simulated from magnitude images. Stand above the numbers.

    Raises
    ------
    ValueError
        If a picture is neither PNG nor JPEG.
    FileNotFoundError
        If a picture is missing.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict">{escape(sentence)}</p>',
        _warnings(warnings),
        _scores(scores),
        *(figure(picture, caption) for picture, caption in figures),
        _details(scores),
        *(_facts(section, pairs) for section, pairs in facts.items()),
    ]
    body = "\n".join(part for part in parts if part)
    write_text(path, page(title, body))


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    lines = "".join(f"<p>{escape(warning)}</p>" for warning in warnings)
    return f'<aside class="warnings" aria-label="Warnings">{lines}</aside>'


def _scores(scores: Sequence[MethodScores]) -> str:
    if not scores:
        return ""
    table = _table(HEADINGS, [(one.method, cells(one.evaluation)) for one in scores], "number")
    convention = "".join(f"<p>{escape(line)}</p>" for line in convention_lines(scores))
    return f'<h2>Scores</h2>{table}<div class="convention">{convention}</div>'


def _details(scores: Sequence[MethodScores]) -> str:
    """What else is known of each row; lists and nested tables stay in metrics.json."""
    flat = [{name: value for name, value in one.details.items() if not isinstance(value, _NESTED)} for one in scores]
    names = list(dict.fromkeys(name for details in flat for name in details))
    if not names:
        return ""
    rows = [
        (one.method, [_plain(details.get(name)) for name in names]) for one, details in zip(scores, flat, strict=True)
    ]
    return f"<h2>Methods</h2>{_table([name.replace('_', ' ') for name in names], rows)}"


def _table(headings: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], kind: str = "text") -> str:
    head = "".join(f'<th scope="col" class="{kind}">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(method)}</th>'
        + "".join(f'<td class="{kind}">{escape(cell)}</td>' for cell in row)
        + "</tr>\n"
        for method, row in rows
    )
    return (
        '<div class="wide"><table>\n'
        f'<thead><tr><th scope="col">Method</th>{head}</tr></thead>\n<tbody>{body}</tbody>\n</table></div>'
    )


def _plain(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _facts(section: str, pairs: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in pairs.items()
    )
    return f'<h2>{escape(section)}</h2><div class="wide"><table class="facts"><tbody>{rows}</tbody></table></div>'
