"""What a real service goes by and its callers show, where a test writes their files."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import issue
from nrs.identity.credential import Role
from nrs.identity.keys import public_text
from nrs.identity.revocations import Revocations, signed
from nrs.identity.revoked_tunnels import RevokedTunnels


class Signing:
    """A signing key, and the file of its public key in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._file = directory / "public_keys"
        self._file.write_text(public_text([self._key.public_key()]), encoding="ascii")

    def service(self, *urls: str) -> dict[str, object]:
        """The section `api` of a service that is called so."""
        return {"signers_file": str(self._file), "urls": list(urls)}

    @property
    def device(self) -> dict[str, object]:
        """What the section `api` of a device has for lists of revocations."""
        return {"signers_file": str(self._file)}

    def revoked(self, number: int, tunnels: RevokedTunnels) -> str:
        """A list of revocations."""
        return signed(Revocations(number, tunnels=tunnels), self._key)

    def token(self, url: str, role: Role = Role.OPERATOR, id: str = "ann") -> str:  # noqa: A002
        """One for the service at `url`, for an hour."""
        made = issue.credential(
            role=role,
            id=id,
            url=url,
            now=time.time(),
            random=secrets.token_bytes,
            lifetime=3600.0,
        )
        return issue.token(made, self._key)

    def bearer(self, url: str) -> dict[str, str]:
        """The header of an operator's token."""
        return {"Authorization": f"Bearer {self.token(url)}"}
