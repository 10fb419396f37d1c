import json

import pytest

from napari_mritransfer.training import events


@pytest.mark.parametrize(
    "event",
    [
        events.Started("lft", 1, 2, 3, 0, "cpu", 20.0, ("a", "b")),
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
