"""One measurement of one scan, reconstructed by every method and, where there is a reference, judged by it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.evaluation.metrics import Evaluation, Peak, evaluate, foreground
from napari_mritransfer.evaluation.region import FOREGROUND_RULE
from napari_mritransfer.evaluation.table import MethodScores, as_records
from napari_mritransfer.evaluation.verdict import Verdict, verdict
from napari_mritransfer.io import Origin, Scan, load
from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.undersampling import Measurement, as_shown, zero_filled
from napari_mritransfer.recon.classical import reconstruct_classical, wraps_around
from napari_mritransfer.recon.network import ReconstructionStopped, Unsuitable, reconstruct
from napari_mritransfer.recon.precision import Precision, autocast_for, use_bfloat16
from napari_mritransfer.study.methods import ZERO_FILLED, Method
from napari_mritransfer.study.sampling import Sampling, doubts, remarks
from napari_mritransfer.training.checkpoint import check_named, open_model
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.device import choose_device
from napari_mritransfer.training.rundir import RunDirectory, environment

NOBODY_KNOWS = "Without a fully sampled reference no method can be judged by a number; compare the pictures with care."

WRAPS = (
    "The head is wider than the field of view, and networks here have one set of coil maps: where it overlaps itself, "
    "trust SENSE, which takes two."
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Numbers and pictures of one scan under several methods.

    Attributes
    ----------
    scan
        As it was loaded.
    methods
        What was compared, in order.
    reference
        ``(frame, slice, y, x)`` magnitude: the fully sampled, band-limited image on the scan's own matrix; None where
        the scan was undersampled when it was acquired.
    mask
        ``(slice, y, x)`` foreground of the reference, frames stacked; None without reference.
    images
        Method name to the ``(frame, slice, y, x)`` magnitude of its first seed.
    scores
        One row per method, of its first seed; ``details["psnr_by_seed"]`` has the others. Empty without reference.
    measurement
        What every method started from.
    verdict
        Who is best, if anyone is.
    warnings
        Sentences to read before the numbers; methods that cannot take such a measurement are left out, and named here.
    computed
        Device, precision and versions; the phase where it is simulated.
    """

    scan: Scan
    methods: tuple[Method, ...]
    reference: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None
    images: Mapping[str, NDArray[np.float32]]
    scores: tuple[MethodScores, ...]
    measurement: Measurement
    verdict: Verdict
    warnings: tuple[str, ...]
    computed: Mapping[str, str]


