"""Who learns and who is tested: everybody once a repeat, the same for every method, nobody on both sides."""

import re
from collections import Counter

import pytest
from cohorts_in_memory import ages, cohort, cohorts, config, patients
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_mritransfer.cohort.reuse.catalogue import reuse_methods
from napari_mritransfer.cohort.reuse.plan import kept_together, lacking, outer_folds, plan
from napari_mritransfer.io.errors import BadInput

SEEDS = st.integers(0, 2**31)


@settings(max_examples=40)
@given(checked=cohorts(), seed=SEEDS, folds=st.integers(2, 5), repeats=st.integers(1, 3))
def test_each_repeat_tests_every_scan_once_and_parts_nobody(checked, seed, folds, repeats):
    together = kept_together(checked)
    assume(len(set(together)) >= folds)
    asked = config(folds=folds, repeats=repeats, seed=seed)
    parts = outer_folds(checked, asked)
    assert parts == outer_folds(checked, asked)
    for repeat in range(repeats):
        own = [part for part in parts if part.repeat == repeat]
        assert sorted(row for part in own for row in part.test) == list(range(len(checked.scans)))
        assert [part.number for part in own] == list(range(folds))
    for part in parts:
        assert sorted(part.train + part.test) == list(range(len(checked.scans)))
        for kept in (together, [scan.subject for scan in checked.scans], list(checked.groups.values())):
            assert {kept[row] for row in part.train}.isdisjoint(kept[row] for row in part.test)


def test_repeats_deal_anew_and_the_first_one_depends_on_the_seed_alone():
    checked = ages(30)
    first, second = (outer_folds(checked, config(repeats=2))[start : start + 5] for start in (0, 5))
    assert [part.test for part in first] != [part.test for part in second]
    assert outer_folds(checked, config(repeats=1)) == first
    assert outer_folds(checked, config(seed=7)) != first


def test_all_methods_get_the_same_folds_quick_ones_first():
    names = tuple(row.name for row in reuse_methods("regression"))
    fits = plan(ages(12), config(*reversed(names), folds=3, repeats=2, sizes=(6, 4)))
    order = list(dict.fromkeys(fit.method for fit in fits))
    assert order[:2] == ["baseline", "direct"]
    assert set(order) == {"baseline", *names}
    slow = [order.index(name) for name in ("classical", "step", "full", "lft", "scratch")]
    assert max(order.index(name) for name in order if name.startswith("features-")) < slow[0] < min(slow[1:])
    assert order.index("final-layer") < min(slow[1:])
    of_method = {
        name: [(fit.size, fit.repeat, fit.fold, fit.train, fit.test) for fit in fits if fit.method == name]
        for name in order
    }
    assert all(own == of_method["baseline"] for own in of_method.values())
    assert [own[:3] for own in of_method["full"]] == [(s, r, f) for s in (0, 4, 6) for r in (0, 1) for f in (0, 1, 2)]


def test_every_fit_has_a_key_of_its_own_that_files_can_be_called_by():
    fits = plan(ages(12), config(*(row.name for row in reuse_methods()), repeats=2, sizes=(4, 6)))
    keys = [fit.key for fit in fits]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z0-9_-]{1,60}", key) for key in keys)


def test_what_is_asked_for_twice_is_done_once():
    fits = plan(ages(12), config("baseline", "direct", sizes=(4, 4)))
    assert Counter((fit.method, fit.size) for fit in fits) == {
        (method, size): 5 for method in ("baseline", "direct") for size in (0, 4)
    }


@settings(max_examples=40)
@given(checked=cohorts(), seed=SEEDS, sizes=st.lists(st.integers(2, 6), min_size=2, max_size=3, unique=True))
def test_a_learning_curve_learns_from_whole_groups_and_keeps_them_as_it_grows(checked, seed, sizes):
    together = kept_together(checked)
    asked = config(folds=3, seed=seed, sizes=tuple(sizes))
    assume(len(set(together)) >= 3)
    least = min(len({together[row] for row in part.train}) for part in outer_folds(checked, asked))
    if max(sizes) > least:
        with pytest.raises(BadInput, match=f"up to {max(sizes)} .* one has {least}; choose smaller"):
            plan(checked, asked)
        return
    fits = {(fit.size, fit.fold): fit for fit in plan(checked, asked) if fit.method == "baseline"}
    for fold in range(3):
        everybody = fits[0, fold]
        smaller: set[int] = set()
        for size in sorted(sizes):
            fit = fits[size, fold]
            own = {together[row] for row in fit.train}
            assert len(own) == size
            assert set(fit.train) == {row for row in everybody.train if together[row] in own}
            assert smaller <= set(fit.train)
            assert fit.test == everybody.test
            smaller = set(fit.train)


