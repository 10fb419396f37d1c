"""Which runs are one method, and what methods are called."""

from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.study.methods import resolve_methods
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.rundir import RunDirectory


def claimed(folder, **settings):
    """A run directory that a job has claimed; its configuration is all that telling methods apart needs."""
    RunDirectory(folder).begin(FinetuneConfig(model="m", train=("a.nii",), validation=("b.nii",), **settings))
    return str(folder)


def test_the_same_seed_twice_is_no_second_sample_of_chance(tmp_path):
    seeds = {"a": 0, "b": 1, "c": 0}
    first, other, again = (claimed(tmp_path / name, strategy="lft", seed=seed) for name, seed in seeds.items())
    methods = resolve_methods([first, other, again], "default")
    assert [method.sources for method in methods] == [(first, other), (again,)]
    assert [method.name for method in methods] == ["lft (a)", "lft (c)"]


def test_runs_are_seeds_of_one_method_whatever_the_seed_of_the_masks_they_were_validated_with(tmp_path):
    runs = [claimed(tmp_path / f"run{n}", seed=n, pattern=SamplingPattern(seed=n)) for n in (0, 1, 2)]
    other_rate = claimed(tmp_path / "other", seed=3, pattern=SamplingPattern(rate=0.5, seed=3))
    methods = resolve_methods([*runs, other_rate], "default")
    assert [method.sources for method in methods] == [tuple(runs), (other_rate,)]


def test_unmerged_runs_are_told_apart_by_their_seeds(tmp_path):
    runs = [claimed(tmp_path / f"run{seed}", strategy="lft", seed=seed) for seed in (1, 2)]
    ft = claimed(tmp_path / "ft", strategy="ft", seed=1)
    methods = resolve_methods(["zero-filled", *runs, ft], "default", merge_seeds=False)
    assert [method.name for method in methods] == ["zero-filled", "lft, seed 1", "lft, seed 2", "ft"]
    assert [method.sources for method in methods[1:]] == [(runs[0],), (runs[1],), (ft,)]


def test_unmerged_runs_of_one_seed_or_with_other_settings_are_told_apart_by_their_folders(tmp_path):
    twice = [claimed(tmp_path / name, strategy="lft", seed=3) for name in ("a", "b")]
    assert [m.name for m in resolve_methods(twice, "default", merge_seeds=False)] == ["lft (a)", "lft (b)"]
    other = [twice[0], claimed(tmp_path / "c", strategy="lft", seed=4, slices=1)]
    assert [m.name for m in resolve_methods(other, "default", merge_seeds=False)] == ["lft (a)", "lft (c)"]
