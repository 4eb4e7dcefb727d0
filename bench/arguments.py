"""Kinds of command line arguments."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
