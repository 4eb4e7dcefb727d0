"""Makes the top-level `bench` package, the harness and the agents' names importable."""

from __future__ import annotations

import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_CHECKOUT), str(_CHECKOUT / "tests"), str(_CHECKOUT / "files" / "agents")]
