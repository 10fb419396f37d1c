"""What people tell about a network that its file does not."""

import pytest
import torch
from small_slice_sets import network

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.model import open_cohort_model
from napari_mritransfer.cohort.told import label_told, network_told, read_told
from napari_mritransfer.io.errors import BadInput


def test_pairs_become_a_label_and_settings():
    told = read_told("pooling=max, label=age,unit=years,mean=64,std=7.5")
    assert label_told(told) == Label("age", "regression", "years", (), 64.0, 7.5)
    assert network_told(told) == {"pooling": "max"}
    assert label_told(read_told("label=ad,classes=healthy/ill")) == Label("ad", "binary", classes=("healthy", "ill"))
    assert label_told(read_told("label=ad,task=binary")).classes == ("no", "yes")
    assert label_told(read_told("heads=2")) is None
    assert read_told("") == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("pool=max", "tells nothing"), ("max", "tells nothing"), ("heads=two", "give a number")],
)
def test_what_is_no_such_pair_is_refused(text, complaint):
    with pytest.raises(BadInput, match=complaint):
        read_told(text)


def test_a_label_that_makes_no_sense_is_refused():
    with pytest.raises(BadInput, match="makes no sense"):
        label_told(read_told("label=age,std=0"))


def test_a_published_checkpoint_is_opened_as_told(tmp_path):
    state = network(pooling="max", positions="off", grid=(91, 109, 91), widths=(4, 8)).state_dict()
    path = tmp_path / "published.pt"
    torch.save({"model": {f"net.{name}": tensor for name, tensor in state.items()}, "epoch": 3}, path)
    told = read_told("pooling=max,slicing=axial,label=age,unit=years")
    model = open_cohort_model(str(path), label=label_told(told), **network_told(told))
    assert (model.network.pooling, model.network.slicing, model.label.unit) == ("max", "axial", "years")
    assert not any("assumed" in note for note in model.notes)
    assert any("mean was assumed" in note for note in open_cohort_model(str(path)).notes)
