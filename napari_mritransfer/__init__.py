"""Transfer a pretrained MRI reconstruction network to a few scans of your own, and compare what comes out.

The names below are the short public API. Each is imported when it is first used, so that ``import napari_mritransfer``
loads neither torch nor napari: the viewer's process must never load the first, a GPU server may not have the second.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mritransfer.evaluation.metrics import evaluate
    from napari_mritransfer.io import Scan, load, save
    from napari_mritransfer.recon.network import reconstruct
    from napari_mritransfer.training.config import FinetuneConfig
    from napari_mritransfer.training.loop import finetune

__version__ = "0.1.0"
__all__ = ["FinetuneConfig", "Scan", "__version__", "evaluate", "finetune", "load", "reconstruct", "save"]

_HOME = {
    "FinetuneConfig": "training.config",
    "Scan": "io",
    "evaluate": "evaluation.metrics",
    "finetune": "training.loop",
    "load": "io",
    "reconstruct": "recon.network",
    "save": "io",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # later uses do not come here again
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
