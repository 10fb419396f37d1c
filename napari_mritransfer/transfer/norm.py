"""Scale and shift of the normalisation layers learn, weights stay."""

from torch import nn

from napari_mritransfer.transfer.layers import norms_with_parameters
from napari_mritransfer.transfer.order import learn_only


def apply(model: nn.Module) -> None:
    """Freeze all but the parameters of norms.

    Running statistics of batch norms move with them, as in the paper.

    Raises
    ------
    ValueError
        If no norm has parameters.
    """
    norms = norms_with_parameters(model)
    if not norms:
        raise ValueError(
            "This network has no normalisation layers with parameters, so there is nothing that could learn; choose "
            "'lft' or 'ssf', which scale the layers themselves."
        )
    learn_only(model, [*norms])
