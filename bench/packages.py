"""What the distribution says of its packages."""

from __future__ import annotations

from testbed.command import run
from testbed.failed import Failed


def version_of(package: str) -> str:
    """`package version`, or the package alone where the distribution does not know it."""
    try:
        version = run(["dpkg-query", "--show", "--showformat", "${Version}", package])
    except Failed:
        return package
    return f"{package} {version.strip()}"
