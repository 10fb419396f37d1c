import json

import pytest

from napari_mritransfer.training import events
from napari_mritransfer.training.metric import PSNR, Metric


@pytest.mark.parametrize(
    "event",
    [
        events.Started("lft", 1, 2, 3, 0, "cpu", 20.0, ("a", "b")),
        events.Started("lft", 1, 2, 3, 0, "cpu", 9.0, metric="MAE", unit="years", higher_is_better=False),
        events.StepDone(1, 0.5, 0.1),
        events.EpochDone(0, 0, None, 30.0, True, 0.2),
        events.Checkpointed(3),
        events.Stopped(3, 0, None),
        events.Failed("Because.", 3),
        events.Done(6, 3, 31.0, 30.5, 9.0),
    ],
)
def test_events_travel_as_json(event):
    assert events.from_record(json.loads(json.dumps(events.as_record(event), allow_nan=False))) == event


@pytest.mark.parametrize("record", [{}, {"event": "Exploded"}, {"event": "Done"}, {"event": "Checkpointed", "at": 3}])
def test_what_is_no_event_is_refused(record):
    with pytest.raises(ValueError, match="Not a"):
        events.from_record(record)


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (
            {"event": "Started", "strategy": "lft", "trainable": 1, "total": 2, "steps": 3, "step": 0, "device": "cpu",
             "zero_filled_psnr": 20.0, "sampling": ["a"], "warnings": []},
            events.Started("lft", 1, 2, 3, 0, "cpu", 20.0, ("a",)),
        ),
        (
            {"event": "EpochDone", "epoch": 1, "step": 3, "loss": 0.5, "psnr": 30.0, "best": True, "seconds": 0.2},
            events.EpochDone(1, 3, 0.5, 30.0, True, 0.2),
        ),
        ({"event": "Stopped", "step": 3, "best_step": 0, "best_psnr": None}, events.Stopped(3, 0, None)),
        (
            {"event": "Done", "step": 6, "best_step": 3, "best_psnr": 31.0, "last_psnr": 30.5, "seconds": 9.0},
            events.Done(6, 3, 31.0, 30.5, 9.0),
        ),
    ],
    ids=lambda value: value["event"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_events_of_earlier_releases_are_read(record, event):
    """Their scores were PSNRs and were called so."""
    assert events.from_record(record) == event


def test_a_start_says_what_all_scores_measure():
    assert events.Started("lft", 1, 2, 3, 0, "cpu", 20.0).measures() == PSNR
    told = events.Started("lft", 1, 2, 3, 0, "cpu", 9.0, metric="MAE", unit="years", higher_is_better=False)
    assert told.measures() == Metric("MAE", "years", higher_is_better=False)


@pytest.mark.parametrize(("metric", "best"), [(PSNR, (3, 31.0)), (Metric("MAE", "years", False), (0, 29.0))])
def test_the_best_of_a_curve_is_the_first_of_equals(metric, best):
    curve = [(0, 29.0), (3, 31.0), (6, 29.0), (9, 31.0)]
    assert metric.best_of(curve) == best
    assert metric.best_of([]) is None
    scores = [score for _, score in curve]
    bests = [None]
    for score in scores:
        bests.append(score if metric.improves(score, bests[-1]) else bests[-1])
    assert bests[-1] == best[1]
    assert not metric.improves(best[1], best[1])


def test_metrics_are_written_for_people():
    assert (PSNR.label, PSNR.text(31.204)) == ("PSNR (dB)", "31.20 dB")
    assert (Metric("AUC").label, Metric("AUC").text(0.912)) == ("AUC", "0.91")
