from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from napari_mritransfer.cohort.allocation import allocate
from napari_mritransfer.cohort.checks import CheckedCohort, check_cohort
from napari_mritransfer.cohort.splits import SIDES, Split, folds, make_split, read_split
from napari_mritransfer.cohort.table import Cohort, CohortScan
from napari_mritransfer.cohort.together import joined
from napari_mritransfer.io.errors import BadInput

SEEDS = st.integers(0, 2**31)


def cohort_of(rows, *, classes=()):
    """A checked cohort without any files: (subject, label, group) of each scan."""
    scans = tuple(CohortScan(subject, f"s{n}", Path(f"{n}.nii"), {}, n + 2) for n, (subject, _, _) in enumerate(rows))
    labels = {scan: label for scan, (_, label, _) in zip(scans, rows, strict=True)}
    groups = {scan: group or scan.subject for scan, (_, _, group) in zip(scans, rows, strict=True)}
    cohort = Cohort(Path("table.tsv"), (), scans, False)
    task = "regression" if not classes else "binary" if len(classes) == 2 else "classes"
    column = "site" if any(group for *_, group in rows) else ""
    return CheckedCohort(cohort, "label", task, tuple(classes), scans, labels, column, groups, ())


@st.composite
def cohorts(draw):
    """Subjects with one to three scans each, in groups or not, with numbers, two or three classes."""
    classes = draw(st.sampled_from([(), ("a", "b"), ("a", "b", "c")]))
    labels = st.sampled_from(classes) if classes else st.floats(0, 100)
    n_groups = draw(st.sampled_from([0, 4, 9]))
    n_subjects = draw(st.integers(8, 40))
    rows = []
    for subject in range(n_subjects):
        group = f"g{draw(st.integers(0, n_groups - 1))}" if n_groups else ""
        scans = draw(st.integers(1, 3))
        wanders = n_groups and draw(st.integers(0, 9)) == 0  # scanned at two sites
        for scan in range(scans):
            elsewhere = f"g{draw(st.integers(0, n_groups - 1))}" if wanders and scan else group
            rows.append((f"sub-{subject}", draw(labels), elsewhere))
    return cohort_of(draw(st.permutations(rows)), classes=classes)


@settings(max_examples=80)
@given(cohort=cohorts(), seed=SEEDS, shares=st.sampled_from([(0.2, 0.2), (0.1, 0.3), (0.0, 0.25), (0.3, 0.0)]))
def test_nobody_and_no_group_ever_straddles_and_everybody_is_somewhere(cohort, seed, shares):
    test, validation = shares
    if len(joined(cohort.scans, cohort.groups)) < 1 + (test > 0) + (validation > 0):
        with pytest.raises(BadInput, match="cannot be divided into"):
            make_split(cohort, test=test, validation=validation, seed=seed)
        return
    split = make_split(cohort, test=test, validation=validation, seed=seed)
    assert split == make_split(cohort, test=test, validation=validation, seed=seed)
    whole = [subject for side in SIDES for subject in split.subjects(side)]
    assert sorted(whole) == sorted(cohort.subjects)
    side_of_group = {}
    for scan in cohort.scans:
        side = split.side_of(scan.subject)
        assert side is not None
        assert side_of_group.setdefault(cohort.groups[scan], side) == side
    assert bool(split.test) == (test > 0)
    assert bool(split.validation) == (validation > 0)
    assert sum((split.scans(cohort, side) for side in SIDES), ()) != ()
    assert all(sentence.startswith("Nobody for") for sentence in split.check_against(cohort))
    assert Split.from_json(split.as_json()) == split


@settings(max_examples=50)
@given(cohort=cohorts(), seed=SEEDS, k=st.integers(2, 5))
def test_folds_test_everybody_exactly_once(cohort, seed, k):
    validation = 0.2 if k > 2 else 0  # one of two folds may be a single group, which cannot teach and judge
    if len(joined(cohort.scans, cohort.groups)) < k:
        with pytest.raises(BadInput, match="cannot be divided into"):
            folds(cohort, k, seed, validation=validation)
        return
    splits = folds(cohort, k, seed, validation=validation)
    assert splits == folds(cohort, k, seed, validation=validation)
    assert Counter(subject for split in splits for subject in split.test) == Counter(cohort.subjects)
    for number, split in enumerate(splits):
        assert (split.fold, split.folds) == (number, k)
        assert min(len(split.train), len(split.test)) > 0
        assert bool(split.validation) == (validation > 0)
        split.check_against(cohort)


