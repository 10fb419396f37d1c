"""How far a re-use is, method by method, as its folder tells while it runs. No torch here."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.record import FITS


def fits_done(folder: Path) -> Mapping[str, int]:
    """How many fits of each method are written down; none where there are none yet."""
    try:
        names = [path.stem for path in (folder / FITS).glob("*.json")]
    except OSError:
        return {}
    return Counter(name.rpartition("_n")[0] for name in names)


def fits_planned(config: ReuseConfig) -> int:
    """How many fits every method has; 0 where that depends on the sites of the table."""
    return 0 if config.site else config.folds * config.repeats * (1 + len(set(config.sizes)))
