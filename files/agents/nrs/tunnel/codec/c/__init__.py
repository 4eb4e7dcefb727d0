"""The codec in C, built from `codec/`. Import fails where it is not."""

from __future__ import annotations

from functools import partial

from nrs.tunnel.codec.c.carrier import CFrames, CIntake, COutbox, CPath
from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.c.inbox import CInbox
from nrs.tunnel.codec.c.sealing import COpener, CSealer
from nrs.tunnel.codec.c.sieve import CSieve
from nrs.tunnel.codec.interface import Family


def family(crypto: CCrypto) -> Family[CSealer, COpener, CPath, CFrames, CIntake]:
    """The codec that tags with `crypto`."""
    return Family(
        "c",
        crypto.report,
        partial(CSealer, crypto),
        partial(COpener, crypto),
        CPath,
        CFrames,
        CIntake,
        COutbox,
        CInbox,
        partial(CSieve, crypto),
    )
