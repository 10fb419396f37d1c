"""From scratch: the architecture without its memory."""

from collections.abc import Callable

from torch import nn


def apply(model: nn.Module) -> None:
    """Re-initialise every layer from torch's global random generator, then let everything learn.

    Raises
    ------
    ValueError
        If a layer holds parameters of its own but does not know how to reset them; nothing is changed then.
    """
    resets: list[Callable[[], object]] = []
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            resets.append(reset)
        elif own:  # found before anything is forgotten
            raise ValueError(
                f"Layer '{name or type(model).__name__}' cannot be re-initialised: give its class a "
                "reset_parameters() method, or choose a strategy other than scratch."
            )
    for reset in reversed(resets):  # parents last: they may refine their children's start
        reset()
    model.requires_grad_(True)
