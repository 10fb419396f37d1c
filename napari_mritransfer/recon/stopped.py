"""How work ends that was asked to stop. No torch here."""


class ReconstructionStopped(Exception):
    """The caller asked to stop and nothing that was begun is left half done."""
