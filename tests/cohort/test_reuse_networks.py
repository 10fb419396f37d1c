"""Networks that learn from a few volumes: what learns, what stays, and that something is learned."""

import numpy as np
import pytest
import torch
from small_cohorts import volume_of
from small_reuse import AGE, SETTINGS, write_network

from napari_mritransfer.cohort.crop import cropped
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.catalogue import reuse_methods
from napari_mritransfer.cohort.reuse.fitting import FitSettings, fit_network
from napari_mritransfer.cohort.reuse.head import head_for, outside
from napari_mritransfer.cohort.reuse.model import SfcnFacts, open_sfcn, save_sfcn
from napari_mritransfer.cohort.reuse.relevance import relevance_of
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.recon.stopped import ReconstructionStopped

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = [row.name for row in reuse_methods() if row.kind == "network"]
DISEASE = Label("disease", "binary", classes=("healthy", "diseased"))


@pytest.fixture(scope="module")
def volumes():
    ages = np.linspace(46, 80, 16)
    arrays = [volume_of(age, seed) for seed, age in enumerate(ages)]
    return torch.from_numpy(np.stack([cropped(a / a.mean(), SETTINGS["grid"]) for a in arrays]))[:, None], ages


@pytest.fixture(scope="module")
def base(tmp_path_factory, volumes):
    """A network that has seen volumes of the kind, so that its features are some."""
    path = write_network(tmp_path_factory.mktemp("base") / "base.safetensors")
    model = open_sfcn(str(path))
    how = FitSettings("scratch", 60, learning_rate=0.02, augmentation="none", device="cpu", bins=Bins())
    found = fit_network(model, AGE, *volumes, how)
    model.network.load_state_dict(found.network.state_dict())
    return model


def settings(method, **changes):
    return FitSettings(method, **({"epochs": 2, "device": "cpu"} | changes))


def is_statistic(name):
    return "running" in name or "num_batches" in name


@pytest.mark.parametrize("method", NETWORKS)
def test_what_learns_and_what_stays(base, volumes, method):
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    found = fit_network(base, AGE, *volumes, settings(method))
    after = found.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(torch.equal(before[name], tensor) for name, tensor in base.network.state_dict().items())
    weights = {name for name in before if not is_statistic(name)}
    if method == "scratch":
        assert moved >= {name for name in before if "running" in name}
        return
    assert not any(is_statistic(name) for name in moved)
    assert "classifier.conv_6.weight" in moved
    if method == "final-layer":
        assert moved == {"classifier.conv_6.weight", "classifier.conv_6.bias"}
        assert found.trainable == 8 * 40 + 40
    elif method == "lft":
        assert not any(name.split(".")[-2] == "1" for name in moved)  # the norms' own scales
        assert found.trainable < sum(before[name].numel() for name in weights) / 2
    elif method in ("last-layers", "first-layers", "bias", "norm", "lora"):
        extractor = {name for name in moved if name.startswith("feature_extractor.")}
        expected = {
            "last-layers": {name for name in weights if name.startswith("feature_extractor.conv_2.")},
            "first-layers": {name for name in weights if name.startswith("feature_extractor.conv_0.")},
            "bias": {name for name in weights if name.startswith("feature_extractor.") and name.endswith(".bias")},
            "norm": {name for name in weights if name.split(".")[-2] == "1" and name.startswith("feature_extractor.")},
            "lora": {name for name in weights if name.startswith("feature_extractor.") and before[name].ndim > 1},
        }
        assert extractor == expected[method]
    else:
        assert moved == weights


