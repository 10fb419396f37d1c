import base64
import re

import numpy as np
import pytest

from napari_mritransfer.evaluation.metrics import evaluate
from napari_mritransfer.evaluation.report import write_report
from napari_mritransfer.evaluation.table import MethodScores, cells

REFERENCE = np.random.default_rng(0).random((2, 8, 8)) + 1.0
# One grey pixel.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")


def written(tmp_path, **changed):
    image = tmp_path / "comparison.png"
    image.write_bytes(PNG)
    content = {
        "title": "T1W <script>alert(1)</script>",
        "sentence": "FT & LFT are indistinguishable.",
        "scores": [
            MethodScores("zero-filled", evaluate(REFERENCE, REFERENCE * 0.9), {}),
            MethodScores('L"FT', evaluate(REFERENCE, REFERENCE), {"trainable_parameters": 1234, "levels": [1, 2]}),
        ],
        "figures": [(image, 'Slice 3 "middle"')],
        "facts": {"Data": {"<b>file": "scan & more.nii.gz"}, "Sampling": {"achieved rate": "25.1 %"}},
        "warnings": ["k-space was simulated from a magnitude image."],
    }
    write_report(tmp_path / "report.html", **(content | changed))
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_everything_is_inside_one_file(tmp_path):
    html = written(tmp_path)
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert sources == ["data:image/png;base64," + base64.b64encode(PNG).decode()]
    assert "http:" not in html
    assert "https:" not in html
    assert "default-src 'none'" in html


def test_every_name_and_number_is_there(tmp_path):
    html = written(tmp_path)
    for expected in ("zero-filled", "L&quot;FT", "∞", "trainable parameters", "1234", "25.1 %", "Peak: volume maximum"):
        assert expected in html
    for cell in cells(evaluate(REFERENCE, REFERENCE * 0.9)):
        assert cell in html
    assert html.index("simulated from a magnitude image") < html.index("PSNR (dB)"), "warnings come before numbers"


def test_text_cannot_become_markup(tmp_path):
    html = written(tmp_path)
    assert "<script" not in html
    assert html.count("T1W &lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert "&lt;b&gt;file" in html
    assert "FT &amp; LFT" in html
    assert 'alt="Slice 3 &quot;middle&quot;"' in html


def test_empty_parts_leave_no_traces(tmp_path):
    html = written(tmp_path, scores=[], figures=[], facts={}, warnings=[])
    for absent in ("<table", "<figure", "<aside", "<h2"):
        assert absent not in html


def test_pictures_must_exist_and_be_pictures(tmp_path):
    with pytest.raises(FileNotFoundError):
        written(tmp_path, figures=[(tmp_path / "missing.png", "")])
    with pytest.raises(ValueError, match="neither PNG nor JPEG"):
        written(tmp_path, figures=[(tmp_path / "scan.svg", "")])
    assert not (tmp_path / "report.html").exists()
