"""lightning-fabric, told where it runs: one process, or one per device that `training.replicas` has started."""

import atexit
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from napari_mritransfer.recon.precision import Precision, use_bfloat16
from napari_mritransfer.training.config import BadConfig

# The groups of earlier jobs. Whoever lets go of a group last waits for its threads to end; DDP's reducer would do so
# holding the interpreter's lock, which such a thread needs to end, when its last message broke off (torch 2.13): both
# wait for ever. A group and its two idle threads are a small price.
_RETIRED: list[object] = []
atexit.register(_RETIRED.clear)  # while there still is an interpreter whose lock the threads can take


@dataclass(frozen=True, slots=True)
class Place:
    """Which of a job's processes this is; `port` is where they meet on this machine."""

    rank: int = 0
    devices: int = 1
    port: int = 0

    def share(self, batch: int) -> slice:
        """The examples of a batch that this process computes; the first ones get the odd ones."""
        each, odd = divmod(batch, self.devices)
        start = self.rank * each + min(self.rank, odd)
        return slice(start, start + each + (self.rank < odd))


@contextmanager
def fabric_for(device: torch.device, place: Place, precision: Precision) -> Iterator[Fabric]:
    """A launched fabric; with several devices its processes wait here for each other, and part at the end.

    Raises
    ------
    BadConfig
        If more devices are asked for than there are.
    """
    if device.type == "cuda" and place.devices > torch.cuda.device_count():
        raise BadConfig(f"{place.devices} GPUs were asked for, but this machine has {torch.cuda.device_count()}.")
    one_gpu = [device.index or 0] if device.type == "cuda" and place.devices == 1 else place.devices
    # standard error belongs to the command line: no "Using bfloat16 Automatic Mixed Precision (AMP)" there
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False  # the same seed, the same result
    fabric = Fabric(
        accelerator=device.type,
        devices=one_gpu,
        strategy=DDPStrategy() if place.devices > 1 else "auto",
        precision="bf16-mixed" if use_bfloat16(device, precision) else "32-true",
        plugins=[_ThisMachine(place)],
    )
    fabric.launch()
    try:
        yield fabric
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            _RETIRED.append(torch.distributed.group.WORLD)
            torch.distributed.destroy_process_group()  # the worker's next job opens its own


class _ThisMachine(ClusterEnvironment):
    """Processes that are already there; keeps fabric from guessing at SLURM and from starting `sys.argv` again."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return self._place.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._place.devices

    def set_world_size(self, size: int) -> None:
        pass  # known already

    def global_rank(self) -> int:
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        pass  # known already

    def local_rank(self) -> int:
        return self._place.rank

    def node_rank(self) -> int:
        return 0
