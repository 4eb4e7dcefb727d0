"""What an agent says of the release and the files that it runs with."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrs
from nrs.config import held
from nrs.config.held import Held

_RELEASE_FILE = "release"
_UNIT = "NRS_UNIT"
"""The stamp of the unit that the agent was started by."""
TAKES_A_RESTART = "changed, which takes a restart"
"""How an error ends that another start of the agent would mend."""


@dataclass(frozen=True)
class Reloads:
    """How often the files were read again, and what stood against them the last time."""

    count: int = 0
    error: str | None = None

    def after(self, error: str | None) -> Reloads:
        """With one more."""
        return Reloads(self.count + 1, error)


def release(prefix: Path = Path(sys.prefix)) -> str:
    """What was installed at `prefix`, by its stamp; the version where it was not by a role."""
    try:
        return (prefix / _RELEASE_FILE).read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return nrs.__version__


def standing(release: str, files: Held, reloads: Reloads) -> dict[str, Any]:
    """For `nrs status --json`. No digest of a secret is in it."""
    return {
        "release": release,
        "unit": os.environ.get(_UNIT, ""),
        "files_not_in_force": sorted(map(str, held.changed(files))),
        "reloads": reloads.count,
        "reload_error": reloads.error,
        "restart_needed": (reloads.error or "").endswith(TAKES_A_RESTART),
    }
