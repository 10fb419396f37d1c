"""The whole job on real files: results, going on after a kill, and everything that can be wrong with a cohort."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from small_cohorts import write_cohort
from small_reuse import reuse_config, write_network

from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.look import read_look
from napari_mritransfer.cohort.reuse.record import FITS, REPORT, read_config, read_predictions, read_reuse
from napari_mritransfer.cohort.reuse.relevance import map_of_subject
from napari_mritransfer.cohort.reuse.run import reuse
from napari_mritransfer.cohort.reuse.wording import cells, decimals, heading, sentence
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.stopped import ReconstructionStopped

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    return write_cohort(folder, subjects=18), write_network(folder / "network.safetensors"), folder / "cache"


@pytest.fixture(scope="module")
def done(cohort, tmp_path_factory):
    table, model, cache = cohort
    config = reuse_config(
        table, model, "direct", "features-ridge", "features-gp", "final-layer", "step", "full", "lft", "scratch",
        "classical", sizes=(6,), permutations=4,
    )  # fmt: skip
    return reuse(config, tmp_path_factory.mktemp("done") / "out", cache=cache)


def test_a_row_for_every_method_and_size_the_baseline_first(done):
    assert done.results[0].method == "baseline"
    assert {(one.method, one.size) for one in done.results} == {
        (name, size) for name in (*done.config.methods, "baseline") for size in (0, 6)
    }
    assert all(one.scores["n"] == 18 for one in done.results)
    assert all(one.learned_from == (6 if one.size else 12) for one in done.results)
    assert len(cells(done.results[0], done)) == len(heading(done.label))
    assert "years" in sentence(done)
    assert max(len(word) for one in (*done.said, *done.warnings) for word in one.split()) <= 40, "a dock is narrow"


def test_what_is_written_is_what_is_read(done):
    again = read_reuse(done.folder)
    assert json.dumps(again.as_record()) == json.dumps(done.as_record())
    assert read_config(done.folder) == done.config
    lines = read_predictions(done.folder)
    assert len(lines) == 18 * len(done.results)
    own = [line for line in lines if (line.method, line.size) == ("features-ridge", 0)]
    error = np.mean([abs(float(line.true) - float(line.predicted)) for line in own])
    result = next(one for one in done.results if (one.method, one.size) == ("features-ridge", 0))
    assert result.scores["mae"] == pytest.approx(error, abs=1e-4)


def test_the_report_holds_settings_versions_doubts_and_pictures(done):
    text = (done.folder / REPORT).read_text("utf-8")
    for wanted in ("features-ridge", "batch norm", "scikit-learn", "simulated", "data:image/png", "Bland–Altman"):
        assert wanted in text
    assert str(done.folder) not in text
    for name in ("predicted.png", "bland-altman.png", "comparison.png", "learning-curve.png", "table.csv"):
        assert (done.folder / name).stat().st_size > 100


def test_p_values_are_of_methods_that_train_no_network(done):
    with_p = {one.method for one in done.results if one.p is not None}
    assert with_p == {"direct", "features-ridge", "features-gp", "classical"}
    assert all(0 < one.p <= 1 for one in done.results if one.p is not None)


def test_a_second_analysis_computes_no_feature(done, cohort, tmp_path, monkeypatch):
    table, model, cache = cohort

    def never(*_):
        raise AssertionError("the features are known")

    monkeypatch.setattr("napari_mritransfer.cohort.reuse.run.features_of", never)
    monkeypatch.setattr("napari_mritransfer.cohort.reuse.run.prepare", never)
    again = reuse(reuse_config(table, model, "features-ridge"), tmp_path / "out", cache=cache)
    first = next(one for one in done.results if (one.method, one.size) == ("features-ridge", 0))
    assert again.results[1].scores["mae"] == first.scores["mae"]


def test_stopped_it_goes_on_and_ends_on_the_same_numbers(done, cohort, tmp_path):
    cache, config, out = cohort[2], done.config, tmp_path / "out"
    told = []
    with pytest.raises(ReconstructionStopped):
        reuse(config, out, cache=cache, on_progress=lambda *one: told.append(one), should_stop=lambda: len(told) > 60)
    fits = {path.name: path.read_text() for path in (out / FITS).glob("*.json")}
    assert fits
    with pytest.raises(BadInput, match="not finished"):
        read_reuse(out)
    again = reuse(config, out, cache=cache)
    assert all((out / FITS / name).read_text() == text for name, text in fits.items())
    for one, other in zip(again.results, done.results, strict=True):
        assert (one.method, one.size) == (other.method, other.size)
        assert one.scores["mae"] == pytest.approx(other.scores["mae"], rel=1e-5)


def test_killed_it_goes_on(cohort, tmp_path):
    table, model, _ = cohort
    out = tmp_path / "out"
    arguments = [
        sys.executable, "-m", "napari_mritransfer", "cohort", "reuse", str(table), "--label", "age", "--model",
        str(model), "--methods", "features-ridge,full", "--folds", "3", "--epochs", "40", "--out", str(out),
    ]  # fmt: skip
    environment = os.environ | {"MRITRANSFER_CACHE": str(tmp_path / "models"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while len(list((out / FITS).glob("features-ridge*.json"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    before = {path.name: path.stat().st_mtime_ns for path in (out / FITS).glob("*.json")}
    assert len(before) >= 2
    shorter = [*arguments[:5], "--out", str(out)]
    ended = subprocess.run(shorter, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "features-ridge" in ended.stdout
    assert all((out / FITS / name).stat().st_mtime_ns == when for name, when in before.items())
    assert len(read_reuse(out).results) == 3


def test_a_folder_of_other_settings_or_files_is_refused(done, cohort, tmp_path):
    table, model, cache = cohort
    with pytest.raises(BadInput, match="other settings"):
        reuse(reuse_config(table, model, "features-ridge"), done.folder, cache=cache)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(BadInput, match=r"mine\.txt"):
        reuse(reuse_config(table, model), tmp_path, cache=cache)


def test_a_table_that_changed_is_refused(cohort, tmp_path):
    table, model, cache = cohort
    copy = table.with_name("copy.tsv")
    copy.write_text(table.read_text())
    config = reuse_config(copy, model)
    reuse(config, tmp_path / "out", cache=cache)
    lines = copy.read_text().splitlines()
    copy.write_text("\n".join([*lines[:-1], lines[-1].replace(lines[-1].split("\t")[1], "61.3")]) + "\n")
    with pytest.raises(BadInput, match="changed"):
        reuse(config, tmp_path / "out", cache=cache)


def test_the_order_of_a_tables_lines_decides_nothing(done, cohort, tmp_path):
    table, model, cache = cohort
    header, *lines = table.read_text().splitlines()
    shuffled = table.with_name("shuffled.tsv")
    shuffled.write_text("\n".join([header, *lines[::-1]]) + "\n")
    methods = ("features-ridge", "final-layer", "full")
    record = reuse(reuse_config(shuffled, model, *methods), tmp_path / "out", cache=cache)
    for method in methods:
        of_both = [
            {one.subject: one.predicted for one in read_predictions(folder) if (one.method, one.size) == (method, 0)}
            for folder in (done.folder, record.folder)
        ]
        assert of_both[0] == of_both[1]


def test_a_column_of_sites_that_changed_is_refused(cohort, tmp_path):
    table, model, cache = cohort
    copy = table.with_name("sites.tsv")
    copy.write_text(table.read_text())
    config = reuse_config(copy, model, site="site")
    reuse(config, tmp_path / "out", cache=cache)
    lines = copy.read_text().splitlines()
    place = lines[0].split("\t").index("site")
    fields = lines[1].split("\t")
    fields[place] = "B" if fields[place] != "B" else "C"
    copy.write_text("\n".join([lines[0], "\t".join(fields), *lines[2:]]) + "\n")
    with pytest.raises(BadInput, match="changed"):
        reuse(config, tmp_path / "out", cache=cache)


def test_a_method_that_fails_is_named_and_the_others_are_scored(cohort, tmp_path):
    table, model, cache = cohort
    config = reuse_config(table, model, "features-ridge", "full", learning_rate=9.0, weight_decay=1e6, epochs=4)
    record = reuse(config, tmp_path / "out", cache=cache)
    assert [one.method for one in record.results] == ["baseline", "features-ridge"]
    assert "choose a learning rate below" in record.left_out["full"]
    with pytest.raises(BadInput, match="None of the methods can run"):
        reuse(replace(config, methods=("full",)), tmp_path / "alone", cache=cache)


def test_bins_that_hold_some_labels_are_a_doubt_and_those_that_hold_none_are_refused(cohort, tmp_path):
    table, model, cache = cohort
    record = reuse(reuse_config(table, model, "final-layer", bins=Bins(60, 1, 10)), tmp_path / "some", cache=cache)
    assert any("outside 60 to 70 years" in warning for warning in record.warnings)
    with pytest.raises(BadInput, match="within the bins, 100 to 120"):
        reuse(reuse_config(table, model, "final-layer", bins=Bins(100, 1, 20)), tmp_path / "none", cache=cache)


def test_a_result_that_beats_nothing_is_called_so_and_small_numbers_stay_readable(done):
    base, one = (next(r for r in done.of_size() if r.method == name) for name in ("baseline", "full"))
    poor = replace(done, results=(base, replace(one, scores={**one.scores, "mae": 99.0})))
    assert sentence(poor).startswith("No method did better than without any image. The best of them: Full")
    assert decimals(done) == 2
    tiny = [replace(r, scores={**r.scores, "mae": r.scores["mae"] / 1e4}) for r in done.results]
    assert decimals(replace(done, results=tuple(tiny))) > 4


def test_sites_are_left_out_one_by_one(cohort, tmp_path):
    table, model, cache = cohort
    record = reuse(reuse_config(table, model, site="site"), tmp_path / "out", cache=cache)
    lines = [line for line in read_predictions(record.folder) if line.method == "features-ridge"]
    assert {line.fold for line in lines} == {0, 1, 2}
    with table.open() as stream:
        site_of = {row["participant_id"]: row["site"] for row in csv.DictReader(stream, delimiter="\t")}
    assert all(len({site_of[line.subject] for line in lines if line.fold == fold}) == 1 for fold in range(3))


def test_classes_and_what_cannot_run(cohort, tmp_path):
    table, model, cache = cohort
    config = reuse_config(table, model, "direct", "features-logistic", "features-ridge", "final-layer", label="disease")
    record = reuse(config, tmp_path / "out", cache=cache)
    assert set(record.left_out) == {"direct", "features-ridge"}
    assert "predicts 'age'" in record.left_out["direct"]
    assert record.label.classes == ("healthy", "diseased")
    found = next(one for one in record.results if one.method == "features-logistic")
    assert found.scores["balanced_accuracy"] > 0.7
    chances = [line.chances for line in read_predictions(record.folder)]
    assert all(sum(one) == pytest.approx(1, abs=1e-4) for one in chances)


def test_nothing_that_can_run_is_said_so(cohort, tmp_path):
    table, model, cache = cohort
    with pytest.raises(BadInput, match="None of the methods"):
        reuse(reuse_config(table, model, "direct", label="disease"), tmp_path / "out", cache=cache)


@pytest.mark.parametrize("method", ["direct", "features-gp", "full"])
def test_the_map_of_a_subject_lies_on_the_scan(done, tmp_path, method):
    found, image = map_of_subject(done.folder, "sub-03", "", method, tmp_path)
    scan, relevance = nibabel.load(image), nibabel.load(found)
    assert relevance.shape[:3] == scan.shape
    np.testing.assert_allclose(relevance.affine, scan.affine, atol=1e-4)
    values = np.asarray(relevance.dataobj)
    assert values.min() >= 0
    assert values.max() > 1.5


def test_methods_without_a_network_have_no_map(done, tmp_path):
    with pytest.raises(BadInput, match="no relevance map"):
        map_of_subject(done.folder, "sub-03", "", "classical", tmp_path)
    with pytest.raises(BadInput, match="no prediction"):
        map_of_subject(done.folder, "sub-99", "", "direct", tmp_path)


# --- bad input -----------------------------------------------------------------------------------------------------


def test_everything_wrong_is_named_in_one_table_before_anything_is_trained(tmp_path):
    table = write_cohort(tmp_path / "cohort", subjects=14)
    model = write_network(tmp_path / "network.safetensors")
    lines = table.read_text().splitlines()
    cells_ = [line.split("\t") for line in lines]
    cells_[3][1] = "n/a"  # sub-03 has no age
    cells_.append(cells_[5])  # sub-05 twice
    cells_.append(["sub-77", "60", "healthy", "A"])  # no file
    table.write_text("\n".join("\t".join(line) for line in cells_) + "\n")
    image = table.parent / "sub-04" / "anat" / "sub-04_T1w.nii.gz"
    image.write_bytes(image.read_bytes()[:200])
    record = reuse(reuse_config(table, model), tmp_path / "out", cache=tmp_path / "cache")
    assert record.n_subjects == 12
    looked = read_look(tmp_path / "out")
    told = {row["subject"]: row["sentence"] for row in looked.problems}
    assert {"sub-03", "sub-04", "sub-05", "sub-77"} <= told.keys()
    assert [row.usable for row in looked.rows].count(False) == 4
    assert "sub-77" in (tmp_path / "out" / REPORT).read_text()


@pytest.mark.parametrize(
    ("spoil", "changes", "said"),
    [
        (lambda rows: [[*row[:2], "healthy", row[3]] for row in rows], {"label": "disease"}, "nothing to learn"),
        (lambda rows: [[row[0], "60", *row[2:]] for row in rows], {}, "nothing to learn"),
        (lambda rows: rows[:7], {"folds": 9}, "9 folds"),
        (lambda rows: rows, {"sizes": (50,)}, "50"),
        (lambda rows: [[*row[:3], "A"] for row in rows], {"site": "site"}, "site"),
        (lambda rows: rows, {"label": "weight"}, "no column 'weight'"),
    ],
)
def test_what_stops_is_said_and_nothing_is_trained(tmp_path, spoil, changes, said):
    table = write_cohort(tmp_path / "cohort", subjects=12)
    model = write_network(tmp_path / "network.safetensors")
    header, *rows = (line.split("\t") for line in table.read_text().splitlines())
    table.write_text("\n".join("\t".join(row) for row in [header, *spoil(rows)]) + "\n")
    with pytest.raises(BadInput, match=said):
        reuse(reuse_config(table, model, **changes), tmp_path / "out", cache=tmp_path / "cache")
    assert not list((tmp_path / "out").glob("fits/*"))


def test_heads_are_refused_by_a_network_for_brains(cohort, tmp_path):
    table, _, _ = cohort
    model = write_network(tmp_path / "network.safetensors", brain_only=True)
    with pytest.raises(BadInput):
        reuse(reuse_config(table, model), tmp_path / "out", cache=tmp_path / "cache")
    assert all(not row.usable and row.problem for row in read_look(tmp_path / "out").rows)
    record = reuse(reuse_config(table, model, check_brains=False), tmp_path / "other", cache=tmp_path / "cache")
    assert any("Nobody checked" in warning for warning in record.warnings)


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "reuse"}', '{"kind": "other"}', "{"])
def test_configurations_of_strangers(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput):
        read_config(tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda r: r.pop("results"), lambda r: r.update(kind="x"), lambda r: r.update(label=1)]
)
def test_damaged_results_are_said_to_be(done, tmp_path, damage):
    record = json.loads((done.folder / "results.json").read_text())
    damage(record)
    (tmp_path / "config.json").write_text((done.folder / "config.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(record))
    with pytest.raises(BadInput, match="damaged"):
        read_reuse(Path(tmp_path))
