"""The folder of a re-use: what was asked, what came out, and how to read it again. No torch here."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.comparison import Comparison
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.scores import Scores
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.config import BadConfig

CONFIG, RESULTS, PREDICTIONS = "config.json", "results.json", "predictions.csv"
TABLE, COMPARISONS, SCANS, REPORT = "table.csv", "comparisons.csv", "scans.csv", "report.html"
FITS, NETWORKS, PERMUTATIONS, FINGERPRINT = "fits", "networks", "permutations", "fingerprint.txt"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class MethodResult:
    """How good one method was with one size of training set.

    Attributes
    ----------
    method, size
        See `plan.Fit`.
    learned_from
        Mean number of training scans.
    trainable
        Parameters that a network learned; 0 of other methods.
    scores
        See `scores.Scores`.
    seconds
        All its fits took.
    p
        Of a permutation test; None where none was done.
    """

    method: str
    size: int
    learned_from: float
    trainable: int
    scores: Scores
    seconds: float
    p: float | None = None

    @property
    def label(self) -> str:
        """What people read."""
        return reuse_method(self.method).label


@dataclass(frozen=True, slots=True)
class ReuseRecord:
    """A finished comparison of ways to re-use a network.

    Attributes
    ----------
    folder
        Where it lies.
    config
        What was asked.
    label
        What was predicted.
    model_title
        Of the network.
    n_scans, n_subjects
        That took part.
    simulated
        Whether the cohort, or what the network learned from, is simulated.
    results
        Of all methods and sizes, in the order of the table; the baseline first.
    comparisons
        Of all pairs.
    left_out
        Methods that could not run, and why.
    said, warnings
        Sentences on what was done, and what casts doubt on it.
    environment
        Versions of programs.
    seconds
        Of all fits.
    """

    folder: Path
    config: ReuseConfig
    label: Label
    model_title: str
    n_scans: int
    n_subjects: int
    simulated: bool
    results: tuple[MethodResult, ...]
    comparisons: tuple[Comparison, ...]
    left_out: Mapping[str, str]
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    environment: Mapping[str, str]
    seconds: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the training sets, 0 for all."""
        return tuple(sorted({result.size for result in self.results}))

    def of_size(self, size: int = 0) -> tuple[MethodResult, ...]:
        """Results with one size of training set, in the table's order."""
        return tuple(result for result in self.results if result.size == size)

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict; `read_reuse` reads it, with the configuration beside it."""
        return {
            "kind": "reuse-results", "version": _VERSION, "label": self.label.as_record(), "model": self.model_title,
            "scans": self.n_scans, "subjects": self.n_subjects, "simulated": self.simulated,
            "results": [
                {
                    "method": one.method, "size": one.size, "learned_from": one.learned_from,
                    "trainable": one.trainable, "scores": dict(one.scores), "seconds": one.seconds, "p": one.p,
                }
                for one in self.results
            ],
            "comparisons": [one.as_record() for one in self.comparisons], "left_out": dict(self.left_out),
            "said": list(self.said), "warnings": list(self.warnings), "environment": dict(self.environment),
            "seconds": self.seconds,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class PredictedScan:
    """One line of ``predictions.csv``.

    Attributes
    ----------
    subject, session, image
        Whose scan, and its path.
    method, size, repeat, fold
        See `plan.Fit`.
    true, predicted
        Numbers, or names of classes.
    corrected
        See `calibration.corrected`; None where that was not done.
    chances
        Of the classes; none of numbers.
    """

    subject: str
    session: str
    image: str
    method: str
    size: int
    repeat: int
    fold: int
    true: str
    predicted: str
    corrected: float | None
    chances: tuple[float, ...]


def read_config(folder: Path) -> ReuseConfig:
    """What was asked for in a folder, finished or not.

    Raises
    ------
    BadInput
        If it is no folder of a re-use.
    """
    try:
        return ReuseConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{folder} holds no re-use of a network; choose its folder.") from error
    except BadConfig as error:
        raise BadInput(f"{folder}: {error}") from error


def read_reuse(folder: Path) -> ReuseRecord:
    """Read what `reuse` wrote.

    Raises
    ------
    BadInput
        If there is nothing of the kind, or it is not finished.
    """
    config = read_config(folder)
    if not (folder / RESULTS).is_file():
        raise BadInput(f"The re-use in {folder.name} is not finished; go on with it.")
    try:
        record = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        if record["kind"] != "reuse-results":
            raise ValueError(f"it is '{record['kind']}'")
        results = tuple(
            MethodResult(
                str(one["method"]), int(one["size"]), float(one["learned_from"]), int(one["trainable"]),
                dict(one["scores"]), float(one["seconds"]), None if one["p"] is None else float(one["p"]),
            )
            for one in record["results"]
        )  # fmt: skip
        comparisons = tuple(
            Comparison(
                str(one["first"]), str(one["second"]), int(one["size"]), float(one["difference"]),
                None if one["interval"] is None else (float(one["interval"][0]), float(one["interval"][1])),
            )
            for one in record["comparisons"]
        )  # fmt: skip
        return ReuseRecord(
            folder, config, Label.from_record(record["label"]), str(record["model"]), int(record["scans"]),
            int(record["subjects"]), bool(record["simulated"]), results, comparisons, dict(record["left_out"]),
            tuple(record["said"]), tuple(record["warnings"]), dict(record["environment"]), float(record["seconds"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise BadInput(f"The results in {folder.name} are damaged ({error}); go on with the re-use.") from error


def read_predictions(folder: Path) -> tuple[PredictedScan, ...]:
    """All lines of ``predictions.csv``.

    Raises
    ------
    BadInput
        If they cannot be read.
    """
    try:
        with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
        return tuple(
            PredictedScan(
                line["subject"], line["session"], line["image"], line["method"], int(line["size"]),
                int(line["repeat"]), int(line["fold"]), line["true"], line["predicted"],
                float(line["corrected"]) if line["corrected"] else None,
                tuple(float(value) for name, value in line.items() if name.startswith("chance_")),
            )
            for line in lines
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BadInput(f"The predictions in {folder.name} cannot be read ({error}); go on with the re-use.") from error


def predictions_csv(lines: Sequence[PredictedScan], label: Label) -> str:
    """The text of ``predictions.csv``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = ("subject", "session", "image", "method", "size", "repeat", "fold", "true", "predicted", "corrected")
    writer.writerow([*names, *(f"chance_{name}" for name in label.classes)])
    for one in lines:
        corrected = "" if one.corrected is None else f"{one.corrected:.6g}"
        writer.writerow([*(getattr(one, name) for name in names[:-1]), corrected, *(f"{c:.6g}" for c in one.chances)])
    return stream.getvalue()
