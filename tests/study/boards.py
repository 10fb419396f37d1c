"""How tests call the worker's tasks."""

import json

from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.study.tasks import TASKS

SAMPLING = Sampling(SamplingPattern(rate=0.3), "x", snr_db=30).as_record()
AS_IT_IS = Sampling(phase_encode="y", as_measured=True).as_record()


def call(name, *, tell=lambda record: None, should_stop=lambda: False, **fields):
    """A task's result, having travelled as JSON."""
    return json.loads(json.dumps(TASKS[name](fields, tell, should_stop), allow_nan=False))


def names_in(folder):
    return {path.name for path in folder.iterdir()}
