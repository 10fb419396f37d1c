"""Where in each slice a network looked: gradients of its prediction on the encoder's maps, weighted by attention.

After Grad-CAM (Selvaraju et al., ICCV 2017), which weights each map by the mean of its gradient. That mean is useless
behind an instance norm, as in the five-convolution encoder: a constant added to a map is taken away again, so that the
mean gradient is zero but for the slice's border. Gradient and map are multiplied voxel by voxel there (HiResCAM,
Draelos & Carin, arXiv 2011.08891); ResNets, with batch norms that stand still, keep Grad-CAM itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.cohort.encoded import AT_ONCE, Encoded
from napari_mritransfer.cohort.prediction import Prediction, evaluating
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.slice_encoders import ConvEncoder
from napari_mritransfer.networks.slice_positions import SLICINGS
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.recon.network import ReconstructionStopped

_ENOUGH_PIXELS = 100  # of a map: fewer say no more than which corner
_FLAT = 1e-6  # of the largest value: a map that varies less says nothing


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """Where the network looked in one volume.

    Attributes
    ----------
    map
        ``(i, j, k)`` float32: relative weight of the slice × relevance in the slice, which has mean 1 there. 1 is
        uniform; the mean over all slices that are there is 1. 0 where a slice is missing.
    flat
        ``(slice,)`` bool: slices in which no place is more relevant than another; the map is even there.
    depth
        Of the maps that it was computed on.
    """

    map: NDArray[np.float32]
    flat: NDArray[np.bool_]
    depth: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What has to be said about it."""
        if not self.flat.any():
            return ()
        return (
            f"In {int(self.flat.sum())} of {self.flat.size} slices no place is more relevant than another: the map is "
            "even there.",
        )


def default_depth(network: SliceSet) -> int:
    """The deepest place whose maps have 100 pixels or more, or the first.

    At 2 mm that is the third block of five convolutions (13 × 11 pixels) and the second stage of a ResNet (14 × 12).
    """
    depths = range(1, network.encoder_2d.depths + 1)
    pixels = math.prod(network.grid) / network.n_slices
    return max((depth for depth in depths if pixels / _stride(network, depth) ** 2 >= _ENOUGH_PIXELS), default=1)


def relevance_of(
    network: SliceSet, prediction: Prediction, *, should_stop: Callable[[], bool] = lambda: False
) -> Relevance:
    """The relevance of every place for a prediction whose maps were kept.

    Gradients are followed back from the prediction to the maps, group of slices by group, and no farther: the trunk
    before them does not run again, and no weight gets a gradient.

    Raises
    ------
    BadInput
        If `prediction` was made without keeping maps.
    ReconstructionStopped
        If `should_stop` said so.
    """
    encoded = prediction.encoded
    if encoded.maps is None:
        raise BadInput("The prediction kept no maps of its slices; predict with a depth above 0 for a relevance map.")
    with evaluating(network):
        found = _on_maps(network, encoded, prediction, should_stop)
    axis = SLICINGS.index(network.slicing)
    sizes = [size for other, size in enumerate(network.grid) if other != axis]
    stride, offset = _stride(network, encoded.depth), _offset(network, encoded.depth)
    rows, columns = (_upsampling(n, size, stride, offset) for n, size in zip(found.shape[1:], sizes, strict=True))
    slices = rows @ found @ columns.T
    means = slices.mean(axis=(1, 2), keepdims=True)
    spans = np.ptp(slices, axis=(1, 2))
    flat = ~(spans > _FLAT * np.maximum(slices.max(axis=(1, 2)), np.finfo(np.float64).tiny))
    slices = np.where(flat[:, None, None], 1.0, slices / np.where(means > 0, means, 1.0))
    there = encoded.there
    whole = np.zeros((network.n_slices, *sizes), dtype=np.float32)
    whole[there] = slices * prediction.relative[there, None, None]
    flat_of_all = np.zeros(network.n_slices, dtype=bool)
    flat_of_all[there] = flat
    return Relevance(np.ascontiguousarray(np.moveaxis(whole, 0, axis)), flat_of_all, encoded.depth)


def _on_maps(
    network: SliceSet, encoded: Encoded, prediction: Prediction, should_stop: Callable[[], bool]
) -> NDArray[np.float64]:
    """``(slices that are there, y, x)``, not negative, on the maps' own pixels."""
    encoder, depth = network.encoder_2d, encoded.depth
    with torch.enable_grad():
        features = encoded.features.detach().requires_grad_()
        codes = encoder.place(features, encoded.present)
        output = network.head(network.pool(codes, encoded.present).embedding)[0, prediction.output]
        (towards,) = torch.autograd.grad(prediction.sign * output, features)
    towards = towards[0, torch.from_numpy(encoded.there)]
    assert encoded.maps is not None
    found = []
    for maps, wanted in zip(encoded.maps.split(AT_ONCE), towards.split(AT_ONCE), strict=True):
        if should_stop():
            raise ReconstructionStopped
        with torch.enable_grad():
            leaf = maps.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(encoder.features(leaf, depth), leaf, wanted)
        found.append(_combined(maps, gradient, averaged=not isinstance(encoder, ConvEncoder)))
    values = torch.cat(found)
    values = values.abs() if prediction.both_signs else values.clamp(min=0)
    return np.asarray(values.double().cpu().numpy())


def _combined(maps: Tensor, gradient: Tensor, *, averaged: bool) -> Tensor:
    if averaged:
        gradient = gradient.mean(dim=(-2, -1), keepdim=True)
    return (maps * gradient).sum(dim=1)


def _stride(network: SliceSet, depth: int) -> int:
    """Pixels of a slice from one pixel of the maps to the next."""
    return int(2**depth if isinstance(network.encoder_2d, ConvEncoder) else 2 ** (depth + 1))


def _offset(network: SliceSet, depth: int) -> float:
    """Where in the slice the maps' first pixel is centred: pooling looks ahead, strided convolutions to both sides."""
    return (2**depth - 1) / 2 if isinstance(network.encoder_2d, ConvEncoder) else 0.0


def _upsampling(n: int, size: int, stride: int, offset: float) -> NDArray[Any]:
    """``(size, n)``: linear interpolation from pixels ``offset + stride·index`` to every pixel of a slice, flat beyond.

    Stretching the maps over the slice would be off by up to half a block where sizes are no multiples of the stride.
    """
    place = np.clip((np.arange(size) - offset) / stride, 0, n - 1)
    below = np.minimum(place.astype(int), max(n - 2, 0))
    share = place - below
    matrix = np.zeros((size, n))
    matrix[np.arange(size), below] += 1 - share
    matrix[np.arange(size), np.minimum(below + 1, n - 1)] += share
    return matrix
