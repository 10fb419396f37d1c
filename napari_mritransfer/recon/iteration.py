"""What iterative reconstructions have in common: they tell how far they are, and stop when asked."""

from collections.abc import Callable, Iterator

from napari_mritransfer.recon.network import ReconstructionStopped

OnIteration = Callable[[int, int], None]
ShouldStop = Callable[[], bool]


def never() -> bool:
    """The `ShouldStop` of a caller who waits for the end."""
    return False


def counted(total: int, on_iteration: OnIteration | None, should_stop: ShouldStop) -> Iterator[int]:
    """Iteration numbers from 1 to `total`: asks before each iteration, tells (iterations done, total) after it.

    Raises
    ------
    ReconstructionStopped
        If `should_stop` said so.
    """
    for number in range(1, total + 1):
        if should_stop():
            raise ReconstructionStopped
        yield number
        if on_iteration is not None:
            on_iteration(number, total)
