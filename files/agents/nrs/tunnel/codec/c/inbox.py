"""Writing what a train is opened into, by the C codec (codec/nrs_carrier.c)."""

from __future__ import annotations

from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel.codec.c.carrier import CIntake, CPath, totals_of
from nrs.tunnel.codec.c.sealing import COpener
from nrs.tunnel.codec.c.sieve import CSieve
from nrs.tunnel.codec.carrier import INTAKE_BYTES, Totals
from nrs.tunnel.udp_socket import UdpSocket

_INBOX_BYTES = 256 * 1024


def joiner() -> Any:
    """Room for packets that have arrived in part."""
    made = lib.nrs_joiner_new()
    if made == ffi.NULL:
        raise MemoryError("the codec has no memory for packets in pieces")
    return ffi.gc(made, lib.nrs_joiner_free)


class CInbox:
    """See `codec.carrier.Inbox`."""

    def __init__(self, *, udp_offload: bool, sieve: CSieve | None = None) -> None:
        self._udp_offload = udp_offload
        self._sieve: Any = ffi.NULL if sieve is None else sieve.handle
        self._sifted: Any = ffi.NULL if sieve is None else sieve.counted
        self._out: Any = ffi.from_buffer(bytearray(_INBOX_BYTES))
        self._opened: Any = ffi.new("nrs_opened *")
        self._joiner: Any = joiner()
        self._totals: Any = ffi.new("nrs_totals *")

    @property
    def totals(self) -> Totals:
        return totals_of(self._totals)

    def age(self) -> None:
        lib.nrs_joiner_age(self._joiner)

    @property
    def at(self) -> int:
        return int(self._opened.at)

    @property
    def size(self) -> int:
        return int(self._opened.size)

    def carry(
        self,
        opener: COpener,
        path: CPath,
        socket: UdpSocket | None,
        intake: CIntake,
        start: int,
        fd: int,
    ) -> int:
        return int(
            lib.nrs_carry_in(
                opener.handle,
                self._joiner,
                path.handle,
                path.candidate_handle,
                self._sieve,
                -1 if socket is None else socket.fd,
                intake.buffer,
                INTAKE_BYTES,
                intake.train,
                start,
                self._udp_offload,
                self._out,
                _INBOX_BYTES,
                fd,
                self._opened,
                self._totals,
                self._sifted,
            )
        )
