"""One HTML page that holds everything: pictures inside, no script, nothing to load."""

import base64
from html import escape
from pathlib import Path

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


def page(title: str, body: str) -> str:
    """A whole document.

    Parameters
    ----------
    title
        Of the window.
    body
        HTML, escaped where it has to be.
    """
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def figure(picture: Path, caption: str) -> str:
    """A picture, inside the page, and what it shows.

    Raises
    ------
    ValueError
        If it is neither PNG nor JPEG.
    FileNotFoundError
        If it is missing.
    """
    kind = _PICTURE_TYPES.get(picture.suffix.lower())
    if kind is None:
        raise ValueError(f"{picture.name} is neither PNG nor JPEG; convert it before it goes into a report.")
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    text = escape(caption)
    return f'<figure><img src="data:{kind};base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'
