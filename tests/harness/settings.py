"""Where the tests keep their things."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
COLLECTION = Path("ansible_collections", "nrs", "network_routing")
AGENTS = CHECKOUT / "files" / "agents"
_LEFT_OUT = ("PYTHONPATH", "VIRTUAL_ENV", "NRS_API_TOKEN")


@dataclass(frozen=True)
class Cache:
    """Everything that may be kept from one run to the next, outside the checkout."""

    root: Path

    @property
    def venvs(self) -> Path:
        return self.root / "venvs"

    @property
    def collections(self) -> Path:
        return self.root / "collections"

    @property
    def collection(self) -> Path:
        """The copy of the checkout, at the place that Ansible's tools insist on."""
        return self.collections / COLLECTION

    @property
    def home(self) -> Path:
        """Stands in for the user's home, where ansible-test keeps its venvs."""
        return self.root / "home"

    @property
    def tools(self) -> Path:
        """The linters' and test runners' own caches."""
        return self.root / "tools"


def cache() -> Cache:
    """The cache directory from NRS_TEST_CACHE, or the default."""
    return Cache(Path(os.environ.get("NRS_TEST_CACHE") or "/var/cache/nrs-test").absolute())


def environment(of: Cache, *first_on_path: Path, **more: str) -> dict[str, str]:
    """The environment of every check: caches redirected, the shell's own settings left out."""
    inherited = {key: value for key, value in os.environ.items() if key not in _LEFT_OUT}
    path = ":".join([*map(str, first_on_path), inherited.get("PATH", os.defpath)])
    return {
        **inherited,
        "PATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "RUFF_CACHE_DIR": str(of.tools / "ruff"),
        "MYPY_CACHE_DIR": str(of.tools / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(of.tools / "hypothesis"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        **more,
    }
