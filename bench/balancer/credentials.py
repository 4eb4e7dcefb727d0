"""What a measured service goes by and what those who ask it show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.command import run

URL = "http://127.0.0.1:1"
"""What the service is called in tokens, whichever port it has."""
_ISSUE = Path(__file__).resolve().parent / "issue.py"


@dataclass(frozen=True)
class Credentials:
    """A file of public keys, and tokens that were signed for `URL`."""

    signers: Path
    endpoints: Sequence[str]
    """Of endpoint_0 and so on."""
    routers: Sequence[str]
    operators: Sequence[str]

    @property
    def api(self) -> dict[str, object]:
        """The section of the service's file."""
        return {"signers_file": str(self.signers), "urls": [URL]}


def made(
    python: Path,
    directory: Path,
    env: Mapping[str, str],
    *,
    endpoints: int,
    routers: int = 0,
    operators: int = 0,
) -> Credentials:
    """So many tokens, by a Python that has the agents. Raises Failed."""
    signers, last = directory / "public_keys", endpoints + routers
    wanted = ["endpoint", endpoints, "router", routers, "operator", operators]
    printed = run([python, _ISSUE, signers, URL, *wanted], env=env).split()
    return Credentials(signers, printed[:endpoints], printed[endpoints:last], printed[last:])
