"""One HTML file that holds a whole comparison: verdict, warnings, numbers with their convention, pictures, facts."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from napari_mritransfer.evaluation.table import HEADINGS, MethodScores, cells, convention_lines
from napari_mritransfer.io.atomic import write_text

_NESTED = (Mapping, list, tuple)
_PICTURE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}

# The policy lets a browser load nothing but what is in this file, whatever a scan's name may contain.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: #1b1d21; background: #fff;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.1rem; margin: 0 0 1rem; }
.warnings { border-left: 4px solid #d9a100; background: #fdf8e8; padding: .5rem 1rem; margin: 1rem 0; }
.warnings p { margin: .25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; overflow-wrap: normal; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #dcdfe4; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts th { font-weight: normal; color: #555b66; white-space: nowrap; }
.convention { font-size: .85rem; color: #555b66; }
.convention p { margin: .1rem 0; }
figure { margin: 1rem 0; break-inside: avoid; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; color: #555b66; margin-top: .3rem; }
@media print {
  body { max-width: none; margin: 0; font-size: 11pt; }
  img, .warnings { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  table { font-size: 8.5pt; } tr { break-inside: avoid; } .wide { overflow: visible; }
}
"""


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
        *(_figure(picture, caption) for picture, caption in figures),
        _details(scores),
        *(_facts(section, pairs) for section, pairs in facts.items()),
    ]
    body = "\n".join(part for part in parts if part)
    write_text(
        path,
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
    )


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


def _figure(picture: Path, caption: str) -> str:
    kind = _PICTURE_TYPES.get(picture.suffix.lower())
    if kind is None:
        raise ValueError(f"{picture.name} is neither PNG nor JPEG; convert it before it goes into a report.")
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    text = escape(caption)
    return f'<figure><img src="data:{kind};base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _facts(section: str, pairs: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in pairs.items()
    )
    return f'<h2>{escape(section)}</h2><div class="wide"><table class="facts"><tbody>{rows}</tbody></table></div>'
