"""The sieve of the C codec (codec/nrs_sieve.c), bound with cffi."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel.codec.c.carrier import CIntake, address_held
from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.carrier import INTAKE_BYTES
from nrs.tunnel.codec.sieve import Sifted
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket


class CSieve:
    """See `codec.sieve.Sieve`."""

    def __init__(self, crypto: CCrypto) -> None:
        self._crypto = crypto
        made = lib.nrs_sieve_new(crypto.handle)
        if made == ffi.NULL:
            raise MemoryError("the codec has no memory for a sieve")
        self.handle: Any = ffi.gc(made, lib.nrs_sieve_free)
        self.counted: Any = ffi.new("nrs_sifted *")

    def hold(self, masters: Mapping[int, bytes]) -> None:
        lib.nrs_sieve_forget(self.handle)
        for key_id, master in masters.items():
            lib.nrs_sieve_hold(self.handle, key_id, master, len(master))

    def know(self, index: int) -> None:
        if not lib.nrs_sieve_know(self.handle, index):
            raise MemoryError("the codec has no memory for the sessions that a sieve knows")

    def part(self, index: int) -> None:
        lib.nrs_sieve_part(self.handle, index)

    def allow(self, answers: int, wrong: int) -> None:
        lib.nrs_sieve_allow(self.handle, answers, wrong)

    def receive(self, socket: UdpSocket, intake: CIntake, most: int) -> int:
        return self._receive(lib.nrs_receive_strays, socket, intake, most)

    def receive_known(self, socket: UdpSocket, intake: CIntake, most: int) -> int:
        return self._receive(lib.nrs_receive_known, socket, intake, most)

    def _receive(self, receive: Any, socket: UdpSocket, intake: CIntake, most: int) -> int:
        return int(
            receive(
                self.handle,
                socket.fd,
                intake.buffer,
                INTAKE_BYTES,
                intake.train,
                most,
                self.counted,
            )
        )

    def sift(self, intake: CIntake, start: int) -> list[int]:
        rest = intake.buffer + start
        lib.nrs_sift(self.handle, rest, intake.length - start, intake.each, self.counted)
        return [start + at for at in self.worth]

    @property
    def wrong_peer(self) -> SocketAddress:
        return address_held(self.counted)

    @property
    def worth(self) -> list[int]:
        counted = self.counted
        return ffi.unpack(counted.worth, counted.count) if counted.count else []

    @property
    def sifted(self) -> Sifted:
        counted = self.counted
        return Sifted(
            counted.datagrams, counted.malformed, counted.tag, counted.no_session, counted.rate
        )
