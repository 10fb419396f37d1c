"""Building a network without drawing its weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode

_DRAWS = frozenset(
    {"normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"}
)


class Undrawn(TorchFunctionMode):
    """In this context initial weights are memory as it was found, because others replace them at once.

    Drawing them would take from the random generator, from which a job may be drawing beside this thread. Constants
    of a network have their values; built without memory, on the device "meta", it would have none.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        if getattr(function, "__name__", "") in _DRAWS:
            return args[0] if args else (options or {})["tensor"]
        return function(*args, **(options or {}))
