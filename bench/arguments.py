"""Kinds of command line arguments."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def positive(text: str) -> int:
    """1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def add_names(
    parser: argparse.ArgumentParser, option: str, kind: str, known: Iterable[str]
) -> None:
    """An option that takes some of the known names, separated by commas; all by default."""
    names = list(known)

    def some(text: str) -> list[str]:
        asked = [name for name in text.split(",") if name]
        for name in asked:
            if name not in names:
                raise argparse.ArgumentTypeError(
                    f"no {kind} {name!r}; there are: {', '.join(names)}"
                )
        return asked

    parser.add_argument(
        option, type=some, default=names, metavar="A,B,...", help=f"default: {','.join(names)}"
    )
