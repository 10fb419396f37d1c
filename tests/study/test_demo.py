"""The demonstration end to end, with a budget for tests: real samples, real base, few steps."""

import json

import pytest

from napari_mritransfer import load
from napari_mritransfer.study import demo
from napari_mritransfer.training.config import BadConfig


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "EPOCHS", 1)
        patch.setattr(demo, "STEPS_PER_EPOCH", 3)
        patch.setattr(demo, "SEEDS", (0,))
        return out, demo.run_demo(out)


def test_it_leaves_what_it_promises(shown):
    out, _ = shown
    rows = json.loads((out / "metrics.json").read_text())
    assert [row["method"] for row in rows] == ["zero-filled", "pretrained", "ft", "lft"]
    assert all({"psnr", "ssim", "nmse"} <= row.keys() for row in rows)
    for name in ("comparison.png", "learning.png", "report.html", "lft.nii.gz", "source-domain/report.html"):
        assert (out / name).stat().st_size > 1000


def test_the_pretrained_network_beats_zero_filled_by_4_db(shown):
    scores = {s.method: s.evaluation.foreground.psnr.mean for s in shown[1].comparison.scores}
    assert scores["pretrained"] > scores["zero-filled"] + 4


def test_the_sentence_says_gain_method_and_cost(shown):
    sentence = shown[1].sentence
    for word in ("FT gained", "LFT gained", "over no transfer", "changed T1w by", "dB"):
        assert word in sentence
    assert "indistinguishable" in sentence  # one seed cannot tell


def test_an_earlier_demonstration_is_replaced_and_nothing_else_is(shown, tmp_path):
    out, _ = shown
    (out / "runs" / "mine").mkdir()
    demo._prepare(out)
    assert sorted(p.name for p in out.iterdir()) == [demo._MARKER, "runs"]
    assert [p.name for p in (out / "runs").iterdir()] == ["mine"]
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(BadConfig, match="other files"):
        demo._prepare(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_stopping_is_not_bad_input(tmp_path):
    with pytest.raises(demo.DemoStopped, match="start it again"):
        demo.run_demo(tmp_path / "demo", should_stop=lambda: True)


@pytest.mark.parametrize("name", ["patient03_study1_T2W", "patient03_study2_T2W", "patient12_study1_T2W",
                                  "patient12_study1_T1W"])  # fmt: skip
def test_samples_load(name):
    scan = load(demo.sample(name))
    assert scan.image.shape[1] == 16
    assert scan.orientation == "axial"
