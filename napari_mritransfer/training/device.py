"""Where a job computes."""

import torch

from napari_mritransfer.training.config import BadConfig


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" takes a GPU if there is one.

    Raises
    ------
    BadConfig
        If it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadConfig(f"'{name}' is not the name of a device; use auto, cpu or cuda.") from error
    if device.type == "cpu":
        return device
    if device.type != "cuda" or not torch.cuda.is_available():
        raise BadConfig(f"There is no device '{name}' on this machine; use auto or cpu.")
    if (device.index or 0) >= torch.cuda.device_count():
        raise BadConfig(f"There is no device '{name}': this machine has {torch.cuda.device_count()} GPU(s).")
    return device


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
