import json

import numpy as np
import pytest
import torch

from napari_mritransfer.physics.masks import MaskKind, SamplingMask, SamplingPattern, make, make_on_plane
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.model import trainable_by_strategy
from napari_mritransfer.zoo import card as card_module
from napari_mritransfer.zoo.card import DEFAULT_MODEL, ModelCard, UnknownModel, model_card, model_cards
from napari_mritransfer.zoo.weights import build, load_base, sha256_of

RECORD = {
    "title": "A small network",
    "architecture": "dccnn",
    "settings": {"cascades": 1, "depth": 2, "width": 3},
    "sha256": "0" * 64,
    "parameters": {"ft": 117},
    "mask_kinds": ["random", "centre"],
    "rates": [0.1, 0.5],
    "acs": [0.04, 0.1],
    "lines": [160, 320],
    "rows": [160, 400],
    "training": {"data": "none"},
    "metrics": {},
}
shipped = pytest.mark.parametrize("card", model_cards(), ids=lambda card: card.name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The shipped models' folder, with two cards in it and something else."""
    monkeypatch.setattr(card_module, "_FOLDER", tmp_path)
    for name in ("second", "first"):
        (tmp_path / f"{name}.json").write_text(json.dumps(RECORD), encoding="utf-8")
    (tmp_path / "first.safetensors").touch()
    return tmp_path


def test_cards_are_read_by_name(folder):
    assert [card.name for card in model_cards()] == ["first", "second"]
    card = model_card("second")
    assert card.title == "A small network"
    assert (card.rates, card.acs, card.lines) == ((0.1, 0.5), (0.04, 0.1), (160, 320))
    assert card.weights == folder / "second.safetensors"


def test_a_readout_unlike_those_trained_on_is_said(folder):
    card, mask = model_card("first"), make(SamplingPattern(), 200)
    assert card.outside_of_training(mask, 400) == card.outside_of_training(mask) == []
    assert card.outside_of_training(mask, 401) == [
        "first was trained on 160 to 400 readout positions, not on 401."
    ]


def test_an_unknown_name_lists_those_there_are(folder):
    with pytest.raises(UnknownModel, match=r"^There is no model called 'third'; choose one of: first, second\.$"):
        model_card("third")


def test_names_are_no_paths(folder):
    for name in ("../first", "first.json", "", str(folder / "first")):
        with pytest.raises(UnknownModel):
            model_card(name)


def test_without_models_there_are_no_cards(tmp_path, monkeypatch):
    monkeypatch.setattr(card_module, "_FOLDER", tmp_path / "gone")
    assert model_cards() == []


@pytest.mark.parametrize(
    ("pattern", "n_lines", "said"),
    [
        (SamplingPattern(MaskKind.RANDOM, 0.25, 0.08), 256, []),
        (SamplingPattern(MaskKind.RANDOM, 0.1, 0.04), 160, []),
        (SamplingPattern(MaskKind.RANDOM, 0.5, 0.1), 320, []),
        (SamplingPattern(MaskKind.CENTRE, 0.25, 0.0), 200, []),  # has no ACS of its own
        (SamplingPattern(MaskKind.GAUSSIAN, 0.25, 0.08), 256, ["not trained on gaussian masks"]),
        (SamplingPattern("gaussian", 0.25, 0.08), 256, ["not trained on gaussian masks"]),
        (SamplingPattern(MaskKind.RANDOM, 0.7, 0.08), 256, ["10% to 50% of the lines, not at 69.9%"]),
        (SamplingPattern(MaskKind.RANDOM, 0.05, 0.04), 200, ["10% to 50% of the lines, not at 5.0%"]),
        (SamplingPattern(MaskKind.RANDOM, 0.25, 0.2), 256, ["4% to 10% of the lines in the ACS, not with 20.0%"]),
        (SamplingPattern(MaskKind.RANDOM, 0.25, 0.0), 256, ["4% to 10% of the lines in the ACS, not with 0.0%"]),
        (SamplingPattern(MaskKind.RANDOM, 0.25, 0.08), 159, ["160 to 320 phase-encode lines, not on 159"]),
        (SamplingPattern(MaskKind.EQUISPACED, 0.9, 0.3), 400, ["equispaced", "not at 100.0%", "ACS", "not on 400"]),
    ],
)
def test_a_person_is_told_how_a_measurement_differs_from_the_training(folder, pattern, n_lines, said):
    sentences = model_card("first").outside_of_training(make(pattern, n_lines))
    assert len(sentences) == len(said)
    for sentence, words in zip(sentences, said, strict=True):
        assert sentence.startswith("first was ")
        assert words in sentence
        assert sentence.endswith(".")


@pytest.fixture
def plane_card(folder):
    record = {**RECORD, "mask_kinds": ["random-2d", "radial"], "lines": [140, 384], "rows": [140, 384]}
    (folder / "planes.json").write_text(json.dumps(record), encoding="utf-8")
    return model_card("planes")


@pytest.mark.parametrize(
    ("pattern", "shape", "said"),
    [
        (SamplingPattern(MaskKind.RANDOM_PLANE), (256, 200), []),
        (SamplingPattern(MaskKind.RADIAL, 0.4, 0.05), (384, 140), []),
        (SamplingPattern(MaskKind.POISSON_DISC), (256, 200), ["not trained on poisson-disc masks"]),
        (SamplingPattern(MaskKind.RANDOM_PLANE, 0.7), (256, 200), ["10% to 50% of the samples, not at 70.0%"]),
        (SamplingPattern(MaskKind.RANDOM_PLANE, 0.25, 0.2), (256, 200), ["in the ACS, not with 20.0%"]),
        (SamplingPattern(MaskKind.RANDOM_PLANE), (400, 200), ["planes of 140 to 384 samples, not 400 × 200"]),
        (SamplingPattern(MaskKind.RANDOM_PLANE), (200, 120), ["planes of 140 to 384 samples, not 200 × 120"]),
    ],
)
def test_masks_over_the_plane_are_judged_like_lines(plane_card, pattern, shape, said):
    sentences = plane_card.outside_of_training(make_on_plane(pattern, shape, "y"), rows=1)
    assert len(sentences) == len(said)
    for sentence, words in zip(sentences, said, strict=True):
        assert sentence.startswith("planes was ")
        assert words in sentence


def test_samples_of_a_plane_that_were_found_are_judged_by_what_they_show(plane_card):
    """Nobody knows their kind; how many there are, and how far the centre reaches, can be counted."""
    asked = make_on_plane(SamplingPattern(MaskKind.POISSON_DISC, 0.05, 0.08), (256, 200), "y")
    (sentence,) = plane_card.outside_of_training(SamplingMask(asked.lines, None))
    assert "10% to 50% of the samples, not at 5.0%" in sentence


def test_lines_whose_ends_nobody_measured_are_lines_still(plane_card):
    """Raw k-space with cut corners: the mask is one of the plane, the request was for lines."""
    pattern = SamplingPattern(MaskKind.RANDOM, 0.3, 0.08)
    whole = np.broadcast_to(make(pattern, 256).lines[:, None], (256, 256)).copy()
    whole[:20, :20] = whole[-20:, -20:] = False
    assert model_card("first").outside_of_training(SamplingMask(whole, pattern)) == []
    (sentence,) = plane_card.outside_of_training(SamplingMask(whole, pattern))
    assert "not on whole lines" in sentence


def test_lines_and_planes_are_told_apart_with_a_model_that_knows_better(plane_card):
    lines, plane = make(SamplingPattern(), 256), make_on_plane(SamplingPattern(MaskKind.RADIAL), (256, 256), "y")
    assert plane_card.outside_of_training(lines) == [
        "planes was trained on samples scattered over the plane, not on whole lines; first was trained on these."
    ]
    assert model_card("first").outside_of_training(plane, coils=8) == [
        "first was trained on whole lines, not on samples scattered over the plane; planes was trained on these.",
        "first was trained on combined coils; here it sees 8 through their sensitivity maps.",
    ]
    assert plane_card.matrix == "planes of 140 to 384 samples each way"
    assert model_card("first").matrix == "160 to 320 lines"


def test_the_achieved_rate_counts_rather_than_the_nominal(folder):
    """Equispaced lines with a wide ACS can measure more than was asked for."""
    mask = make(SamplingPattern(MaskKind.EQUISPACED, 0.5, 0.1, offset=1), 160)
    sentences = model_card("second").outside_of_training(mask)
    assert any("not at" in sentence for sentence in sentences) == (mask.achieved_rate > 0.505)


@shipped
def test_shipped_weights_are_those_of_their_card(card):
    assert sha256_of(card.weights) == card.sha256
    network = load_base(card)
    assert not network.training
    assert all(p.isfinite().all() and p.requires_grad for p in network.parameters())
    assert all(t.dtype == torch.float32 for t in network.state_dict().values())


@shipped
def test_shipped_cards_count_what_each_strategy_lets_learn(card):
    """The menu shows these numbers without loading torch."""
    network = build(card.architecture, dict(card.settings))
    assert dict(card.parameters) == trainable_by_strategy(network)
    assert card.parameters["norm"] == 0, "it has no norms"
    assert all(card.parameters[row.name] > 0 for row in CATALOGUE if row.trains and row.name != "norm")


@shipped
def test_shipped_cards_say_what_the_model_has_seen(card: ModelCard):
    assert card.title
    assert set(card.mask_kinds) <= set(MaskKind)
    for low, high in (card.rates, card.acs, card.lines):
        assert 0 < low <= high
    assert card.rates[1] <= 1
    assert {"data", "licence"} <= card.training.keys()
    assert card.weights.stat().st_size < 20 * 2**20  # it travels inside the wheel


def test_the_default_model_is_shipped():
    assert model_card(DEFAULT_MODEL).name == DEFAULT_MODEL
