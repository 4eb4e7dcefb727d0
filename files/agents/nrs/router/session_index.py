"""Session indices of a router begin alike, so that the kernel tells strangers' datagrams apart.

`divider` is a classic BPF program for SO_ATTACH_REUSEPORT_CBPF (socket(7)): of the sockets at a
port it chooses SESSIONS for a datagram whose index begins as this router's do, and STRAYS for
HELLOs and everything else. It knows no sessions: who guesses the beginning, or watches the line,
is told apart by what reads the sockets, and either of them may get anything.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from nrs.tunnel.handshake import Random
from nrs.tunnel.wire import Type

SESSIONS, STRAYS = 0, 1
"""In which order the sockets are to join the group."""
BITS = 12
"""One datagram in 4,096 with a random index passes for a session's; there is room for a million."""
_SHIFT = 32 - BITS
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_LENGTH, _LOAD_BYTE, _LOAD_WORD = 0x80, 0x30, 0x20
_AND, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x54, 0x15, 0x35, 0x06
_TYPE_AT, _INDEX_AT = 0, 4


def beginning(boot_id: str | None = None) -> int:
    """The first BITS bits, the same until the host is booted again: so long do sessions last."""
    text = _boot_id() if boot_id is None else boot_id
    digest = hashlib.sha256(b"nrs session index" + text.strip().encode()).digest()
    return int.from_bytes(digest[:4], "big") >> _SHIFT


def _boot_id() -> str:
    """Nothing where a container does not show it."""
    try:
        return _BOOT_ID.read_text()
    except OSError:
        return ""


def drawn(first: int | None, random: Random) -> int:
    """A random index that begins so; any for None."""
    index = int.from_bytes(random(4), "big")
    return index if first is None else first << _SHIFT | index & (1 << _SHIFT) - 1


def begins(index: int, first: int) -> bool:
    """Whether an index begins so."""
    return index >> _SHIFT == first


def divider(first: int | None) -> bytes:
    """The program, as an array of struct sock_filter; it runs over the payload.

    None: sessions may have any index, and of others only HELLOs are told apart.
    """
    of_strays, of_sessions = 8, 9
    mask, wanted = (0, 0) if first is None else ((1 << BITS) - 1 << _SHIFT, first << _SHIFT)
    program = [
        (_LOAD_LENGTH, 0, 0, 0),
        (_IF_AT_LEAST, 0, of_strays - 2, _INDEX_AT + 4),
        (_LOAD_BYTE, 0, 0, _TYPE_AT),
        (_AND, 0, 0, 0x0F),
        (_IF_EQUAL, of_strays - 5, 0, Type.HELLO),
        (_LOAD_WORD, 0, 0, _INDEX_AT),
        (_AND, 0, 0, mask),
        (_IF_EQUAL, of_sessions - 8, 0, wanted),
        (_RETURN, 0, 0, STRAYS),
        (_RETURN, 0, 0, SESSIONS),
    ]
    return b"".join(_INSTRUCTION.pack(*one) for one in program)
