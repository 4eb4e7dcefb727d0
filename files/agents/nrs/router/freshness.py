"""Whether a HELLO has just been sent, and whether it comes from where it says. Pure.

Of each claim the stamp and nonce of the HELLO that was believed last are kept. A HELLO with a
greater stamp is fresh. Any other, such as the first of a claim, one that is replayed, or one from
a host whose clock was set back, is to bring a token, which costs nothing to give out: it is made
from the claim, what was believed last, and where the HELLO came from, under a secret. So it is
good for one HELLO from one place, for four minutes at most.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from math import exp

from nrs.tunnel.wire import NONCE_BYTES, TOKEN_BYTES, Claim, Hello

SECRET_BYTES = 32
MOST_CLAIMS = 65_536
_TURN_S = 120.0
"""After this another key is made from the secret; tokens of the one before it are good as well."""
_NEVER = -1, bytes(NONCE_BYTES)


class Freshness:
    """What was believed last, of at most `most` claims: the one silent for longest is forgotten."""

    def __init__(self, secret: bytes, most: int = MOST_CLAIMS) -> None:
        """`secret` is 32 random bytes; with the same one, tokens outlive the process."""
        self._secret = secret
        self._most = most
        self._last: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()

    def believe(self, claim: Claim, stamp: int, nonce: bytes) -> None:
        """Take down a HELLO that is fresh; the stamp kept of a claim never goes back."""
        name = claim.encode()
        before, _ = self._last.pop(name, _NEVER)
        self._last[name] = max(stamp, before), nonce
        if len(self._last) > self._most:
            self._last.popitem(last=False)

    def is_newer(self, hello: Hello) -> bool:
        """Whether its stamp says that it was sent after all that were believed of its claim."""
        last = self._last.get(hello.claim.encode())
        return last is not None and hello.stamp > last[0]

    def is_asked_for(self, hello: Hello, where: bytes, now: float) -> bool:
        """Whether it brings the token that its claim was given at the address `where`."""
        turn = int(now // _TURN_S)
        return any(
            hmac.compare_digest(hello.token, self._token(hello.claim, where, one))
            for one in (turn, turn - 1)
        )

    def token(self, claim: Claim, where: bytes, now: float) -> bytes:
        """What the next HELLO of this claim from there is to bring, 16 bytes."""
        return self._token(claim, where, int(now // _TURN_S))

    def _token(self, claim: Claim, where: bytes, turn: int) -> bytes:
        name = claim.encode()
        key = hmac.digest(self._secret, b"nrs v2 retry" + turn.to_bytes(8, "big"), "sha256")
        last = self._last.get(name, _NEVER)[1]
        return hmac.digest(key, last + where + name, "sha256")[:TOKEN_BYTES]


_WITHIN_S = 1.0
_MUCH = 0.1


@dataclass
class HandshakeLoad:
    """What share of the packet loop's time HELLOs have taken of late."""

    _spent: float = 0.0
    _at: float = 0.0

    def spent(self, seconds: float, now: float) -> None:
        """One was handled."""
        self._spent = self._left(now) + seconds
        self._at = now

    def is_much(self, now: float) -> bool:
        """Whether it is a tenth or more, over about a second."""
        return self._left(now) > _MUCH * _WITHIN_S

    def _left(self, now: float) -> float:
        return self._spent * exp(-max(0.0, now - self._at) / _WITHIN_S)
