"""What every quick method scores when labels are dealt out anew, written down as it is found."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.material import Material, values_of
from napari_mritransfer.cohort.reuse.permutation import with_permuted_labels
from napari_mritransfer.cohort.reuse.plan import Fit, outer_folds
from napari_mritransfer.cohort.reuse.record import PERMUTATIONS
from napari_mritransfer.cohort.reuse.scores import quick_score
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.recon.stopped import ReconstructionStopped

OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]

_QUICK = ("features", "classical", "direct")  # kinds that train no network


def permutation_scores(
    material: Material, fits: Sequence[Fit], results: Sequence[FitResult], out: Path, on_progress: OnProgress,
    should_stop: ShouldStop,
) -> Mapping[str, tuple[float, list[float]]]:  # fmt: skip
    """Of every method that trains no network: its score in the first repeat, and those with labels dealt out anew."""
    wanted = material.config.permutations
    found: dict[str, tuple[float, list[float]]] = {}
    methods = [name for name in dict.fromkeys(fit.method for fit in fits) if reuse_method(name).kind in _QUICK]
    for number, method in enumerate(methods if wanted else []):
        (out / PERMUTATIONS).mkdir(exist_ok=True)
        path = out / PERMUTATIONS / f"{method}.json"
        said = [result for result in results if (result.method, result.size, result.repeat) == (method, 0, 0)]
        observed = quick_score(material.y, said, material.label)
        scores = _read_scores(path)[:wanted]
        while len(scores) < wanted:
            if should_stop():
                raise ReconstructionStopped
            what = f"{reuse_method(method).label}: permutation {len(scores) + 1} of {wanted}"
            on_progress(what, number, len(methods))
            rng = np.random.default_rng((material.config.seed, 11, len(scores)))
            permuted = with_permuted_labels(material.checked, rng)
            y = values_of(permuted, material.label)
            dealt = []
            for part in outer_folds(permuted, dataclasses.replace(material.config, repeats=1)):
                train, test = np.array(part.train), np.array(part.test)
                values = material.learn(reuse_method(method), train, y[train], test, only_values=True).values
                dealt.append(FitResult(method, 0, 0, part.number, part.site, part.test, values))
            scores.append(quick_score(y, dealt, material.label))
            write_text(path, json.dumps(scores))
        found[method] = (observed, scores)
    return found


def _read_scores(path: Path) -> list[float]:
    try:
        return [float(score) for score in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
