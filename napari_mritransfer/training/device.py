"""Where a job computes."""

import os
from pathlib import Path

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


def devices() -> list[dict[str, str]]:
    """All devices of this machine, GPUs first: ``name`` for `choose_device`, ``label`` with free memory for people."""
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        label = f"{torch.cuda.get_device_name(index)} ({free / 1e9:.0f} of {total / 1e9:.0f} GB free)"
        found.append({"name": f"cuda:{index}", "label": label})
    cores = f"{os.cpu_count() or 1} cores"
    return [*found, {"name": "cpu", "label": f"CPU ({', '.join([cores, *_free_memory()])})"}]


def _free_memory() -> list[str]:
    """What Linux says could be given to a new program; nothing elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return []
    return [f"{kib * 1024 / 1e9:.0f} GB free"]


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
