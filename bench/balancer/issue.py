"""Makes the public key that a measured service goes by, and prints tokens for it, one a line.

Usage: issue.py FILE URL ROLE COUNT..., with the key into FILE. Run by the agents' Python.
"""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nrs.identity import issue
from nrs.identity.credential import Role
from nrs.identity.keys import public_text

_DAY_S = 86400.0


def main(file: Path, url: str, wanted: list[tuple[Role, int]]) -> None:
    """Each token is of somebody else, such as endpoint_0."""
    key = Ed25519PrivateKey.generate()
    file.write_text(public_text([key.public_key()]), encoding="ascii")
    for role, count in wanted:
        for number in range(count):
            made = issue.credential(
                role=role,
                id=f"{role.value}_{number}",
                url=url,
                now=time.time(),
                random=secrets.token_bytes,
                lifetime=_DAY_S if role.is_person else None,
            )
            print(issue.token(made, key))


if __name__ == "__main__":
    _roles, _counts = map(Role, sys.argv[3::2]), map(int, sys.argv[4::2])
    main(Path(sys.argv[1]), sys.argv[2], list(zip(_roles, _counts, strict=True)))