@given(
    sizes=st.lists(st.integers(4, 40), min_size=1, max_size=4), seed=SEEDS,
    shares=st.sampled_from([(0.6, 0.2, 0.2), (0.8, 0.2), (0.5, 0.25, 0.25), (0.2,) * 5]),
)  # fmt: skip
def test_every_class_of_single_subjects_is_shared_out_to_within_a_subject(sizes, seed, shares):
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    if len(kinds) < len(shares):
        return
    sides = allocate(np.eye(len(sizes), dtype=np.int64)[kinds], shares, seed)
    for kind, size in enumerate(sizes):
        got = np.bincount(sides[kinds == kind], minlength=len(shares))
        assert np.abs(got - np.array(shares) * size).max() <= 1.5
    total = np.bincount(sides, minlength=len(shares))
    assert np.abs(total - np.array(shares) * len(kinds)).max() <= 0.5 * len(sizes) + 1
    assert total.min() > 0


def imbalance(folds_, labels, n_classes):
    """Largest deviation of a class's share in a fold from its share in all, and of a fold's size."""
    overall = np.bincount(labels, minlength=n_classes) / len(labels)
    worst = 0.0
    for members in folds_:
        if len(members) == 0:
            return 1.0
        share = np.bincount(labels[members], minlength=n_classes) / len(members)
        worst = max(worst, np.abs(share - overall).max(), abs(len(members) / len(labels) * len(folds_) - 1))
    return worst


def test_groups_are_shared_out_as_evenly_as_scikit_learn_does():
    """Over many cohorts of uneven groups, in five equal shares: scikit-learn knows no others."""
    ours, theirs = [], []
    rng = np.random.default_rng(0)
    for trial in range(60):
        sizes = rng.integers(1, 12, rng.integers(8, 25))
        groups = np.repeat(np.arange(len(sizes)), sizes)
        labels = (rng.random(len(groups)) < rng.uniform(0.2, 0.5)).astype(int)
        counts = np.stack([np.bincount(groups[labels == kind], minlength=len(sizes)) for kind in (0, 1)], axis=1)
        sides = allocate(counts, [0.2] * 5, trial)[groups]
        ours.append(imbalance([np.flatnonzero(sides == fold) for fold in range(5)], labels, 2))
        try:
            folds_ = StratifiedGroupKFold(5, shuffle=True, random_state=trial).split(labels, labels, groups)
            theirs.append(imbalance([test for _, test in folds_], labels, 2))
        except ValueError:  # too few of a class for it
            theirs.append(1.0)
    assert np.mean(ours) <= np.mean(theirs)


def test_numbers_are_stratified_too():
    """The tested are as old as everybody, far closer than a random fifth would be."""
    ages = np.random.default_rng(0).permutation(np.linspace(20, 80, 100))
    cohort = cohort_of([(f"s{n}", float(age), "") for n, age in enumerate(ages)])
    for seed in range(20):
        split = make_split(cohort, seed=seed)
        assert (len(split.train), len(split.validation), len(split.test)) == (60, 20, 20)
        tested = [cohort.labels[scan] for scan in split.scans(cohort, "test")]
        assert abs(np.mean(tested) - 50) < 2.5  # a random fifth is off by 3.5 on average
        assert np.histogram(tested, 5, (20, 80))[0].tolist() == [4] * 5


def test_every_subject_is_tested_as_often_under_different_seeds():
    cohort = cohort_of([(f"s{n:02d}", "ab"[n % 2], "") for n in range(20)], classes=("a", "b"))
    tested = Counter(subject for seed in range(300) for subject in make_split(cohort, seed=seed).test)
    assert set(tested) == set(cohort.subjects)
    assert max(tested.values()) < 95  # 60 expected, standard deviation 7
    assert min(tested.values()) > 30


def test_friends_of_friends_stay_together():
    rows = [("a", 1, "x"), ("b", 2, "x"), ("b", 2, "y"), ("c", 3, "y"), ("d", 4, "z")]
    cohort = cohort_of(rows)
    assert joined(cohort.scans, cohort.groups) == {"x": ("a", "b", "c"), "z": ("d",)}


@pytest.mark.parametrize("k", [3, 5])
def test_as_many_folds_as_groups_leave_one_group_out(k):
    cohort = cohort_of([(f"s{n}", float(n), f"site {n % k}") for n in range(23)])
    sites = [{cohort.groups[scan] for scan in split.scans(cohort, "test")} for split in folds(cohort, k, 1)]
    assert sorted(map(sorted, sites)) == [[f"site {n}"] for n in range(k)]


