"""The codec in pure Python. The same rules in C, function by function: codec/nrs_codec.c."""

from __future__ import annotations

from nrs.tunnel.codec.crypto import LIBCRYPTO, Crypto
from nrs.tunnel.codec.interface import Family
from nrs.tunnel.codec.python.frames import PythonFrames
from nrs.tunnel.codec.python.inbox import PythonInbox
from nrs.tunnel.codec.python.opening import PythonOpener
from nrs.tunnel.codec.python.outbox import PythonOutbox
from nrs.tunnel.codec.python.sealing import PythonSealer
from nrs.tunnel.codec.python.sieve import PythonSieve
from nrs.tunnel.codec.python.socket_path import PythonIntake, PythonPath

CODEC = Family(
    "python",
    Crypto(LIBCRYPTO),  # which hashlib uses
    PythonSealer,
    PythonOpener,
    PythonPath,
    PythonFrames,
    PythonIntake,
    PythonOutbox,
    PythonInbox,
    PythonSieve,
)