def compare(
    path: str,
    methods: Sequence[Method],
    sampling: Sampling,
    *,
    peak: Peak = Peak.VOLUME,
    device: str = "auto",
    precision: Precision = "auto",
    array: ArrayOptions = ArrayOptions(),
    on_progress: Callable[[str, int, int], None] = lambda method, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Measure a scan once and reconstruct it with every method.

    Parameters
    ----------
    path
        Fully sampled scan, or one that is taken as measured.
    methods
        See `resolve_methods`.
    array
        Which array of the file is meant and what its axes are, where the file does not say.
    on_progress
        Told method, slices done and all slices.

    Raises
    ------
    UnreadableScan, BadConfig, UnknownModel, UnreadableWeights
        If a file or a setting does not work; the message says which.
    Unsuitable
        If no method can take such a measurement.
    ReconstructionStopped
        If `should_stop` said so.
    """
    for method in methods:
        for source in method.sources:
            check_named(source)
    where = choose_device(device)
    scan = load(path, variable=array.variable, axes=array.axes, space=array.space, series=array.series)
    measurement = sampling.measure(scan)
    truth = _Truth.of(measurement, scan)
    warnings = remarks(scan, sampling, measurement)
    warnings += doubts(methods, path, measurement, smooth_phase=sampling.smooth_phase)
    if any(method.sources for method in methods) and wraps_around(measurement.kspace, measurement.sampled):
        warnings.append(WRAPS)
    images: dict[str, NDArray[np.float32]] = {}
    scores: list[MethodScores] = []
    refusals: list[Unsuitable] = []
    for method in methods:
        evaluations: list[Evaluation] = []
        try:
            for source in method.sources or (ZERO_FILLED,):
                if should_stop():
                    raise ReconstructionStopped
                on_slice = partial(on_progress, method.name)
                complex_image, told = _reconstructed(
                    method, source, measurement, where, precision, on_slice, should_stop
                )  # fmt: skip
                warnings += told
                image = magnitude(complex_image, measurement)
                images.setdefault(method.name, image)
                if truth is not None:
                    evaluations.append(truth.judge(image, method.name, peak))
        except Unsuitable as error:
            refusals.append(error)
            warnings.append(f"Left out: {method.name}. {error}")
            continue
        if evaluations:
            scores.append(MethodScores(method.name, evaluations[0], _details(method, evaluations, measurement)))
    if not images:
        raise refusals[0]
    methods = [method for method in methods if method.name in images]
    decision = Verdict(None, NOBODY_KNOWS)
    if truth is not None:
        psnr = {one.method: psnr_by_seed(one) for one in scores}
        decision = verdict(psnr, deterministic=[method.name for method in methods if not method.was_trained])
    computed = {
        "computed on": f"{where}, {'bfloat16' if use_bfloat16(where, precision) else 'float32'} convolutions",
        "versions": ", ".join(f"{name} {version}" for name, version in environment().items()),
    }
    if sampling.smooth_phase:
        computed["phase"] = f"smooth, simulated with seed {sampling.noise_seed}"
    return Comparison(
        scan, tuple(methods), truth.image if truth else None, truth.mask if truth else None, images, tuple(scores),
        measurement, decision, tuple(dict.fromkeys(warnings)), computed,
    )  # fmt: skip


def _reconstructed(
    method: Method,
    source: str,
    measurement: Measurement,
    where: torch.device,
    precision: Precision,
    on_slice: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> tuple[Tensor, list[str]]:
    """The complex image of one method from one of its models, and what to know about that model."""
    if method.classical:
        try:
            image = reconstruct_classical(
                method.classical, measurement.kspace, measurement.sampled, on_slice=on_slice, should_stop=should_stop
            )
        except BadInput as error:
            raise Unsuitable(str(error)) from error
        return image, []
    if not method.sources:
        return zero_filled(measurement), []
    base = open_model(source)
    told = [*base.notes]
    if base.card is not None:
        told += base.card.outside_of_training(measurement.mask, measurement.readout_positions, measurement.n_coils)
    image = reconstruct(
        measurement, base.network.to(where), autocast=autocast_for(where, precision), should_stop=should_stop,
        on_slice=on_slice,
    )  # fmt: skip
    return image, told


@dataclass(frozen=True, slots=True, eq=False)
class _Truth:
    """A reference with its foreground, and how it came to be."""

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    made_from: str

    @classmethod
    def of(cls, measurement: Measurement, scan: Scan) -> "_Truth | None":
        if measurement.reference is None:
            return None
        image = magnitude(measurement.reference, measurement)
        return cls(image, foreground(stack(image)), made_from(scan, measurement))

    def judge(self, image: NDArray[np.float32], method: str, peak: Peak) -> Evaluation:
        pair = stack(self.image), stack(image)
        try:
            return evaluate(*pair, self.mask, peak=peak, mask_rule=FOREGROUND_RULE, data=self.made_from)
        except ValueError as error:
            raise BadConfig(f"{method} cannot be judged: {error}") from error


def seeds_apart(comparison: Comparison) -> dict[str, str]:
    """PSNR in dB of every seed of the methods that have several."""
    seeds = {scores.method: psnr_by_seed(scores) for scores in comparison.scores}
    return {method: ", ".join(f"{v:.2f}" for v in values) for method, values in seeds.items() if len(values) > 1}


def psnr_by_seed(scores: MethodScores) -> list[float]:
    """Foreground PSNR in dB, mean over slices, of every seed of a method."""
    values = scores.details["psnr_by_seed"]
    assert isinstance(values, list)
    return values


def records(comparison: Comparison) -> list[dict[str, object]]:
    """What metrics.json holds; without reference the numbers are None and a note says why."""
    if comparison.reference is not None:
        return as_records(comparison.scores)
    data = made_from(comparison.scan, comparison.measurement)
    unknown = {"psnr": None, "ssim": None, "nmse": None, "note": NOBODY_KNOWS, "data": data}
    return [
        {"method": method.name, **unknown, **_details(method, (), comparison.measurement)}
        for method in comparison.methods
    ]


def _details(method: Method, evaluations: Sequence[Evaluation], measurement: Measurement) -> dict[str, object]:
    details: dict[str, object] = {"psnr_by_seed": [e.foreground.psnr.mean for e in evaluations]} if evaluations else {}
    details |= {
        "nominal_rate": measurement.mask.nominal_rate,
        "achieved_rate": measurement.mask.achieved_rate,
        "effective_rate": measurement.effective_rate,
    }
    if method.sources:
        details["models"] = list(method.sources)
    if method.config is not None:
        outcome = RunDirectory(Path(method.sources[0])).metrics() or {}
        details |= {"strategy": method.config.strategy, "config": json.loads(method.config.as_json())}
        wanted = ("trainable", "total", "best_step", "step", "seconds")
        details |= {key: outcome[key] for key in wanted if key in outcome}
    return details


def magnitude(image: Tensor, measurement: Measurement) -> NDArray[np.float32]:
    """``(frame, slice, y, x)`` magnitude of a reconstruction, on the matrix of the scan that was measured."""
    return np.asarray(as_shown(image, measurement).abs().numpy(), dtype=np.float32)


def made_from(scan: Scan, measurement: Measurement) -> str:
    """Where the k-space of a comparison comes from, in words."""
    if measurement.reference is None:
        is_made = scan.origin is Origin.SIMULATED
        return "simulated k-space, taken as it was measured" if is_made else "k-space as measured"
    if scan.kspace is not None and scan.origin is not Origin.SIMULATED:
        return f"{'raw' if scan.origin is Origin.RAW else scan.origin} k-space, undersampled afterwards"
    return f"k-space simulated from a {scan.origin} image"


def origin_of(scan: Scan, measurement: Measurement) -> Origin:
    """What a reconstruction of a measurement is: simulated, unless every sample of it was measured by a scanner."""
    is_acquired = scan.origin is Origin.RAW or (measurement.reference is None and scan.origin is not Origin.SIMULATED)
    return Origin.MAGNITUDE if is_acquired and measurement.noise_sigma == 0 else Origin.SIMULATED


def stack(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames and slices as one stack: metrics know slices only."""
    return image.reshape(-1, *image.shape[-2:])
