"""Tokens as a service checks them, thousands a second: a signature once, the rest each time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nrs.identity.credential import Credential, CredentialRefused, judge, verified
from nrs.identity.revocations import Revocations

_KEPT = 32768


class Verifier:
    """Checks tokens for a service with these `audiences`, and remembers which are signed.

    The memory holds `kept` tokens by their hash; refused ones take none of it. Safe for threads.
    """

    def __init__(
        self,
        public_keys: Iterable[Ed25519PublicKey],
        audiences: Iterable[str],
        *,
        kept: int = _KEPT,
    ) -> None:
        self._keys, self._audiences, self._kept = tuple(public_keys), frozenset(audiences), kept
        self._verified: dict[bytes, Credential] = {}
        self._lock = threading.Lock()

    def check(self, token: str, revocations: Revocations, now: float) -> Credential:
        """The credential that `token` is, as of `now`. Raises CredentialRefused."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        credential = self._verified.get(digest)
        if credential is None:
            credential = verified(token, self._keys)
            judge(credential, self._audiences, now)
            self._remember(digest, credential)
        else:
            judge(credential, self._audiences, now)
        if revocations.refuses(credential):
            raise CredentialRefused(f"revoked: serial {credential.serial}")
        return credential

    def _remember(self, digest: bytes, credential: Credential) -> None:
        with self._lock:
            while len(self._verified) >= self._kept:
                del self._verified[next(iter(self._verified))]
            self._verified[digest] = credential
