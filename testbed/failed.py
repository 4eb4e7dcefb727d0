"""The one error of this package, which those who use it raise too."""


class Failed(Exception):
    """What was asked for could not be done; the text says why, to a person: no traceback wanted."""
