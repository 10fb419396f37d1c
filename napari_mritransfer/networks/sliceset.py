"""A volume as a set of 2-D slices: one encoder for all, a pooling that is deaf to their order, a small head."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from napari_mritransfer.networks.slice_encoders import RESNETS, ConvEncoder, ResNetEncoder
from napari_mritransfer.networks.slice_pooling import AttentionPooling, Pooled, largest_of, mean_of
from napari_mritransfer.networks.slice_positions import SLICINGS, PositionEncoder, Positions, Slicing

Encoder = Literal["conv5", "resnet18", "resnet34", "resnet50"]
Pooling = Literal["mean", "max", "attention"]
ENCODERS: tuple[Encoder, ...] = ("conv5", "resnet18", "resnet34", "resnet50")
POOLINGS: tuple[Pooling, ...] = ("mean", "max", "attention")
POSITIONS: tuple[Positions, ...] = ("off", "learned", "sinusoidal")

_AT_ONCE = 16  # slices in memory together when nothing learns: some 100 MB of maps at 2 mm


class SliceSetOutput(NamedTuple):
    """What a volume comes to.

    Attributes
    ----------
    prediction
        ``(batch, outputs)``: the label's value, a logit, or a logit per class.
    attention
        ``(batch, heads, slices)``, see `Pooled`.
    embedding
        ``(batch, code)``: what the head sees.
    """

    prediction: Tensor
    attention: Tensor | None
    embedding: Tensor


class SliceSet(nn.Module):
    """Slice-set network under the names of the published code, so that its checkpoints load strictly.

    Volumes are ``(batch, 1, i, j, k)``, normally on the MNI 2 mm grid in L-A-S order and z-scored over all voxels.

    Parameters
    ----------
    encoder
        ``"conv5"``: as many blocks as there are `widths`, or a ResNet.
    pooling
        How the slices' codes are joined.
    positions
        Whether and how codes know where their slices lie.
    slicing
        Axis that volumes are cut along.
    grid
        ``(i, j, k)`` of a volume.
    outputs
        1 for a number or a yes-or-no question, otherwise the number of classes.
    widths, features
        Of ``"conv5"``, see `ConvEncoder`.
    code
        Features of a slice's code.
    heads, output_layer
        Of attention pooling, see `AttentionPooling`.
    dropout
        Of ``"conv5"``: share of features left out in training before the last layer of the encoder.
    channels, imagenet_statistics
        Of ResNets, see `ResNetEncoder`.
    embedding_norm
        A batch norm before the head, for training only: embeddings of different people differ by little of their size,
        and from a small cohort the published network hardly learns to tell them apart. `without_embedding_norm` folds
        it into the head, so that what is kept is the published network.

    Raises
    ------
    ValueError
        If an option is not one of those above.

    References
    ----------
    Gupta et al., ISBI 2021, arXiv 2102.04438; Gupta et al., ISBI 2023, arXiv 2303.01491.
    """

    # the part that knows images; what follows it is small and belongs to the task
    encoder_part = "encoder_2d.encoder_2d"

    def __init__(
        self,
        encoder: Encoder = "conv5",
        pooling: Pooling = "attention",
        positions: Positions = "learned",
        slicing: Slicing = "sagittal",
        grid: Sequence[int] = (91, 109, 91),
        outputs: int = 1,
        *,
        widths: Sequence[int] = (32, 64, 128, 256, 256),
        features: int = 64,
        code: int = 32,
        heads: int = 1,
        output_layer: bool = True,
        dropout: float = 0.5,
        channels: int = 3,
        imagenet_statistics: bool = False,
        embedding_norm: bool = False,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("encoder", encoder, ENCODERS), ("pooling", pooling, POOLINGS), ("positions", positions, POSITIONS),
            ("slicing", slicing, SLICINGS),
        ):  # fmt: skip
            if value not in known:
                raise ValueError(f"There is no {name} called '{value}'; choose one of: {', '.join(known)}.")
        if len(grid) != len(SLICINGS) or min(grid) < 1 or outputs < 1:
            raise ValueError("A slice-set network takes volumes of three axes and has at least one output.")
        self.slicing, self.pooling, self.outputs = slicing, pooling, outputs
        self.grid = tuple(int(length) for length in grid)
        self.n_slices = self.grid[SLICINGS.index(slicing)]
        placed = features if encoder == "conv5" else code
        places = None if positions == "off" else PositionEncoder(
            placed, self.n_slices, slicing, learned=positions == "learned"
        )  # fmt: skip
        self.encoder_2d: ConvEncoder | ResNetEncoder
        if encoder in RESNETS:
            self.encoder_2d = ResNetEncoder(
                encoder, code, places, channels=channels, imagenet_statistics=imagenet_statistics
            )
        else:
            in_plane = [length for axis, length in enumerate(self.grid) if axis != SLICINGS.index(slicing)]
            self.encoder_2d = ConvEncoder(widths, features, code, places, dropout, in_plane)
        if pooling == "attention":
            self.pooled_attention = AttentionPooling(code, heads, output_layer=output_layer)
        self.embedding_norm = nn.BatchNorm1d(code) if embedding_norm else None
        self.attn_post = nn.Linear(code, 64)
        self.regressor = nn.Sequential(nn.ReLU(), nn.Linear(64, outputs))

    def forward(self, volumes: Tensor, present: Tensor | None = None) -> SliceSetOutput:
        """What volumes come to.

        Parameters
        ----------
        volumes
            ``(batch, 1, i, j, k)`` float.
        present
            ``(batch, slices)`` bool: slices to take into account, at least one a volume; all if None.

        Raises
        ------
        ValueError
            If a volume is not on this network's grid, or has no slice that is present.
        """
        codes = self.encoder_2d.place(self.encode(self.slices_of(volumes), present), present)
        pooled = self.pool(codes, present)
        return SliceSetOutput(self.head(pooled.embedding), pooled.attention, pooled.embedding)

    def slices_of(self, volumes: Tensor) -> Tensor:
        """The set ``(batch, slices, y, x)`` that a volume is cut into; a view.

        Raises
        ------
        ValueError
            If a volume is not on this network's grid.
        """
        if tuple(volumes.shape[1:]) != (1, *self.grid):
            sizes = " × ".join(map(str, volumes.shape[1:]))
            raise ValueError(f"This network takes volumes of {self.grid} voxels and one channel, not of {sizes}.")
        return volumes[:, 0].movedim(1 + SLICINGS.index(self.slicing), 1)

    def encode(self, slices: Tensor, present: Tensor | None = None) -> Tensor:
        """Features ``(batch, slices, features)`` of every slice by itself; zero where none is present.

        Where nothing learns, slices go through in groups, so that memory does not grow with their number.

        Raises
        ------
        ValueError
            If a volume has no slice that is present.
        """
        flat = slices.flatten(0, 1)[:, None]
        if present is not None:
            if not present.any(dim=1).all():
                raise ValueError("A volume has no slice left; keep at least one.")
            flat = flat[present.flatten()]
        at_once = len(flat) if torch.is_grad_enabled() else _AT_ONCE
        found = torch.cat([self._features(group) for group in flat.split(at_once)])
        if present is not None:
            rows = present.flatten().nonzero()[:, 0]
            found = found.new_zeros(present.numel(), found.shape[1]).index_put((rows,), found)
        together: Tensor = found.unflatten(0, slices.shape[:2])
        return together

    def _features(self, slices: Tensor) -> Tensor:
        encoder = self.encoder_2d
        features: Tensor = encoder.features(encoder.maps(slices.contiguous(), encoder.depths), encoder.depths)
        return features

    def pool(self, codes: Tensor, present: Tensor | None = None) -> Pooled:
        """One code per volume from those ``(batch, slices, code)`` of its slices."""
        if self.pooling == "attention":
            pooled: Pooled = self.pooled_attention(codes, present)
            return pooled
        return Pooled((mean_of if self.pooling == "mean" else largest_of)(codes, present), None)

    def head(self, embedding: Tensor) -> Tensor:
        """``(batch, outputs)`` from ``(batch, code)``."""
        if self.embedding_norm is not None:
            embedding = self.embedding_norm(embedding)
        prediction: Tensor = self.regressor(self.attn_post(embedding))
        return prediction


@torch.no_grad()
def without_embedding_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of the published network that predicts the same; unchanged where there is no such norm.

    The norm's scale and shift, in evaluation mode, go into the linear layer behind it.
    """
    prefix = "embedding_norm."
    norm = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    folded = {name: tensor for name, tensor in state.items() if not name.startswith(prefix)}
    if norm:
        scale = norm["weight"] / (norm["running_var"] + nn.BatchNorm1d(1).eps).sqrt()
        weight = folded["attn_post.weight"]
        folded["attn_post.weight"] = weight * scale
        folded["attn_post.bias"] = folded["attn_post.bias"] + weight @ (norm["bias"] - norm["running_mean"] * scale)
    return folded
