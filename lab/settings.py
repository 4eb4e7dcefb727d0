"""Where a lab keeps its things, and what they are called."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.failed import Failed

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """``root`` holds the caches and the key, shared by labs of several names."""

    root: Path
    name: str

    @property
    def state(self) -> Path:
        """What belongs to this lab alone and goes when it goes."""
        return self.root / "labs" / self.name

    @property
    def runtime(self) -> Path:
        """Podman's volatile state: on /run, so that a reboot of the machine clears it."""
        return Path(f"/run/nrs-lab-{zlib.crc32(str(self.root).encode()):08x}")

    @property
    def key(self) -> Path:
        return self.root / "id"

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def collections(self) -> Path:
        """For Ansible; of this lab alone, since each may belong to another checkout."""
        return self.state / "collections"

    @property
    def lock(self) -> Path:
        return self.root / "lock"


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from NRS_LAB_ROOT and NRS_LAB_NAME; raises Failed where one is unusable."""
    root = Path(environment.get("NRS_LAB_ROOT") or "/var/lib/nrs-lab")
    name = environment.get("NRS_LAB_NAME") or "nrs"
    if not root.is_absolute():
        raise Failed(f"NRS_LAB_ROOT must be an absolute path: {root}")
    if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
        raise Failed(
            f"NRS_LAB_NAME must be a letter and up to 11 letters or digits, lower case: {name!r}"
        )
    return Settings(root, name)
