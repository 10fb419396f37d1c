"""Run folders as a finished job leaves them, without the job."""

import json

from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.events import Done, EpochDone, Started, StepDone, as_record


def write_run_of(folder, strategy):
    """A run of two steps."""
    folder.mkdir(parents=True)
    config = FinetuneConfig("base", ("a.nii",), ("b.nii",), strategy=strategy, epochs=1, steps_per_epoch=2)
    (folder / "config.json").write_text(config.as_json())
    course = [
        Started(strategy, 1, 2, 2, 0, "cpu", 25.0), EpochDone(0, 0, None, 29.0, True, 0.1), StepDone(1, 0.3, 0.2),
        StepDone(2, 0.2, 0.3), EpochDone(1, 2, 0.25, 30.0, True, 0.4), Done(2, 2, 30.0, 30.0, 0.5),
    ]  # fmt: skip
    lines = [json.dumps(as_record(event)) for event in course]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "metrics.json").write_text(json.dumps({"finished": True, "best_psnr": 30.0}))
    (folder / "best.safetensors").touch()
    return folder
