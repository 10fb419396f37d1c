"""Precision of the convolutions: bfloat16 where the hardware has it, float32 elsewhere; FFTs are always float32."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]
Autocast = Callable[[], AbstractContextManager[object]]


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 convolutions run in hardware there; emulated ones are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # older releases of torch do not tell
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16", False))


def use_bfloat16(device: torch.device, precision: Precision) -> bool:
    """What `precision` means on that device."""
    return precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))


def autocast_for(device: torch.device, precision: Precision = "auto") -> Autocast:
    """The context to call a network in."""
    if not use_bfloat16(device, precision):
        return nullcontext
    return partial(torch.autocast, device.type, torch.bfloat16)