@settings(max_examples=25)
@given(count=st.integers(20, 60), share=st.floats(0.1, 0.9), seed=SEEDS)
def test_small_training_sets_have_their_share_of_both_classes(count, share, seed):
    checked = patients(count, share, seed)
    ill = {row for row, scan in enumerate(checked.scans) if checked.labels[scan] == "diseased"}
    fits = plan(checked, config(seed=seed, sizes=(5, 9)))
    everybody = {fit.fold: fit.train for fit in fits if not fit.size}
    for fit in fits:
        share_of_all = len(ill.intersection(everybody[fit.fold])) / len(everybody[fit.fold])
        assert abs(len(ill.intersection(fit.train)) - share_of_all * len(fit.train)) <= 1


def test_small_training_sets_cover_the_range_of_a_number():
    checked = ages(50)
    for fit in plan(checked, config(sizes=(5,))):
        if fit.size:
            fifths = [sum(checked.labels[checked.scans[row]] > age for age in (53, 61, 69, 77)) for row in fit.train]
            assert len(set(fifths)) >= 4, "a random five has three or fewer in half of all cases"


def test_each_site_is_tested_once_by_all_others():
    checked = cohort(list(range(12)), sites=list("AABBBBCCCCCC"))
    parts = outer_folds(checked, config(site="site", repeats=3, folds=2))
    assert [(part.site, len(part.test), len(part.train)) for part in parts] == [("A", 2, 10), ("B", 4, 8), ("C", 6, 6)]
    assert [(part.repeat, part.number) for part in parts] == [(0, 0), (0, 1), (0, 2)]
    fits = plan(checked, config(site="SITE"))
    assert {fit.site for fit in fits} == {"A", "B", "C"}


def test_who_was_scanned_at_two_sites_does_not_teach_what_tests_them():
    """Neither the subject nor the family of the subject, even if a scan of theirs is listed under another one."""
    subjects = ["p", "p", "q", "r", "s", "t", "u"]
    groups = ["one", "two", "two", "three", "four", "five", "six"]
    checked = cohort(list(range(7)), subjects=subjects, groups=groups, sites=list("ABBBBCC"))
    site_a, site_b, _ = outer_folds(checked, config(site="site"))
    assert site_a.test == (0,)
    assert site_a.train == (3, 4, 5, 6), "p was scanned at B as well, and q is of the family of that scan"
    assert site_b.train == (5, 6)


@pytest.mark.parametrize(
    ("sites", "sentence"),
    [
        ("AAAA", "Column 'site' has one site only, so none can be left out; leave 'site' empty."),
        (["A", "B", "", "B"], "sub-02 s2 has nothing in column 'site', so nobody knows its site; fill it in."),
    ],
)
def test_sites_that_cannot_be_left_out_are_refused(sites, sentence):
    with pytest.raises(BadInput, match=re.escape(sentence)):
        plan(cohort([1.0, 2.0, 3.0, 4.0], sites=list(sites)), config(site="site"))


def test_a_site_that_shares_everybody_is_refused():
    travelling = cohort([1.0, 1.5, 2.0, 2.5], subjects=["p", "p", "q", "q"], sites=list("ABAB"))
    with pytest.raises(BadInput, match="Without site 'A' nobody is left to learn from"):
        plan(travelling, config(site="site"))


def test_fewer_subjects_than_folds_are_refused():
    with pytest.raises(BadInput, match=r"4 subject\(s\) with usable scans cannot be divided into 5 folds"):
        plan(ages(4), config())


def test_a_class_that_nobody_teaches_is_named_with_the_site():
    checked = cohort(
        ["healthy", "diseased", "healthy", "diseased", "other", "healthy"], sites=list("AABBCC"),
        classes=("healthy", "diseased", "other"),
    )  # fmt: skip
    assert lacking(checked, outer_folds(checked, config(site="site"))) == (
        "Nobody to learn from is 'other' where site 'C' is tested: no method can tell it there.",
    )
    assert lacking(ages(10), outer_folds(ages(10), config())) == ()
    assert lacking(patients(10), outer_folds(patients(10), config(folds=2))) == ()
