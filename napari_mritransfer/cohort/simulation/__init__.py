"""A simulated cohort with known truth: real heads, warped by age and by a focal disease, scanned at three sites.

The maps in `pose`, `smooth`, `focal` and `widening` are pull-backs in millimetres: an image is deformed by reading it
at the positions that a map returns. Positions are ``(3, voxel)`` float32, which keeps micrometres at the size of a
head. Each map is invertible by itself, so their composition is too, and the image is interpolated once, at the end.
"""

from napari_mritransfer.cohort.simulation.heads import Head, head_names, load_head
from napari_mritransfer.cohort.simulation.settings import CLEAR, USUAL, Effects
from napari_mritransfer.cohort.simulation.simulate import SimulationStopped, simulate_cohort
from napari_mritransfer.cohort.simulation.subject import simulate_subject
from napari_mritransfer.cohort.simulation.truth import Truth

__all__ = [
    "CLEAR",
    "USUAL",
    "Effects",
    "Head",
    "SimulationStopped",
    "Truth",
    "head_names",
    "load_head",
    "simulate_cohort",
    "simulate_subject",
]
