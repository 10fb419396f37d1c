import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from napari_mritransfer.evaluation.metrics import Peak, Summary, evaluate
from napari_mritransfer.evaluation.table import MethodScores, as_records, mean_sd, rich_table, write_csv, write_json

REFERENCE = np.random.default_rng(0).random((3, 16, 12)) + 1.0
ZERO_FILLED = REFERENCE * np.array([0.9, 0.8, 0.85])[:, None, None]


def scores(peak=Peak.VOLUME, **details):
    everywhere = np.ones(REFERENCE.shape, dtype=bool)
    return [
        MethodScores("zero-filled", evaluate(REFERENCE, ZERO_FILLED, everywhere, peak=peak), {}),
        MethodScores("LFT, [bold]", evaluate(REFERENCE, REFERENCE, everywhere, peak=peak), details),
    ]


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


def printed(table):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_headline_is_the_foreground_mean_over_slices():
    record = as_records(scores())[0]
    foreground = scores()[0].evaluation.foreground
    assert (record["psnr"], record["psnr_sd"]) == (foreground.psnr.mean, foreground.psnr.sd)
    assert (record["region"], record["summary"]) == ("foreground", "mean over slices")
    assert record["foreground"]["nmse"]["slices"] == list(foreground.nmse.slices)
    assert record["whole"]["ssim"]["volume"] == scores()[0].evaluation.whole.ssim.volume
    assert record["convention"]["peak"] == "volume"
    assert "7x7 uniform window" in record["convention"]["ssim"]


def test_json_stays_valid_with_a_perfect_reconstruction(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(
        scores(seed=np.int64(3), seconds=np.float32(1.5), loss=math.nan, weights=Path("a/b.pt"), rates=[0.25]), path
    )
    exact = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)[1]
    assert exact["psnr"] is None
    assert "infinite" in exact["note"]
    assert (exact["ssim"], exact["nmse"], exact["psnr_sd"]) == (1.0, 0.0, 0.0)
    assert [exact[name] for name in ("seed", "seconds", "loss", "weights", "rates")] == [3, 1.5, None, "a/b.pt", [0.25]]
    assert list(tmp_path.iterdir()) == [path]


def test_finite_scores_need_no_note():
    assert "note" not in as_records(scores())[0]


def test_csv_comes_back_as_it_was(tmp_path):
    path = tmp_path / "metrics.csv"
    write_csv(scores(strategy="lft", rates=[0.25, 0.125]), path)
    with path.open(encoding="utf-8", newline="") as lines:
        first, second = csv.DictReader(lines)
    record = as_records(scores())[0]
    for name in ("psnr", "psnr_sd", "ssim", "ssim_sd", "nmse", "nmse_sd"):
        assert float(first[name]) == record[name]
    assert float(first["whole_psnr_volume"]) == record["whole"]["psnr"]["volume"]
    assert (second["method"], second["strategy"], json.loads(second["rates"])) == ("LFT, [bold]", "lft", [0.25, 0.125])
    assert float(second["psnr"]) == math.inf
    assert first["strategy"] == ""
    assert (first["convention_peak"], first["slices"]) == ("volume", "3")


def test_details_may_not_overwrite_a_number(tmp_path):
    with pytest.raises(ValueError, match="overwrite psnr"):
        as_records(scores(psnr=99.0))
    with pytest.raises(ValueError, match="overwrite whole_psnr"):
        write_csv(scores(whole_psnr=99.0), tmp_path / "metrics.csv")
    with pytest.raises(ValueError, match="a set"):
        write_json(scores(tags={1}), tmp_path / "metrics.json")
    assert not list(tmp_path.iterdir()), "a refused table leaves no file"


def test_terminal_table_shows_every_number_and_its_convention():
    text = printed(rich_table(scores(), "Patient [03]"))
    for expected in ("Patient [03]", "zero-filled", "LFT, [bold]", "∞", "±", "Peak: volume maximum", "scikit-image"):
        assert expected in text
    assert mean_sd(scores()[0].evaluation.foreground.psnr, 2) in text


def test_no_row_is_marked_without_a_verdict():
    assert [row.style for row in rich_table(scores(), "").rows] == [None, None]
    assert [row.style for row in rich_table(scores(), "", winner="zero-filled").rows] == ["bold", None]


def test_differing_conventions_are_both_printed():
    text = printed(rich_table(scores() + scores(Peak.SLICE), ""))
    assert "Peak: volume maximum" in text
    assert "Peak: slice maximum" in text
    assert text.count("NMSE: squared error") == 1


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (Summary(34.0, 34.123, 0.8, (34.0, 35.0)), "34.12 ± 0.80"),
        (Summary(34.0, 34.123, 0.0, (34.123,)), "34.12"),
        (Summary(math.inf, math.inf, 0.0, (math.inf, math.inf)), "∞"),
        (Summary(40.0, math.inf, math.inf, (40.0, math.inf)), "∞"),
        (Summary(0.0, 0.00004, 0.0, (0.00004,)), "4.0e-05"),
    ],
)
def test_numbers_as_people_read_them(summary, text):
    assert mean_sd(summary, 2) == text
