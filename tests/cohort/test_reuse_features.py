"""Features that were computed once are found again for the same image and network, and never for another one."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse import features as module
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.features import Examined, FeatureCache, features_of
from napari_mritransfer.cohort.reuse.model import SfcnFacts, SfcnModel
from napari_mritransfer.networks.sfcn import SFCN

SETTINGS = {"widths": [2, 3, 4], "outputs": 4, "grid": [9, 11, 8]}
FACTS = SfcnFacts(Label("age", unit="years"), Bins(20.0, 5.0, 4), Preparation(3.0, "mean"), brain_only=True)
SAID = ("It was resampled from 2 mm to 3 mm.", "Every voxel was divided by the mean, 81.5 µ.")
GOOD = Examined(np.array([0.1, -2.5, 3e-7, 12.0], np.float32), said=SAID)
BAD = Examined(None, "not registered", "The brain lies 14 mm too low; register it.", SAID)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "scans" / "sub-01.nii.gz"
    path.parent.mkdir()
    path.write_bytes(b"as good as an image")
    return path


def model(**changes):
    torch.manual_seed(0)
    network = SFCN(**SETTINGS).eval()
    return replace(SfcnModel(network, "own", "own", SETTINGS, FACTS, "ab" * 32), **changes)


def cache(tmp_path, own=None, *, check_brains=True):
    return FeatureCache(own or model(), check_brains=check_brains, folder=tmp_path / "cache")


def same(one, other):
    if one.features is None or other.features is None:
        equal = one.features is other.features
    else:
        equal = one.features.tobytes() == other.features.tobytes() and one.features.dtype == np.float32
    return equal and (one.kind, one.sentence, one.said) == (other.kind, other.sentence, other.said)


@pytest.mark.parametrize("entry", [GOOD, BAD], ids=["usable", "unusable"])
def test_what_is_known_of_a_scan_is_kept(tmp_path, image, entry):
    assert cache(tmp_path).get(image) is None
    cache(tmp_path).put(image, entry)
    assert same(cache(tmp_path).get(image), entry)
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1


def test_an_image_is_known_by_its_bytes_wherever_it_lies(tmp_path, image):
    cache(tmp_path).put(image, GOOD)
    moved = shutil.copy(image, tmp_path / "another.nii.gz")
    assert same(cache(tmp_path).get(moved), GOOD)
    image.write_bytes(b"as bad as any image")  # of the same length
    os.utime(image, (1, 1))
    assert cache(tmp_path).get(image) is None


def test_an_image_that_is_gone_is_unknown(tmp_path, image):
    cache(tmp_path).put(image, GOOD)
    image.unlink()
    assert cache(tmp_path).get(image) is None
    cache(tmp_path).put(image, GOOD)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "cd" * 32},
        {"network": SFCN(**SETTINGS | {"grid": [9, 11, 9]}).eval()},
        {"facts": replace(FACTS, preparation=Preparation(3.0, "z-score"))},
        {"facts": replace(FACTS, preparation=Preparation(2.0, "mean"))},
        {"facts": replace(FACTS, brain_only=False)},
    ],
    ids=["weights", "grid", "normalisation", "spacing", "no brain check"],
)
def test_what_another_network_made_of_an_image_is_not_taken(tmp_path, image, changes):
    cache(tmp_path).put(image, GOOD)
    assert cache(tmp_path, model(**changes)).get(image) is None
    assert same(cache(tmp_path).get(image), GOOD)


def test_what_nobody_checked_is_not_taken_for_checked(tmp_path, image):
    cache(tmp_path, check_brains=False).put(image, GOOD)
    assert cache(tmp_path).get(image) is None
    assert same(cache(tmp_path, check_brains=False).get(image), GOOD)


def test_what_does_not_matter_to_features_does_not_matter_to_the_cache(tmp_path, image):
    cache(tmp_path).put(image, GOOD)
    renamed = model(title="renamed", facts=replace(FACTS, expected_error="5 years", label=Label("Age")))
    assert same(cache(tmp_path, renamed).get(image), GOOD)


@pytest.mark.parametrize("entry", [GOOD, BAD], ids=["usable", "unusable"])
def test_no_damage_to_an_entry_is_taken_for_what_it_was(tmp_path, image, entry):
    """Every byte in turn is another one, and the file ends anywhere: the entry is as it was, or none."""
    cache(tmp_path).put(image, entry)
    (path,) = (tmp_path / "cache").rglob("*.npz")
    whole = path.read_bytes()
    known = cache(tmp_path)
    lost = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found = known.get(image)
        assert found is None or same(found, entry)
        lost += found is None
    assert lost > len(whole) / 3
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert known.get(image) is None
    path.write_bytes(whole)
    assert same(known.get(image), entry)


@pytest.mark.parametrize(
    "entry",
    [
        Examined(np.array([1, np.nan], np.float32)), Examined(np.ones((2, 2), np.float32)),
        Examined(np.ones(2, np.float32), "no brain", "It has none."), Examined(None),
    ],
    ids=["no numbers", "too many axes", "usable and not", "neither"],
)  # fmt: skip
def test_an_entry_that_makes_no_sense_is_none(tmp_path, image, entry):
    cache(tmp_path).put(image, entry)
    assert list((tmp_path / "cache").rglob("*.npz"))
    assert cache(tmp_path).get(image) is None


def test_a_damaged_entry_is_replaced(tmp_path, image):
    cache(tmp_path).put(image, BAD)
    (path,) = (tmp_path / "cache").rglob("*.npz")
    path.write_bytes(b"")
    cache(tmp_path).put(image, GOOD)
    assert same(cache(tmp_path).get(image), GOOD)


def test_a_killed_writer_leaves_what_was_finished(tmp_path, image, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    cache(tmp_path).put(image, GOOD)
    other = image.with_name("sub-02.nii.gz")
    other.write_bytes(b"the next one")
    monkeypatch.setattr(module.np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path).put(other, GOOD)
    assert same(cache(tmp_path).get(image), GOOD)
    assert cache(tmp_path).get(other) is None


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path, image):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache(tmp_path).put(image, GOOD)
    assert cache(tmp_path).get(image) is None


def test_an_image_is_read_once_as_long_as_it_stays_the_same(tmp_path, image, monkeypatch):
    read = []
    real = module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path: read.append(path) or real(path))
    cache(tmp_path).put(image, GOOD)
    for _ in range(3):
        cache(tmp_path).get(image)
    assert read == [image]
    os.utime(image, (1, 1))
    assert same(cache(tmp_path).get(image), GOOD)
    assert read == [image, image]


def test_entries_lie_in_the_folder_that_the_user_named(tmp_path, image, monkeypatch):
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path / "mine"))
    FeatureCache(model(), check_brains=True).put(image, GOOD)
    (path,) = tmp_path.rglob("*.npz")
    assert path.parts[: -len(("network", "image"))] == (*tmp_path.parts, "mine", "features")


def test_features_are_what_the_network_hands_to_its_head():
    own = model()
    volume = np.random.default_rng(0).uniform(0, 3, SETTINGS["grid"]).astype(np.float32)
    found = features_of(own, volume, torch.device("cpu"))
    assert found.shape == (4,)
    assert found.dtype == np.float32
    with torch.no_grad():
        wanted = own.network(torch.from_numpy(volume)[None, None])
        np.testing.assert_allclose(own.network.head(torch.from_numpy(found)[None]), wanted, rtol=1e-5)
    mirrored = features_of(own, volume[::-1], torch.device("cpu"))  # a view with a negative stride
    assert not np.allclose(mirrored, found)
