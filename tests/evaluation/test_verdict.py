import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.evaluation.verdict import verdict

NO_WINNER = None


@pytest.mark.parametrize(
    ("psnr", "winner", "said"),
    [
        # clearly apart, three seeds each
        ({"zero-filled": [25.0], "FT": [30.0, 30.1, 30.2], "LFT": [32.0, 32.1, 32.2]}, "LFT", "LFT is best"),
        # the difference of the means, 0.1 dB, is below the range of either
        ({"FT": [30.0, 30.2, 30.4], "LFT": [30.1, 30.3, 30.5]}, NO_WINNER, "indistinguishable"),
        # above the range (0.1 dB), but two seeds say too little about the true spread
        ({"FT": [30.0, 30.1], "LFT": [30.2, 30.3]}, NO_WINNER, "indistinguishable"),
        # many seeds: the means differ significantly, and yet by less than seeds do
        ({"FT": [30.0, 31.0] * 50, "LFT": [30.5, 31.5] * 50}, NO_WINNER, "indistinguishable"),
        # one seed cannot win, not even by 10 dB
        ({"zero-filled": [25.0], "LFT": [35.0]}, NO_WINNER, "one seed cannot tell"),
        ({"FT": [30.0], "LFT": [35.0]}, NO_WINNER, "one seed cannot tell"),
        # nor be beaten
        ({"FT": [30.0], "LFT": [35.0, 35.1, 35.2]}, NO_WINNER, "FT ran with one seed"),
        # methods without randomness need no seeds
        ({"zero-filled": [25.0], "Pretrained": [30.0]}, "Pretrained", "neither varies"),
        ({"pretrained": [35.0], "FT": [30.0, 30.1, 30.2]}, "pretrained", "pretrained is best"),
        ({"pretrained": [30.15], "FT": [30.0, 30.1, 30.2]}, NO_WINNER, "indistinguishable"),
        ({"zero-filled": [25.0], "pretrained": [25.004]}, NO_WINNER, "too little to print"),
        # the third is as close as the second
        (
            {"FT": [30.0, 30.2, 30.4], "LFT": [30.1, 30.3, 30.5], "last": [29.9, 30.2, 30.4]},
            NO_WINNER,
            "LFT, FT and last are indistinguishable",
        ),
        ({"LFT": [30.0, 30.1]}, NO_WINNER, "nothing to compare"),
        # exact copies
        ({"zero-filled": [math.inf], "pretrained": [math.inf]}, NO_WINNER, "indistinguishable"),
        ({"zero-filled": [25.0], "pretrained": [math.inf]}, "pretrained", "∞ dB"),
        ({"FT": [30.0, math.inf], "LFT": [30.0, 30.1]}, NO_WINNER, "indistinguishable"),
    ],
)
def test_who_wins(psnr, winner, said):
    result = verdict(psnr)
    assert result.winner == winner
    assert said in result.sentence
    assert "nan" not in result.sentence


def test_other_methods_without_randomness_can_be_named():
    psnr = {"zero-filled": [25.0], "Total variation": [28.0]}
    assert verdict(psnr).winner is None
    assert verdict(psnr, deterministic=["zero-filled", "total variation"]).winner == "Total variation"


@pytest.mark.parametrize("psnr", [{}, {"FT": []}, {"FT": [30.0, math.nan], "LFT": [31.0, 31.1]}])
def test_missing_values_are_refused(psnr):
    with pytest.raises(ValueError, match="PSNR"):
        verdict(psnr)


seeds = st.lists(st.floats(10, 60), min_size=1, max_size=6)


@given(st.dictionaries(st.sampled_from(["zero-filled", "pretrained", "FT", "LFT", "last"]), seeds, min_size=1))
def test_a_winner_leads_every_other_by_more_than_either_range(psnr):
    result = verdict(psnr)
    assert result.sentence.endswith(".")
    if result.winner is None:
        return
    best = psnr[result.winner]
    for other in (values for method, values in psnr.items() if method != result.winner):
        difference = sum(best) / len(best) - sum(other) / len(other)
        assert difference > max(max(best) - min(best), max(other) - min(other)) - 1e-9