def test_too_few_subjects_or_groups_are_said_in_one_sentence():
    two = cohort_of([("a", 1.0, ""), ("a", 2.0, ""), ("b", 3.0, "")])
    with pytest.raises(BadInput, match=r"2 subject\(s\) with usable scans cannot be divided into train and validation"):
        make_split(two, seed=0)
    sites = cohort_of([(f"s{n}", float(n), f"site {n % 3}") for n in range(20)])
    with pytest.raises(BadInput, match=r"3 group\(s\) of 'site' with usable scans cannot be divided into 4 folds"):
        folds(sites, 4, 0)
    with pytest.raises(BadInput, match="choose at least 2"):
        folds(sites, 1, 0)
    with pytest.raises(BadInput, match="leaves nobody to learn from"):
        folds(sites, 2, 0, validation=0.5)


@pytest.mark.parametrize("shares", [(1, 0.2), (0.5, 0.5), (-0.1, 0.2), (float("nan"), 0.2), (0.2, float("nan"))])
def test_shares_that_leave_nobody_are_refused(shares):
    cohort = cohort_of([(f"s{n}", float(n), "") for n in range(20)])
    with pytest.raises(BadInput, match="must leave some of the subjects for training"):
        make_split(cohort, test=shares[0], validation=shares[1], seed=0)


def test_a_saved_split_is_read_again(tmp_path):
    cohort = cohort_of([(f"s{n}", float(n), f"g{n % 7}") for n in range(20)])
    split = folds(cohort, 3, 5)[1]
    split.save(tmp_path / "split.json")
    assert read_split(tmp_path / "split.json") == split
    assert (split.label, split.group, split.seed) == ("label", "site", 5)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read; check the path"),
        ("", "split.json: This saved split is damaged"),
        ("[]", "This is no saved split"),
        ('{"kind": "cohort"}', "This is no saved split"),
        ('{"kind": "split"}', "is damaged"),
        ('{"kind": "split", "train": "abc", "validation": [], "test": [], "seed": 0}', "is damaged"),
        (
            '{"kind": "split", "train": ["a", "b"], "validation": ["b"], "test": [], "seed": 0, "fold": 0, "folds": 0, '
            '"label": "", "group": ""}',
            "names b more than once",
        ),
    ],
)
def test_what_is_no_split_is_refused(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "split.json").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_split(tmp_path / "split.json")


def test_a_split_for_a_table_that_changed_says_what_no_longer_fits():
    rows = [(f"s{n}", "ab"[n % 2], f"g{n}") for n in range(10)]
    split = make_split(cohort_of(rows, classes=("a", "b")), seed=0)
    gone = split.train[0]
    changed = [*(row for row in rows if row[0] != gone), ("new", "a", "g99")]
    assert split.check_against(cohort_of(changed, classes=("a", "b"))) == (
        f"1 subject(s) of the split have no usable scan any more ({gone}).",
        "1 subject(s) are on no side of the split and are not used (new).",
    )
    together = [(subject, label, "one site" if subject in (split.train[0], split.test[0]) else subject)
                for subject, label, _ in rows]  # fmt: skip
    with pytest.raises(BadInput, match=r"has 'one site' of column 'site' on several sides \(train and test\)"):
        split.check_against(cohort_of(together, classes=("a", "b")))
    untested = [row for row in rows if row[0] not in split.test]
    with pytest.raises(BadInput, match=r"None of the split's 2 subjects for test has a usable scan in table\.tsv"):
        split.check_against(cohort_of(untested, classes=("a", "b")))
    lacking = [(subject, "a" if subject in split.test else label, group) for subject, label, group in rows]
    assert split.check_against(cohort_of(lacking, classes=("a", "b"))) == ("Nobody for test is 'b'.",)


def test_from_a_table_to_a_split(tmp_path):
    from tables import write_cohort

    from napari_mritransfer.cohort.table import read_cohort

    table = write_cohort(tmp_path, [{"age": 20 + 3 * n, "site": n % 4} for n in range(16)])
    checked = check_cohort(read_cohort(table), "age", group="site")
    split = make_split(checked, seed=3)
    assert {split.side_of(f"sub-{n:02d}") for n in (0, 4, 8, 12)} in ({"train"}, {"validation"}, {"test"})