@pytest.mark.parametrize("method", NETWORKS)
def test_one_seed_one_network(base, volumes, method):
    found = [fit_network(base, AGE, *volumes, settings(method, seed=seed)).network.state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert any(not torch.equal(found[0][name], found[2][name]) for name in found[0])


@pytest.mark.parametrize("method", NETWORKS)
def test_something_is_learned(base, volumes, method):
    seen, ages = volumes
    values = 3 * (100 - ages)  # another label, so that even the last layer has something to learn
    how = settings(method, epochs=40, learning_rate=0.02, augmentation="none")
    found = fit_network(base, Label("score"), seen, values, how)
    error = np.abs(found.predict(seen) - values).mean()
    assert error < 0.5 * np.abs(values - values.mean()).mean()


def test_running_statistics_move_where_that_is_asked_for(base, volumes):
    found = fit_network(base, AGE, *volumes, settings("full", batch_norm="moving"))
    name = "feature_extractor.conv_0.1.running_mean"
    assert not torch.equal(found.network.state_dict()[name], base.network.state_dict()[name])


def test_the_last_layer_learns_from_features_as_from_volumes(base, volumes):
    seen, ages = volumes
    features = torch.cat([base.network.features(one[None]) for one in seen]).detach()
    by_features = fit_network(base, AGE, None, ages, settings("final-layer"), features=features)
    by_volumes = fit_network(base, AGE, seen, ages, settings("final-layer"))
    np.testing.assert_allclose(by_features.predict_from(features), by_volumes.predict(seen), atol=1e-3)
    with pytest.raises(ValueError, match="volumes"):
        fit_network(base, AGE, None, ages, settings("full"))


def test_a_kept_last_layer_is_saved_with_the_classes_of_its_outputs(tmp_path):
    """Whatever the order in which the table names them, or the file would say the opposite when it is used again."""
    own = {**SETTINGS, "outputs": 2}
    torch.manual_seed(0)
    facts = SfcnFacts(Label("sex", "binary", classes=("female", "male")), None, Preparation(13.0, "mean"), False)
    save_sfcn(tmp_path / "sex.safetensors", SFCN(**own), own, facts)
    base = open_sfcn(str(tmp_path / "sex.safetensors"))
    head = head_for(base, Label("sex", "binary", classes=("man", "woman")), np.array([0.0, 1.0]))
    assert (head.is_new, head.order) == (False, (1, 0))
    assert head.label_of_outputs.classes == ("woman", "man")
    assert head.predictions(np.log([[0.9, 0.1]]))[0].tolist() == pytest.approx([0.1, 0.9])
    new = head_for(None, Label("sex", "binary", classes=("man", "woman")), np.array([0.0, 1.0]))
    assert new.label_of_outputs.classes == ("man", "woman")


def test_classes_get_a_new_last_layer_that_begins_at_their_shares(base, volumes):
    seen, ages = volumes
    y = (ages > 70).astype(float)
    found = fit_network(base, DISEASE, seen, y, settings("final-layer", epochs=1, learning_rate=1e-9))
    assert "new" in found.said[0]
    np.testing.assert_allclose(found.predict(seen)[:, 1], y.mean(), atol=0.1)
    np.testing.assert_allclose(found.predict(seen).sum(axis=1), 1, atol=1e-6)


def test_a_stop_is_heard_between_steps(base, volumes):
    steps = []
    with pytest.raises(ReconstructionStopped):
        fit_network(base, AGE, *volumes, settings("full", epochs=100), on_step=lambda done, _: steps.append(done),
                    should_stop=lambda: len(steps) >= 3)  # fmt: skip
    assert len(steps) == 3


def test_two_scans_can_teach_with_any_batch(base, volumes):
    seen, ages = volumes
    for method in NETWORKS:
        found = fit_network(base, AGE, seen[:3], ages[:3], settings(method, batch=2, batch_norm="moving"))
        assert np.isfinite(found.predict(seen)).all()


def test_own_bins_are_kept_while_they_hold_the_labels(base):
    kept = head_for(base, AGE, np.array([50.0, 70.0]))
    assert not kept.is_new
    assert kept.bins == Bins()
    young = head_for(base, AGE, np.array([8.0, 70.0]))
    assert young.is_new
    assert young.bins.holds([8.0, 70.0]).all()
    assert "1 of 2" in young.sentence
    assert "42 to 82" in outside(Bins(), [8.0, 70.0], AGE, "it")
    assert outside(Bins(), [50.0], AGE, "it") == ""


def test_bins_are_those_of_the_paper():
    bins = Bins()
    assert bins.centres[0] == 42.5
    assert bins.centres[-1] == 81.5
    soft = bins.soft([62.0])
    assert soft.sum() == pytest.approx(1, abs=1e-9)
    assert soft[0, 19] == soft[0, 20] == pytest.approx(0.3413447, abs=1e-6)
    assert bins.expected(np.log(soft + 1e-300))[0] == pytest.approx(62.0, abs=1e-6)


def test_relevance_is_input_times_gradient(base, volumes):
    """By finite differences at the most relevant voxel: what it adds when it grows by a thousandth."""
    volume = volumes[0][3, 0].numpy()
    network = SFCN(**base.settings).double().eval()
    network.load_state_dict(base.network.state_dict())
    found = relevance_of(base.network, volume, bins=Bins())
    assert found.shape == volume.shape
    assert found.min() >= 0
    place = np.unravel_index(found.argmax(), found.shape)

    def predicted(value):
        changed = torch.from_numpy(volume).double()[None, None].clone()
        changed[(0, 0, *place)] = value
        with torch.no_grad():
            return Bins().expected(network(changed).numpy())[0]

    value, step = float(volume[place]), 1e-4
    slope = (predicted(value + step) - predicted(value - step)) / (2 * step)
    assert found[place] == pytest.approx(abs(value * slope), rel=0.02)
