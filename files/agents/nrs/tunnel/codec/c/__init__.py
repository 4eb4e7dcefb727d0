"""The codec in C, built from `codec/`. Import fails where it is not."""

from __future__ import annotations

from nrs.tunnel.codec.c.carrier import CFrames, CIntake, COutbox, CPath
from nrs.tunnel.codec.c.inbox import CInbox
from nrs.tunnel.codec.c.sealing import COpener, CSealer
from nrs.tunnel.codec.c.sieve import CSieve
from nrs.tunnel.codec.interface import Family

CODEC = Family("c", CSealer, COpener, CPath, CFrames, CIntake, COutbox, CInbox, CSieve)
