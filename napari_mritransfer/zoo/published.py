"""Weights that others published: what they are, where they lie, under which licence. No torch here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["reconstruction", "encoder", "predictor"]
"""Networks that reconstruct images; networks for photographs, whose encoders others can start from; networks that
predict a label from a brain."""

_FASTMRI = "https://dl.fbaipublicfiles.com/fastMRI/trained_models"
_ISTA = (
    "https://raw.githubusercontent.com/jianzhangcs/ISTA-Net-PyTorch/f69904068fe1417d149992f8b5c10bc4e24c5feb/model/"
    "MRI_CS_ISTA_Net_plus_layer_9_group_1_ratio_{rate}/net_params_200.pkl"
)
_FASTMRI_LICENCE = "MIT (the repository facebookresearch/fastMRI; the data they were trained on has terms of its own)"
_FASTMRI_TRAINING = "fastMRI {what}; training and validation split together, so never judge these weights on either"
_UNET_CONVENTIONS = (
    "zero-filled magnitude, root-sum-of-squares over coils, cut to the reconstruction size, normalised slice by slice"
)
_VARNET_CONVENTIONS = "multi-coil k-space as the scanner wrote it, masks of whole lines; cut afterwards, if at all"
_IMAGENET_LICENCE = (
    "BSD-3-Clause for torchvision, which publishes them; they were trained on ImageNet, whose images may be used for "
    "non-commercial research and education only"
)
_IMAGENET_CONVENTIONS = (
    "three channels, standardised by the mean and deviation of photographs; as an encoder of MR slices: a slice "
    "repeated three times, or one channel with the sum of the three kernels"
)
_SFCN = "https://raw.githubusercontent.com/ha-ha-ha-han/UKBiobank_deep_pretrain/4e56dc1522ac89caadc5c6fc779799ee58c23adc"
_SFCN_LICENCE = "MIT (the repository ha-ha-ha-han/UKBiobank_deep_pretrain)"
_SFCN_CONVENTIONS = (
    "T1-weighted, brain alone, linearly registered to MNI152 at 1 mm (182 × 218 × 182), divided by the mean over the "
    "whole grid, middle 160 × 192 × 160"
)
_DIGITS = 64  # of a whole SHA-256
_FEWEST_DIGITS = 8
_UNET_BYTES, _VARNET_BYTES, _ISTA_BYTES = 1_985_000_000, 120_000_000, 1_400_000  # from the number of parameters


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """A file of weights that somebody else published.

    Attributes
    ----------
    name, title
        What users type; what they read.
    architecture, settings
        What the file holds, see `zoo.weights.build`; when it is opened, it is recognised by its own names and shapes.
    url
        Where it lies.
    sha256, git_blob_sha1
        Checksums of its bytes, where anybody published them; of the SHA-256 its first digits, 8 at least, will do.
    licence
        In words; says so where none is stated.
    size_bytes
        About; None where unknown.
    conventions
        What the weights expect of the image.
    training
        What they were trained on.
    kind
        What they are good for.
    """

    name: str
    title: str
    architecture: str
    settings: Mapping[str, object]
    url: str
    sha256: str | None
    git_blob_sha1: str | None
    licence: str
    size_bytes: int | None
    conventions: str
    training: str
    kind: Kind = "reconstruction"

    def __post_init__(self) -> None:
        """Refuse a checksum that checks next to nothing."""
        if self.sha256 is not None and not re.fullmatch(f"[0-9a-f]{{{_FEWEST_DIGITS},{_DIGITS}}}", self.sha256):
            raise ValueError(f"{self.name}: of a SHA-256 at least {_FEWEST_DIGITS} hexadecimal digits are needed.")

    @property
    def checksum(self) -> str:
        """What is known of its checksum, for a person."""
        if self.sha256 is not None and len(self.sha256) < _DIGITS:
            return f"only the first {len(self.sha256)} of {_DIGITS} digits are known (from the name of the file)"
        return "known" if self.sha256 or self.git_blob_sha1 else "none was published"

    @property
    def about(self) -> str:
        """Its size for a person."""
        if self.size_bytes is None:
            return "of unknown size"
        if self.size_bytes >= 1e9:
            return f"about {self.size_bytes / 1e9:.1f} GB"
        return f"about {self.size_bytes / 1e6:.0f} MB"

    @property
    def file_name(self) -> str:
        """Under which it lies in the cache: its name and the ending of the original."""
        return f"{self.name}.{self.url.rpartition('.')[2]}"


def _unet(name: str, file: str, what: str, sha256: str | None = None) -> PublishedWeights:
    return PublishedWeights(
        name, f"fastMRI U-Net, {what} (leaderboard 2020)", "unet", {"chans": 256, "pools": 4},
        f"{_FASTMRI}/unet/{file}", sha256, None, _FASTMRI_LICENCE, _UNET_BYTES, _UNET_CONVENTIONS,
        _FASTMRI_TRAINING.format(what=what),
    )  # fmt: skip


def _varnet(name: str, file: str, what: str) -> PublishedWeights:
    return PublishedWeights(
        name, f"fastMRI end-to-end VarNet, {what} (leaderboard 2020)", "varnet",
        {"cascades": 12, "chans": 18, "pools": 4, "sens_chans": 8, "sens_pools": 4},
        f"{_FASTMRI}/varnet/{file}", None, None, _FASTMRI_LICENCE, _VARNET_BYTES, _VARNET_CONVENTIONS,
        _FASTMRI_TRAINING.format(what=what),
    )  # fmt: skip


def _istanet(rate: int) -> PublishedWeights:
    return PublishedWeights(
        f"istanet-brain-{rate}", f"ISTA-Net+, brain, {rate} % of k-space", "istanet", {"layers": 9, "width": 32},
        _ISTA.format(rate=rate), None, None, "none stated: for your own use at most, never to be passed on",
        _ISTA_BYTES, "real, non-negative images in [0, 1], one coil, 8-bit originals",
        f"brain images of 256 × 256 with one mask that samples {rate} % of k-space, by the authors of the paper",
    )  # fmt: skip


def _resnet(depth: int, sha256: str, parameters: int) -> PublishedWeights:
    return PublishedWeights(
        f"imagenet-resnet{depth}", f"ResNet-{depth} for photographs (ImageNet), to start an encoder of slices from",
        f"resnet{depth}", {}, f"https://download.pytorch.org/models/resnet{depth}-{sha256}.pth", sha256, None,
        _IMAGENET_LICENCE, 4 * parameters, _IMAGENET_CONVENTIONS,
        "1.28 million photographs in 1,000 classes (ImageNet 2012); torchvision calls these weights IMAGENET1K_V1",
        "encoder",
    )  # fmt: skip


def _sfcn(
    label: str, title: str, file: str, git_blob_sha1: str, parameters: int, settings: Mapping[str, object]
) -> PublishedWeights:
    return PublishedWeights(
        f"sfcn-{label}", title, "sfcn", settings, f"{_SFCN}/{file}", None, git_blob_sha1, _SFCN_LICENCE, 4 * parameters,
        _SFCN_CONVENTIONS, "T1-weighted brains of the UK Biobank; never judge these weights on them", "predictor",
    )  # fmt: skip


PUBLISHED: tuple[PublishedWeights, ...] = (
    _unet(
        "fastmri-unet-knee-sc", "knee_sc_leaderboard_state_dict.pt", "single-coil knee, 4×",
        # not by the authors: another project checks its download of this file against it
        "8f41f67d8eab2cca31ffff632a733a8712b1171c11f13e95b6f90fdf63399f9e",
    ),
    _unet("fastmri-unet-knee-mc", "knee_mc_leaderboard_state_dict.pt", "multi-coil knee, 4× and 8×"),
    _unet("fastmri-unet-brain-mc", "brain_leaderboard_state_dict.pt", "multi-coil brain, 4× and 8×"),
    _varnet("fastmri-varnet-knee-mc", "knee_leaderboard_state_dict.pt", "multi-coil knee, 4× and 8×"),
    _varnet("fastmri-varnet-brain-mc", "brain_leaderboard_state_dict.pt", "multi-coil brain, 4× and 8×"),
    *(_istanet(rate) for rate in (10, 20, 30, 40, 50)),
    # the names of torchvision's files carry the beginning of their checksum
    _resnet(18, "f37072fd", 11_689_512),
    _resnet(34, "b627a593", 21_797_672),
    _resnet(50, "0676ba61", 25_557_032),
    _sfcn(
        "age", "SFCN, brain age from 42 to 82 years", "brain_age/run_20190719_00_epoch_best_mae.p",
        "3631938002f789a842469132155380fa36de7d4d", 2_952_936, {},
    ),
    _sfcn(
        "sex", "SFCN, sex", "sex_prediction/run_20191008_00_epoch_last.p",
        "ac0d602bb7d56d8fc3e05fb00414c0905bcc1ffb", 2_918_144, {"widths": [28, 58, 128, 256, 256, 64], "outputs": 2},
    ),
)  # fmt: skip
"""All of them; a file that you have already is opened by its path just as well."""


def published_weights(name: str, kind: Kind | None = "reconstruction") -> PublishedWeights | None:
    """The entry of that name and that kind (any if None), if there is one."""
    return next((entry for entry in PUBLISHED if entry.name == name and kind in (None, entry.kind)), None)
