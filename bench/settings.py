"""Where the benchmarks find the checkout and keep their things."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
AGENTS = CHECKOUT / "files" / "agents"


@dataclass(frozen=True)
class Places:
    """Everything that is kept from one run to the next, outside the checkout."""

    root: Path

    @property
    def programs(self) -> Path:
        """What is compiled."""
        return self.root / "programs"


def places() -> Places:
    """The cache directory from NRS_BENCH_CACHE, or the default."""
    return Places(Path(os.environ.get("NRS_BENCH_CACHE") or "/var/cache/nrs-bench").absolute())
