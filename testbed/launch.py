"""Runs a package of the checkout that this file lies in: `python3 -I testbed/launch.py PACKAGE ...`

Isolated (-I), so that nothing comes from the directory where it is called or from PYTHONPATH:
with `python3 -m` a package of that name in another checkout would come first.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]


def launch() -> None:
    """Become the package that the first word names; the others are its own."""
    sys.path[:0] = [str(_CHECKOUT / part) for part in ("", "tests", "files/agents")]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    launch()
