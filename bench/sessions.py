"""stub"""

from __future__ import annotations

import argparse

from bench.settings import Places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def measure(options: argparse.Namespace, places: Places) -> int:
    return 1
