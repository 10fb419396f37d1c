"""One volume through the encoder, once: the features of its slices, and the maps that relevance asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.recon.network import ReconstructionStopped

AT_ONCE = 16  # slices in memory together: some 100 MB of maps at 2 mm


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What the encoder makes of one volume; whatever is asked later starts here.

    Attributes
    ----------
    features
        ``(1, slice, feature)``, before positions; 0 where a slice is missing.
    present
        ``(1, slice)`` bool; None where all are there.
    maps
        ``(slices that are there, channel, y, x)`` after `depth` blocks or stages; None if nobody asked for them.
    depth
        See `networks.slice_encoders`.
    """

    features: Tensor
    present: Tensor | None
    maps: Tensor | None
    depth: int

    @property
    def there(self) -> NDArray[np.bool_]:
        """``(slice,)`` bool, which slices are there."""
        if self.present is None:
            return np.ones(self.features.shape[1], dtype=bool)
        return np.asarray(self.present[0].cpu().numpy())


def encode_volume(
    network: SliceSet,
    volume: NDArray[np.floating[Any]],
    *,
    present: NDArray[np.bool_] | None = None,
    depth: int = 0,
    should_stop: Callable[[], bool] = lambda: False,
) -> Encoded:
    """Run the encoder over the slices of a volume, in groups and without gradients, on the network's own device.

    Parameters
    ----------
    network
        In evaluation mode.
    volume
        ``(i, j, k)`` on the network's grid, normalised.
    present
        ``(slice,)`` bool; all if None.
    depth
        Where to keep the maps; nowhere if 0.
    should_stop
        Asked between groups.

    Raises
    ------
    BadInput
        If the volume is not on the network's grid, or the slices that are there are none or of another
        number, or there are no maps at that depth.
    ReconstructionStopped
        If `should_stop` said so.
    """
    if volume.shape != network.grid:
        sizes, wanted = (" × ".join(map(str, shape)) for shape in (volume.shape, network.grid))
        raise BadInput(
            f"The volume has {sizes} voxels, but this network takes {wanted} and its position codes count "
            f"{network.n_slices} {network.slicing} slices; prepare the scan on the network's own grid."
        )
    there = np.ones(network.n_slices, dtype=bool) if present is None else np.asarray(present, dtype=bool)
    if there.shape != (network.n_slices,) or not there.any():
        raise BadInput(
            f"{int(there.sum())} of {there.size} slices are marked as there, but the network counts "
            f"{network.n_slices} and needs one at least; give as many marks, one of them true."
        )
    if not 0 <= depth <= network.encoder_2d.depths:
        raise BadInput(f"The encoder has maps at depths 1 to {network.encoder_2d.depths}, not at {depth}; choose one.")
    parameter = next(network.parameters())
    encoder, stop_at = network.encoder_2d, depth or network.encoder_2d.depths
    with torch.no_grad():
        whole = torch.from_numpy(np.ascontiguousarray(volume))[None, None]
        slices = network.slices_of(whole)[0, torch.from_numpy(there)][:, None]
        features, kept = [], []
        for group in slices.split(AT_ONCE):
            if should_stop():
                raise ReconstructionStopped
            maps = encoder.maps(group.to(parameter.device, parameter.dtype).contiguous(), stop_at)
            features.append(encoder.features(maps, stop_at))
            if depth:
                kept.append(maps)
        found = torch.cat(features)
        every = found.new_zeros(network.n_slices, found.shape[1])
        every[torch.from_numpy(there)] = found
    marks = None if there.all() else torch.from_numpy(there)[None].to(parameter.device)
    return Encoded(every[None], marks, torch.cat(kept) if depth else None, depth)
