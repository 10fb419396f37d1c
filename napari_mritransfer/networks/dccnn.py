"""Deep cascade of convolutional networks with data consistency."""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from napari_mritransfer.networks.consistency import DataConsistency, Samples, as_channels, as_complex
from napari_mritransfer.physics.coils import combine


class DCCNN(nn.Module):
    """Unrolled reconstruction: a small residual CNN, then data consistency, several times over.

    Parameters
    ----------
    cascades
        Number of CNN + data-consistency pairs, at least 1.
    depth
        3×3 convolutions per CNN, at least 2; all but the last are followed by a ReLU.
    width
        Channels between them.
    noise_weighted
        Learned (True) or hard (False) data consistency.

    References
    ----------
    Schlemper, Caballero, Hajnal, Price, Rueckert: A deep cascade of convolutional neural networks for dynamic
    MR image reconstruction, IEEE Trans Med Imaging 2018, 37:491, section III.
    """

    def __init__(self, cascades: int = 5, depth: int = 5, width: int = 32, *, noise_weighted: bool = True) -> None:
        super().__init__()
        if cascades < 1 or depth < 2 or width < 1:
            raise ValueError("A DCCNN needs at least 1 cascade, 2 convolutions per cascade and 1 channel.")
        self.blocks = nn.ModuleList(_plain_cnn(depth, width) for _ in range(cascades))
        self.consistency = nn.ModuleList(DataConsistency(noise_weighted=noise_weighted) for _ in range(cascades))

    def in_order(self) -> Iterator[nn.Module]:
        """Submodules as `forward` calls them, see `transfer.order`."""
        return unrolled(self.blocks, self.consistency)

    def forward(
        self, kspace: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1), maps: Tensor | None = None
    ) -> Tensor:
        """Image from measured k-space.

        Parameters
        ----------
        kspace, mask, axes, maps
            See `Samples.of`.

        Returns
        -------
        image
            ``(batch, y, x)`` complex64.
        """
        return unroll(self.blocks, self.consistency, kspace, mask, axes, maps)


def unrolled(blocks: nn.ModuleList, consistency: nn.ModuleList) -> Iterator[nn.Module]:
    """Blocks and consistencies in the order in which `unroll` calls them."""
    for pair in zip(blocks, consistency, strict=True):
        yield from pair


def unroll(
    blocks: nn.ModuleList,
    consistency: nn.ModuleList,
    kspace: Tensor,
    mask: Tensor,
    axes: Sequence[int],
    maps: Tensor | None,
) -> Tensor:
    """Zero-filled image, coils combined; then for each pair: residual correction by the CNN, data consistency."""
    samples = Samples.of(kspace, mask, axes, maps)
    image = samples.image if maps is None else combine(samples.image, maps)
    for block, pull in zip(blocks, consistency, strict=True):
        image = pull(image + as_complex(block(as_channels(image))), samples)
    return image


def _plain_cnn(depth: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(2, width, 3, padding=1), nn.ReLU(inplace=True)]
    for _ in range(depth - 2):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(width, 2, 3, padding=1))
