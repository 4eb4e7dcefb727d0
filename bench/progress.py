"""Telling whoever waits."""

from __future__ import annotations

import sys


def progress(text: str) -> None:
    """On standard error: standard output is for results."""
    print(text, file=sys.stderr, flush=True)
