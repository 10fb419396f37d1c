"""What can be wrong with weights."""

from napari_mritransfer.io.errors import BadInput


class UnreadableWeights(BadInput):
    """A weights file that is missing, damaged, tampered with or of another network."""
