"""The sieve of the C codec (codec/nrs_sieve.c), bound with cffi."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel.codec.c.carrier import CIntake
from nrs.tunnel.codec.carrier import INTAKE_BYTES
from nrs.tunnel.codec.sieve import Sifted
from nrs.tunnel.udp_socket import UdpSocket


class CSieve:
    """See `codec.sieve.Sieve`."""

    def __init__(self) -> None:
        made = lib.nrs_sieve_new()
        if made == ffi.NULL:
            raise MemoryError("the codec has no memory for a sieve")
        self.handle: Any = ffi.gc(made, lib.nrs_sieve_free)
        self._sifted: Any = ffi.new("nrs_sifted *")

    def hold(self, masters: Mapping[int, bytes]) -> None:
        lib.nrs_sieve_forget(self.handle)
        for key_id, master in masters.items():
            lib.nrs_sieve_hold(self.handle, key_id, master, len(master))

    def know(self, indices: Iterable[int]) -> None:
        ordered = sorted(indices)
        if not lib.nrs_sieve_know(self.handle, ordered, len(ordered)):
            raise MemoryError("the codec has no memory for the sessions that a sieve knows")

    def answer(self, most: int) -> None:
        lib.nrs_sieve_answer(self.handle, most)

    def receive(self, socket: UdpSocket, intake: CIntake, most: int) -> int:
        return int(
            lib.nrs_sieve_receive(
                self.handle,
                socket.fd,
                intake.buffer,
                INTAKE_BYTES,
                intake.train,
                most,
                self._sifted,
            )
        )

    @property
    def worth(self) -> list[int]:
        sifted = self._sifted
        return ffi.unpack(sifted.worth, sifted.count) if sifted.count else []

    @property
    def sifted(self) -> Sifted:
        sifted = self._sifted
        return Sifted(sifted.datagrams, sifted.malformed, sifted.tag, sifted.no_session)
