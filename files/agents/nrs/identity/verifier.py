"""Tokens as a service checks them, thousands a second: a signature once, the rest each time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nrs.identity.claims import NotSigned
from nrs.identity.credential import REPLACEMENT, Credential, CredentialRefused, judge, stated
from nrs.identity.revocations import Revocations
from nrs.identity.signed import Kind, verify

_KEPT = 131072
"""More than the endpoints of the largest network: else each would be checked at each question."""
_LONGEST = 4096


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


def check(
    token: str, public_keys: Sequence[Ed25519PublicKey], audiences: frozenset[str], now: float
) -> Credential:
    """The credential that `token` is for a service with these `audiences`, as of `now`.

    Raises CredentialRefused.
    """
    credential = verified(token, public_keys)
    judge(credential, audiences, now)
    return credential


def verified(token: str, public_keys: Sequence[Ed25519PublicKey]) -> Credential:
    """What `token` says under a signature of the deployment. Raises CredentialRefused."""
    if token.count(".") != 2 and len(token) >= 32:
        raise CredentialRefused(
            f"a shared secret is not accepted; a token of its own is made by: {REPLACEMENT}"
        )
    if len(token) > _LONGEST:
        raise CredentialRefused(f"not a token: longer than {_LONGEST} characters")
    try:
        return stated(verify(token, Kind.TOKEN, public_keys))
    except NotSigned as error:
        text = str(error)
        raise CredentialRefused(
            text if text.startswith("not signed by") else f"not a token: {text}"
        ) from None
