"""The errors that a person can mend."""


class BadInput(ValueError):
    """Something given to the program cannot work; the message is one sentence that says what to do."""


class UnreadableScan(BadInput):
    """A file that cannot become a `Scan`; the message is one sentence that names the file and says what to do."""
